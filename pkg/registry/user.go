package registry

import "time"

// User is an account. Password is a PHC string (argon2id), never the password.
type User struct {
	ID        ID
	Name      string
	Password  string
	Disabled  bool
	CreatedAt time.Time
	Email     string
	FullName  string
	Roles     []ID   // those that the user was given, in order of their ids; shared, so nobody may change the list
	Grants    Grants // the administrative rights of these roles
	Seq       Seq    // the state of the store that this was read at
}

// Session is a sign-in through a browser. Token is the SHA-256 of the secret in the cookie: a stolen database opens no session.
type Session struct {
	Token     Hash
	User      ID
	CreatedAt time.Time
	ExpiresAt time.Time
	Address   string // of the client that signed in
	Agent     string // what its browser calls itself
	Seq       Seq    // the state of the store that this was read at
}

// PublicID names the session to its user without opening it.
func (s Session) PublicID() ID { return ID(s.Token[:16]) }

// Token is an API token. Hash is the SHA-256 of the secret: a stolen database opens nothing.
type Token struct {
	ID        ID
	Hash      Hash
	User      ID
	Name      string
	Hint      string // how the token begins, to recognise it by
	Scope     Scope
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // of the last use, within an hour; zero when it never was
	Seq       Seq       // the state of the store that this was read at
}

// UserChange is what is to become of an account.
type UserChange struct {
	User        User // the new state; name, id and time of creation stay
	EndSessions bool // end its sessions but KeepSession
	KeepSession Hash
}
