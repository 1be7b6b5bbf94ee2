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
	"github.com/regent-registry/regent/pkg/registry/console/texts"
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
	// Order makes a member do something, and returns when it has: [registry.CodeConflict] when that would leave its pool without an active member,
	// [registry.CodeNotFound] when it is not in sight, [registry.CodeUnavailable] when it does not answer. nil: none can be given.
	Order func(ctx context.Context, o MemberOrder) error
	// Server tells about this process and its stores; nil shows only the mounts. It may ask the stores, within the context.
	Server func(ctx context.Context) ServerInfo

	// RunJob makes a job of this node run at once, in the background; nil: none can be.
	RunJob func(name string) error
	// Journal is the log of this process; nil: there is nothing to show.
	Journal Journal
	// Samples are what this process counted in the last hour, the oldest first; nil: there is nothing to show. They must not be changed.
	Samples func() []Sample
	// MetricsURL is where this process tells all its metrics; "" is not shown.
	MetricsURL string

	// PublicHTTP and PublicHTTPS are the base URLs of the load balancer ("https://registry.example:8243"), for permalinks. "" shows none.
	PublicHTTP, PublicHTTPS string
	// SelfHTTPS is the base URL of this node alone ("https://127.0.0.1:9446"), past the load balancer; "" when there is none.
	SelfHTTPS string
	// Private are the mount points of stores that this node keeps for itself: other nodes have something else there. Pages about them say so, and
	// offer no change to a browser that came by another address than SelfHTTPS, whose next request may reach another node.
	Private []registry.Path

	// FetchHosts are the hosts from which users may have files fetched: "example.org", "example.org:8443" or "*.example.org"; addresses that are not public
	// only when they are named themselves, "10.1.2.3" or "10.0.0.0/8". None: nothing is fetched.
	FetchHosts   []string
	FetchTimeout time.Duration // of one file; 30 s when 0

	// Texts are what the console says, in a language; nil is English.
	Texts *texts.Catalogue

	Heartbeat time.Duration    // how often a stream with nothing to tell says so; 15 s when 0
	Now       func() time.Time // time.Now when nil
}

type console struct {
	Config
	selfHost string // of SelfHTTPS, as requests name it
	pages    map[string]*template.Template
	assets   *assets
	fetcher  *fetcher // nil: nothing is fetched
}

// action is one page action, on behalf of a user who signed in. What it returns becomes an error page; it has written nothing then.
type action func(w http.ResponseWriter, r *http.Request, a registry.Actor) error

// New makes the console. It serves /console/ and redirects / and /carbon/ there. Safe for concurrent use.
// It fails when a template does not parse, the configuration lacks the service or the authenticator, SelfHTTPS is no https address, or FetchHosts has
// what is no host.
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
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = defaultHeartbeat
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
	if c.fetcher, err = newFetcher(cfg.FetchHosts, cfg.FetchTimeout); err != nil {
		return nil, err
	}
	if c.assets, err = newAssets(c.Texts); err != nil {
		return nil, err
	}
	if c.pages, err = c.parsePages(); err != nil {
		return nil, err
	}
	return c.guard(c.routes()), nil
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
