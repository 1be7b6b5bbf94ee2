package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// mostTokenDays is [auth.MaxTokenLifetime] in days.
const mostTokenDays = int(auth.MaxTokenLifetime / (24 * time.Hour))

// accountView is what a user sees of their own account.
type accountView struct {
	Account  auth.Account
	Tokens   []registry.Token
	Sessions []sessionView
	Rights   []string
	Manager  bool // has administrative rights that a token may use
	Display  display
	MostDays int    // that a new token may last
	Secret   string // of the token just made; shown this once
	Error    string
}

type sessionView struct {
	registry.Session
	ID      string
	Current bool
}

func (c *console) account(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showAccount(w, r, a, "", nil)
}

func (c *console) showAccount(w http.ResponseWriter, r *http.Request, a registry.Actor, secret string, failed error) error {
	own, err := c.Auth.Account(r.Context(), a, a.User)
	if err != nil {
		return err
	}
	v := accountView{Account: own, Rights: permissionRights(), Manager: a.IsAdmin() || a.Grants != 0, MostDays: mostTokenDays, Secret: secret}
	if v.Tokens, err = c.Auth.Tokens(r.Context(), a, ""); err != nil {
		return err
	}
	if v.Sessions, err = c.sessionsOf(r, a, ""); err != nil {
		return err
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, c.say("My account"))
	v.Display = f.Display
	f.Section, f.Here, f.Page = "account", "/console/account", v
	return c.render(w, status, "account", f)
}

func (c *console) sessionsOf(r *http.Request, a registry.Actor, user string) ([]sessionView, error) {
	list, err := c.Auth.Sessions(r.Context(), a, user)
	current := auth.SessionID(auth.SessionToken(r))
	views := make([]sessionView, 0, len(list))
	for _, s := range list {
		views = append(views, sessionView{s, s.PublicID().String(), s.PublicID() == current})
	}
	return views, err
}

// ownForm reads the form of a change to the user's own account, makes the change, and leads back.
func (c *console) ownForm(w http.ResponseWriter, r *http.Request, a registry.Actor, note string, change func(url.Values) error) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	if err := change(r.PostForm); err != nil {
		return c.showAccount(w, r, a, "", err)
	}
	toPage(w, "/console/account", note)
	return nil
}

func (c *console) setProfile(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.ownForm(w, r, a, "profile-saved", func(form url.Values) error {
		in := auth.AccountInput{Email: new(strings.TrimSpace(form.Get("email"))), FullName: new(strings.TrimSpace(form.Get("full_name")))}
		_, err := c.Auth.UpdateUser(r.Context(), a, a.User, in, ifMatch(r))
		return err
	})
}

func (c *console) setPassword(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.ownForm(w, r, a, "password-changed", func(form url.Values) error {
		if form.Get("new") != form.Get("again") {
			return registry.Errorf(registry.CodeInvalid, "the two new passwords differ")
		}
		return c.Auth.ChangePassword(r.Context(), a, auth.ClientOf(r), auth.SessionToken(r), form.Get("old"), form.Get("new"))
	})
}

// makeToken makes an API token. The page that answers shows its secret: no redirect could.
func (c *console) makeToken(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	secret, err := c.tokenOf(r, a)
	return c.showAccount(w, r, a, secret, err)
}

func (c *console) tokenOf(r *http.Request, a registry.Actor) (string, error) {
	rights, err := registry.ParseRights(r.PostForm["right"])
	if err != nil {
		return "", err
	}
	scope := registry.Scope{Rights: rights, Manage: r.PostForm.Get("manage") != ""}
	for line := range strings.Lines(r.PostForm.Get("paths")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p, err := registry.ParsePath(line)
		if err != nil {
			return "", err
		}
		scope.Paths = append(scope.Paths, p)
	}
	days, err := strconv.Atoi(r.PostForm.Get("days"))
	if err != nil || days < 1 || days > mostTokenDays {
		return "", registry.Errorf(registry.CodeInvalid, "days is %q; it must be a number from 1 to %d", r.PostForm.Get("days"), mostTokenDays)
	}
	secret, _, err := c.Auth.CreateToken(r.Context(), oncePerForm(r, a), strings.TrimSpace(r.PostForm.Get("name")), scope, time.Duration(days)*24*time.Hour)
	return secret, err
}

func (c *console) revokeToken(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.ownForm(w, r, a, "token-revoked", func(form url.Values) error {
		id, err := registry.ParseID(`field "id"`, form.Get("id"))
		if err != nil {
			return err
		}
		return c.Auth.RevokeToken(r.Context(), a, "", id)
	})
}

func (c *console) endSession(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.ownForm(w, r, a, "session-ended", func(form url.Values) error {
		if form.Get("all") != "" {
			return c.Auth.RevokeSessions(r.Context(), a, "", auth.SessionToken(r))
		}
		id, err := registry.ParseID(`field "id"`, form.Get("id"))
		if err != nil {
			return err
		}
		return c.Auth.RevokeSession(r.Context(), a, "", id)
	})
}

