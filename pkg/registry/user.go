package registry

import "time"

// User is an account. Password is a PHC string (argon2id), never the password.
type User struct {
	ID        ID
	Name      string
	Password  string
	Disabled  bool
	CreatedAt time.Time
	Seq       Seq // the state of the store that this was read at
}

// Session is a sign-in through a browser. Token is the SHA-256 of the secret in the cookie: a stolen database opens no session.
type Session struct {
	Token     Hash
	User      ID
	CreatedAt time.Time
	ExpiresAt time.Time
	Seq       Seq // the state of the store that this was read at
}
