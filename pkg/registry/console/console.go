package console

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
)

// Auth is what the console needs to know who is asking. *auth.Authenticator is one.
type Auth interface {
	// SignInFrom starts a session; its error has [registry.CodeUnauthenticated] when user or password are wrong, [registry.CodeThrottled] after
	// too many wrong ones.
	SignInFrom(ctx context.Context, user, password string, from auth.Client) (token string, expires time.Time, err error)
	// SignOut ends a session, on every node.
	SignOut(ctx context.Context, token string) error
	// Authenticate tells who makes the request; its error has [registry.CodeUnauthenticated] when nobody is signed in.
	Authenticate(r *http.Request) (registry.Actor, error)

	Account(ctx context.Context, by registry.Actor, name string) (auth.Account, error)
	Users(ctx context.Context, by registry.Actor, after string, limit int) (list []auth.Account, next string, err error)
	CreateUser(ctx context.Context, by registry.Actor, name, password string, in auth.AccountInput) (auth.Account, error)
	UpdateUser(ctx context.Context, by registry.Actor, name string, in auth.AccountInput, c registry.Precondition) (auth.Account, error)
	DeleteUser(ctx context.Context, by registry.Actor, name string, c registry.Precondition) error
	ResetPassword(ctx context.Context, by registry.Actor, name, password string) error
	ChangePassword(ctx context.Context, by registry.Actor, from auth.Client, keep, old, password string) error
	Roles(ctx context.Context, by registry.Actor) ([]registry.Role, error)
	CreateRole(ctx context.Context, by registry.Actor, in auth.RoleInput) (registry.Role, error)
	UpdateRole(ctx context.Context, by registry.Actor, name string, in auth.RoleInput, c registry.Precondition) (registry.Role, error)
	DeleteRole(ctx context.Context, by registry.Actor, name string, c registry.Precondition) error
	Tokens(ctx context.Context, by registry.Actor, user string) ([]registry.Token, error)
	CreateToken(ctx context.Context, by registry.Actor, name string, scope registry.Scope, lifetime time.Duration) (secret string, t registry.Token, err error)
	RevokeToken(ctx context.Context, by registry.Actor, user string, token registry.ID) error
	Sessions(ctx context.Context, by registry.Actor, user string) ([]registry.Session, error)
	RevokeSession(ctx context.Context, by registry.Actor, user string, session registry.ID) error
	RevokeSessions(ctx context.Context, by registry.Actor, user, keep string) error
}

// Config is what a console is made of.
type Config struct {
	Service *registry.Service
	Auth    Auth
	Logger  *slog.Logger // slog.DiscardHandler when nil

	// Node is this node's name, shown in the top bar.
	Node string
	// Members tells the cluster's members as this node sees them; nil shows none. It must not block.
	Members func() []Member
	// Server tells about this process and its stores; nil shows only the mounts. It may ask the stores, within the context.
	Server func(ctx context.Context) ServerInfo

	// PublicHTTP and PublicHTTPS are the base URLs of the load balancer ("https://registry.example:8243"), for permalinks. "" shows none.
	PublicHTTP, PublicHTTPS string
	// SelfHTTPS is the base URL of this node alone ("https://127.0.0.1:9446"), past the load balancer; "" when there is none.
	SelfHTTPS string
	// Private are the mount points of stores that this node keeps for itself: other nodes have something else there. Pages about them say so, and
	// offer no change to a browser that came by another address than SelfHTTPS, whose next request may reach another node.
	Private []registry.Path

	Now func() time.Time // time.Now when nil
}

type console struct {
	Config
	selfHost string // of SelfHTTPS, as requests name it
	pages    map[string]*template.Template
	assets   *assets
}

// action is one page action, on behalf of a user who signed in. What it returns becomes an error page; it has written nothing then.
type action func(w http.ResponseWriter, r *http.Request, a registry.Actor) error