// usersView is a page of users, and the form for a new one.
type usersView struct {
	Users  []auth.Account
	Begins string // only users whose names begin with it
	Next   string
	Roles  roleChoice
	New    auth.Account
	Error  string
}

func (c *console) users(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showUsers(w, r, a, auth.Account{}, nil)
}

func (c *console) showUsers(w http.ResponseWriter, r *http.Request, a registry.Actor, draft auth.Account, failed error) error {
	query := r.URL.Query()
	v := usersView{Begins: strings.TrimSpace(query.Get("begins")), New: draft}
	var err error
	v.Users, v.Next, err = c.Auth.Users(r.Context(), a, cmp.Or(query.Get("after"), justBefore(v.Begins)), 0)
	if err != nil {
		return err
	}
	if n := slices.IndexFunc(v.Users, func(u auth.Account) bool { return !strings.HasPrefix(u.Name, v.Begins) }); n >= 0 {
		v.Users, v.Next = v.Users[:n], ""
	}
	roles, err := c.givenRoles(r, a)
	if err != nil {
		return err
	}
	v.Roles = choiceOf(roles, draft.Roles)
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, c.say("Users"))
	f.Section, f.Page = "users", v
	return c.render(w, status, "users", f)
}

// givenRoles are the names of the roles that can be given to users.
func (c *console) givenRoles(r *http.Request, a registry.Actor) ([]string, error) {
	roles, err := c.Auth.Roles(r.Context(), a)
	var names []string
	for _, role := range roles {
		if role.ID != registry.RoleEveryone && role.ID != registry.RoleAnonymous {
			names = append(names, role.Name)
		}
	}
	return names, err
}

func (c *console) newUser(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	form := r.PostForm
	draft := auth.Account{
		Name: strings.TrimSpace(form.Get("name")), Email: strings.TrimSpace(form.Get("email")), FullName: strings.TrimSpace(form.Get("full_name")),
		Roles: rolesOf(form),
	}
	in := auth.AccountInput{Email: &draft.Email, FullName: &draft.FullName, Roles: &draft.Roles}
	if _, err := c.Auth.CreateUser(r.Context(), oncePerForm(r, a), draft.Name, form.Get("password"), in); err != nil {
		return c.showUsers(w, r, a, draft, err)
	}
	toPage(w, "/console/users", "user-created")
	return nil
}

// userView is a user as who manages users sees them.
type userView struct {
	Account  auth.Account
	Roles    roleChoice
	Sessions []sessionView
	Self     bool
	Error    string
}

func (c *console) user(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showUser(w, r, a, r.URL.Query().Get("name"), nil)
}

func (c *console) showUser(w http.ResponseWriter, r *http.Request, a registry.Actor, name string, failed error) error {
	if err := needsUsers(a); err != nil {
		return err
	}
	u, err := c.Auth.Account(r.Context(), a, name)
	if err != nil {
		return err
	}
	v := userView{Account: u, Self: u.Name == a.User}
	roles, err := c.givenRoles(r, a)
	if err != nil {
		return err
	}
	v.Roles = choiceOf(roles, u.Roles)
	// Sessions of who has more rights are not shown; the rest of the page is.
	if v.Sessions, err = c.sessionsOf(r, a, name); err != nil && registry.CodeOf(err) != registry.CodeDenied {
		return err
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	f := c.frame(r, a, c.say("User %s", name))
	f.Section, f.Here, f.Page = "users", userLink(name), v
	return c.render(w, status, "user", f)
}

func userLink(name string) string { return "/console/user?name=" + url.QueryEscape(name) }

// changeUser does what the button of the form says to a user.
func (c *console) changeUser(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	form := r.PostForm
	name, ctx := form.Get("name"), r.Context()
	var err error
	switch form.Get("do") {
	case "save":
		in := auth.AccountInput{
			Email: new(strings.TrimSpace(form.Get("email"))), FullName: new(strings.TrimSpace(form.Get("full_name"))),
			Disabled: new(form.Get("disabled") != ""), Roles: new(rolesOf(form)),
		}
		_, err = c.Auth.UpdateUser(ctx, a, name, in, ifMatch(r))
	case "password":
		err = c.Auth.ResetPassword(ctx, a, name, form.Get("password"))
	case "sign-out":
		err = c.Auth.RevokeSessions(ctx, a, name, auth.SessionToken(r))
	case "delete":
		if err = c.Auth.DeleteUser(ctx, a, name, ifMatch(r)); err == nil {
			toPage(w, "/console/users", "user-deleted")
			return nil
		}
	default:
		err = registry.Errorf(registry.CodeInvalid, "the form says not what to do")
	}
	if err != nil {
		return c.showUser(w, r, a, name, err)
	}
	redirect(w, userLink(name)+"&note=user-saved")
	return nil
}
