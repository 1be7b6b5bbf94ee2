package arch_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rule says what some packages must not reach. Packages of the standard library count when they are imported directly (half of it reaches
// "os" by some way); ours and those of other modules count however they are reached.
type rule struct {
	who    []string // packages below the module's path; "x/..." is x and all below
	except []string // packages that who names and the rule spares
	never  []string // import paths, the module's own written without its path; "x/..." is x and all below; "modules" is every other module
	spare  []string // what never names and the rule allows
	why    string
}

var rules = []rule{
	{
		who:   []string{"pkg/registry"},
		never: []string{"net/...", "database/sql/...", "os/...", "log/...", "syscall", "time/tzdata", "modules", "pkg/...", "internal/..."},
		spare: []string{
			"golang.org/x/text/unicode/norm", "golang.org/x/text/transform", "github.com/aymanbagabas/go-udiff/...", "pkg/registry",
		},
		why: "the domain is pure: it is tested without a database or network; norm (names are NFC) and udiff are pure functions over strings",
	},
	{
		who:    []string{"pkg/..."},
		except: []string{"pkg/registry/registrytest"}, // starts a private database
		never:  []string{"internal/...", "cmd/..."},
		why:    "pkg is usable without our daemons; what both need lies in pkg or comes through a Config",
	},
	{
		who:   []string{"pkg/membership/..."},
		never: []string{"pkg/lb/...", "pkg/registry/..."},
		why:   "membership knows neither of the programs that gossip",
	},
	{
		who:   []string{"pkg/lb/...", "internal/elbd/...", "cmd/elb"},
		never: []string{"pkg/registry/...", "internal/registryd/...", "migrations"},
		why:   "the load balancer serves any application; it knows nothing of the registry",
	},
	{
		who:   []string{"pkg/lb/h1"},
		never: []string{"net/...", "os/...", "io/...", "log/...", "sync/...", "time/...", "syscall", "modules", "pkg/...", "internal/..."},
		spare: []string{"pkg/lb/h1"},
		why:   "the codec is pure functions over bytes: that is how it can be fuzzed and trusted",
	},
	{
		who:   []string{"internal/elbd/wso2conf"},
		never: []string{"net/...", "os/...", "log/...", "sync/...", "time/...", "syscall", "modules", "pkg/...", "internal/..."},
		spare: []string{"internal/elbd/wso2conf", "golang.org/x/text/encoding/...", "golang.org/x/text/internal/...", "golang.org/x/text/transform"},
		why:   "readers of foreign files are pure functions over bytes: that is how they can be fuzzed and trusted; encoding is tables of characters",
	},
	{
		who:   []string{"pkg/lb/h2"},
		never: []string{"net/...", "os/...", "io/...", "log/...", "sync/...", "time/...", "syscall", "modules", "pkg/...", "internal/..."},
		spare: []string{"pkg/lb/h2", "golang.org/x/net/http2/hpack"},
		why:   "the codec is functions over bytes, and the state of HPACK: that is how it can be fuzzed and trusted",
	},
	{
		who:   []string{"pkg/lb/wire", "pkg/lb/accesslog"},
		never: []string{"net/http/...", "pkg/membership/...", "pkg/lb", "pkg/lb/h1", "pkg/lb/h2"},
		why:   "sockets and the log of requests know nothing of HTTP and of where requests go",
	},
	{
		who: []string{"pkg/lb/...", "pkg/membership/...", "internal/elbd/...", "cmd/elb"},
		never: []string{
			"database/sql/...", "github.com/jmoiron/sqlx/...", "github.com/go-sql-driver/mysql/...", "modernc.org/sqlite/...",
			"github.com/pressly/goose/...",
		},
		why: "elb links no SQL: it is small, starts fast and has no database to wait for",
	},
	{
		who:   []string{"pkg/registry/sqlstore/..."},
		never: []string{"pkg/registry/httpapi/...", "pkg/registry/console/...", "pkg/registry/auth/...", "pkg/membership/...", "net/http/..."},
		why:   "a store implements the domain's ports and knows no door",
	},
	{
		who: []string{"pkg/registry/httpapi/..."},
		never: []string{
			"pkg/registry/console/...", "pkg/registry/sqlstore/...", "pkg/membership/...", "pkg/lb/...", "database/sql/...", "migrations",
		},
		why: "doors call the Service and nothing else; one door is no part of another",
	},
	{
		who: []string{"pkg/registry/console/..."},
		never: []string{
			"pkg/registry/httpapi/...", "pkg/registry/sqlstore/...", "pkg/membership/...", "pkg/lb/...", "database/sql/...", "migrations",
		},
		why: "doors call the Service and nothing else; one door is no part of another",
	},
	{
		who:   []string{"pkg/registry/console/document"},
		never: []string{"net/...", "os/...", "log/...", "sync/...", "time/...", "syscall", "modules", "pkg/...", "internal/..."},
		spare: []string{"pkg/registry/console/document", "go.yaml.in/yaml/v4/...", "net/url"},
		why:   "readers of documents are functions over bytes: none follows a reference to a file or a host, and they can be fuzzed and trusted",
	},
	{
		who:   []string{"pkg/registry/auth/..."},
		never: []string{"pkg/registry/sqlstore/...", "pkg/registry/client/...", "pkg/registry/httpapi/...", "pkg/registry/console/..."},
		why:   "auth asks its Accounts port who somebody is; doors stand above it",
	},
	{
		who:   []string{"pkg/registry/client/..."},
		never: []string{"pkg/...", "internal/...", "migrations", "database/sql/...", "modules"},
		spare: []string{"pkg/registry/client"},
		why:   "a client reaches the registry through its API alone, and the programs that use it link nothing but the standard library",
	},
	{
		who: []string{"internal/registrycli/...", "internal/registrybench/..."},
		never: []string{
			"pkg/registry", "pkg/registry/sqlstore/...", "pkg/registry/auth/...", "pkg/registry/httpapi/...", "pkg/registry/console/...", "pkg/membership/...",
			"pkg/lb/...", "internal/registryd/...", "internal/elbd/...", "database/sql/...", "migrations",
		},
		why: "the verbs are a client like any other: what they can do, every program can",
	},
	{
		who:   []string{"pkg/registry/cluster/..."},
		never: []string{"pkg/registry/sqlstore/...", "pkg/registry/httpapi/...", "pkg/registry/console/..."},
		why:   "it turns events into gossip and back; the database stays the truth and is not its business",
	},
	{
		who:   []string{"internal/daemon/..."},
		never: []string{"pkg/...", "internal/...", "migrations"},
		spare: []string{"internal/daemon"},
		why:   "what every daemon needs knows no daemon",
	},
	{
		who:   []string{"internal/registryd/...", "cmd/registry"},
		never: []string{"internal/elbd/...", "pkg/lb/..."},
		why:   "a node works without a load balancer in front of it",
	},
	{
		who:    []string{"..."},
		except: []string{"pkg/membership", "pkg/membership/membershiptest"},
		never:  []string{"direct github.com/hashicorp/memberlist/..."},
		why:    "memberlist has one importer, so that it can be replaced",
	},
	{
		who:    []string{"..."},
		except: []string{"pkg/registry/sqlstore", "pkg/registry/registrytest", "migrations", "internal/mariadb"},
		never: []string{
			"direct github.com/jmoiron/sqlx/...", "direct github.com/go-sql-driver/mysql/...", "direct modernc.org/sqlite/...",
			"direct github.com/pressly/goose/...",
		},
		why: "SQL lives in sqlstore",
	},
	{
		who: []string{"..."},
		except: []string{
			"pkg/registry/registrytest", "pkg/registry/sqlstore/sqlstoretest", "pkg/membership/membershiptest", "internal/e2e", "internal/localcluster", "internal/bench",
			"internal/mariadb",
		},
		never: []string{
			"pkg/registry/registrytest", "pkg/registry/sqlstore/sqlstoretest", "pkg/membership/membershiptest", "internal/e2e/...", "internal/drill", "internal/mariadb",
			"internal/freeport", "internal/child", "testing/...",
		},
		why: "what serves tests and developers is not linked into the products",
	},
}

func TestImports(t *testing.T) {
	all := load(t)
	for _, r := range rules {
		for _, p := range all.ours {
			if !matchAny(r.who, p.name) || matchAny(r.except, p.name) || isToolItself(p.name, r) {
				continue
			}
			for _, found := range all.violations(p, r) {
				t.Errorf("%s reaches %s\n\treason of the rule: %s", p.name, found, r.why)
			}
		}
	}
}

// isToolItself spares a package of the rule that names it: internal/child may be internal/child.
func isToolItself(name string, r rule) bool { return slices.Contains(r.never, name) }

// TestImports_RulesSeeWhatTheyForbid plants one violation for each kind of pattern: a rule that matches nothing would pass for ever.
func TestImports_RulesSeeWhatTheyForbid(t *testing.T) {
	all := &world{packages: map[string]*pkg{}}
	add := func(path string, standard bool, deps ...string) *pkg {
		p := &pkg{ImportPath: path, Standard: standard, Imports: deps[:min(1, len(deps))], Deps: deps, name: strings.TrimPrefix(path, module+"/")}
		all.packages[path] = p
		return p
	}
	add("os", true)
	add("example.org/m/x", false, "os")
	add(module+"/pkg/a/b", false, "example.org/m/x")
	p := add(module+"/pkg/c", false, module+"/pkg/a/b", "example.org/m/x", "os")
	cases := []struct {
		never, spare string
		want         bool
	}{
		{"pkg/a/...", "", true},
		{"pkg/a", "", false},
		{"pkg/a/b", "", true},
		{"pkg/a/...", "pkg/a/b", false},
		{"example.org/m/...", "", true},
		{"direct example.org/m/...", "", false},
		{"modules", "", true},
		{"modules", "example.org/m/x", false},
		{"os", "", false}, // of the standard library, only direct imports count
	}
	for _, c := range cases {
		if got := all.violations(p, rule{never: []string{c.never}, spare: []string{c.spare}}); (len(got) > 0) != c.want {
			t.Errorf("never %q, spare %q: found %v, want some: %t", c.never, c.spare, got, c.want)
		}
	}
}

// violations lists what p reaches against the rule, each with how it is reached where that is not by itself.
func (w *world) violations(p *pkg, r rule) []string {
	var found []string
	for _, dep := range p.Deps {
		name := strings.TrimPrefix(dep, module+"/")
		d := w.packages[dep]
		direct := slices.Contains(p.Imports, dep)
		if d == nil || matchAny(r.spare, name) || (d.Standard && !direct) {
			continue
		}
		for _, pattern := range r.never {
			bare, directOnly := strings.CutPrefix(pattern, "direct ")
			foreign := bare == "modules" && !d.Standard && !strings.HasPrefix(dep, module+"/")
			if (foreign || match(bare, name)) && (direct || !directOnly) {
				found = append(found, name+w.through(p, dep, direct))
				break
			}
		}
	}
	return found
}

// through names one direct import of p by which dep is reached.
func (w *world) through(p *pkg, dep string, direct bool) string {
	if direct {
		return ""
	}
	for _, i := range p.Imports {
		if via := w.packages[i]; via != nil && slices.Contains(via.Deps, dep) {
			return fmt.Sprintf(" (through %s)", strings.TrimPrefix(i, module+"/"))
		}
	}
	return ""
}

func matchAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, name) })
}

func match(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == base || strings.HasPrefix(name, base+"/")
	}
	return name == pattern
}