// New makes the console. It serves /console/ and redirects / and /carbon/ there. Safe for concurrent use.
// It fails when a template does not parse, the configuration lacks the service or the authenticator, or SelfHTTPS is no https address.
func New(cfg Config) (http.Handler, error) {
	if cfg.Service == nil || cfg.Auth == nil {
		return nil, errors.New("console: Config needs Service and Auth")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Members == nil {
		cfg.Members = func() []Member { return nil }
	}
	if cfg.Server == nil {
		cfg.Server = func(context.Context) ServerInfo { return ServerInfo{Node: cfg.Node} }
	}
	cfg.PublicHTTP, cfg.PublicHTTPS = strings.TrimSuffix(cfg.PublicHTTP, "/"), strings.TrimSuffix(cfg.PublicHTTPS, "/")
	cfg.SelfHTTPS = strings.TrimSuffix(cfg.SelfHTTPS, "/")
	c := &console{Config: cfg}
	var err error
	if c.selfHost, err = hostOf(cfg.SelfHTTPS); err != nil {
		return nil, err
	}
	if c.assets, err = newAssets(); err != nil {
		return nil, err
	}
	if c.pages, err = c.parsePages(); err != nil {
		return nil, err
	}
	return c.guard(c.routes()), nil
}

// routes is the whole URL map.
func (c *console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, h) }
	page := func(pattern string, do action) { mux.Handle(pattern, c.signedIn(do)) }

	open("GET /{$}", c.toConsole)
	open("GET /carbon", c.toConsole)
	open("GET /carbon/{page...}", c.fromCarbon)
	open("GET /console", c.toConsole)
	open("GET /console/{$}", c.home)
	open("GET "+staticPrefix+"{hash}/{file}", c.assets.serve)
	open("GET /console/sign-in", c.signInForm)
	open("POST /console/sign-in", c.signIn)
	open("POST /console/sign-out", c.signOut)
	open("POST /console/theme", c.setTheme)

	page("GET /console/go", c.jump)
	page("GET /console/browse/{path...}", c.browse)
	page("GET /console/resource/{path...}", c.resource)
	page("GET /console/download/{path...}", c.download)
	page("GET /console/details/{path...}", c.details)
	page("GET /console/describe/{path...}", c.describeForm)
	page("POST /console/describe/{path...}", c.describe)
	page("GET /console/properties/{path...}", c.properties)
	page("GET /console/property/{path...}", c.propertyForm)
	page("POST /console/property/{path...}", c.property)
	page("POST /console/remove-property/{path...}", c.removeProperty)
	page("GET /console/versions/{path...}", c.versions)
	page("POST /console/label/{path...}", c.label)
	page("GET /console/diff/{path...}", c.diff)
	page("GET /console/restore/{path...}", c.restoreForm)
	page("POST /console/restore/{path...}", c.restore)
	page("GET /console/edit/{path...}", c.editForm)
	page("POST /console/edit/{path...}", c.edit)
	page("GET /console/upload/{path...}", c.uploadForm)
	page("POST /console/upload/{path...}", c.upload)
	page("GET /console/new-collection/{path...}", c.newCollectionForm)
	page("POST /console/new-collection/{path...}", c.newCollection)
	page("GET /console/new-text/{path...}", c.newTextForm)
	page("POST /console/new-text/{path...}", c.newText)
	page("GET /console/delete/{path...}", c.deleteForm)
	page("POST /console/delete/{path...}", c.delete)
	page("GET /console/community/{path...}", c.community)
	page("POST /console/tag/{path...}", c.addTags)
	page("POST /console/untag/{path...}", c.removeTag)
	page("POST /console/rate/{path...}", c.rate)
	page("POST /console/comment/{path...}", c.addComment)
	page("GET /console/edit-comment/{path...}", c.editCommentForm)
	page("POST /console/edit-comment/{path...}", c.editComment)
	page("POST /console/delete-comment/{path...}", c.deleteComment)
	page("GET /console/associations/{path...}", c.associations)
	page("POST /console/associate/{path...}", c.associate)
	page("POST /console/dissociate/{path...}", c.dissociate)
	page("GET /console/dependencies/{path...}", c.dependencies)
	page("GET /console/impact/{path...}", c.impact)
	page("GET /console/tags", c.tagCloud)
	page("GET /console/tagged", c.tagged)
	page("GET /console/search", c.search)
	page("POST /console/save-search", c.saveSearch)
	page("POST /console/forget-search", c.forgetSearch)
	page("GET /console/move/{path...}", c.moveForm)
	page("POST /console/move/{path...}", c.move)
	page("GET /console/new-link/{path...}", c.newLinkForm)
	page("POST /console/new-link/{path...}", c.newLink)
	page("GET /console/trash/{path...}", c.trash)
	page("POST /console/undelete/{path...}", c.undelete)
	page("POST /console/purge/{path...}", c.purge)
	page("GET /console/activity/{path...}", c.activity)
	page("GET /console/activity-csv/{path...}", c.activityCSV)
	page("GET /console/permissions/{path...}", c.permissions)
	page("POST /console/permissions/{path...}", c.setPermissions)
	page("GET /console/users", c.users)
	page("POST /console/users", c.newUser)
	page("GET /console/user", c.user)
	page("POST /console/user", c.changeUser)
	page("GET /console/roles", c.roles)
	page("POST /console/roles", c.changeRole)
	page("GET /console/account", c.account)
	page("POST /console/account/profile", c.setProfile)
	page("POST /console/account/password", c.setPassword)
	page("POST /console/account/token", c.makeToken)
	page("POST /console/account/revoke-token", c.revokeToken)
	page("POST /console/account/end-session", c.endSession)
	page("GET /console/cluster", c.cluster)
	page("GET /console/server", c.server)
	return mux
}

// signedIn runs a page action for the user whose session the request carries, and asks others to sign in.
func (c *console) signedIn(do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, err := c.Auth.Authenticate(r)
		if registry.CodeOf(err) == registry.CodeUnauthenticated || err == nil && a.User == "" {
			c.askToSignIn(w, r)
			return
		}
		a.RequestID = requestID(r)
		if err == nil {
			r = withActor(r, a)
			err = c.admit(r, a)
		}
		if err == nil {
			err = do(w, r, a)
		}
		if err != nil {
			c.fail(w, r, a, err)
		}
	})
}

// requestID is the id under which the node's log has the request; a middleware before every door made it.
func requestID(r *http.Request) string { return r.Header.Get("X-Request-Id") }
