package elbd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// serveRoute explains where a request would go: /route?host=…&path=…&cookie=…, to browsers as a page, to programs as JSON.
func (b *balancer) serveRoute(page *statusPage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		question := lb.RouteQuestion{Host: q.Get("host"), Path: cmp.Or(q.Get("path"), "/"), Cookie: q.Get("cookie")}
		w.Header().Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			daemon.WriteJSON(w, b.proxy.Explain(question))
			return
		}
		data := routeData{Node: b.config.NodeName, Version: daemon.Version(), Question: question}
		if question.Host != "" {
			answer := b.proxy.Explain(question)
			data.Answer = &answer
		}
		page.serveRoute(w, data)
	})
}

// routeTest prints where a request goes: as a running ELB says, or by a configuration file, where members that announce themselves are not known.
func (t *terminal) routeTest(ctx context.Context, in daemon.Invocation) error {
	q := lb.RouteQuestion{Host: in.Args[0], Path: in.Args[1]}
	if len(in.Args) > 2 {
		q.Cookie = in.Args[2]
	}
	if !strings.HasPrefix(q.Path, "/") {
		return fmt.Errorf("the path %q does not begin with a slash", q.Path)
	}
	var answer lb.RouteAnswer
	var err error
	switch {
	case t.admin != "" && in.File != "":
		return errors.New("-admin asks a running elb, -config a file: give one of them")
	case in.File != "":
		answer, err = explainFile(in, q)
	default:
		answer, err = t.explainRunning(ctx, in, q)
	}
	if err != nil {
		return err
	}
	printRoute(in.Stdout, &answer, in.File != "")
	return nil
}

// explainFile explains by a file alone.
func explainFile(in daemon.Invocation, q lb.RouteQuestion) (lb.RouteAnswer, error) {
	c, doc, err := LoadConfig(in.File, in.Environ)
	if err != nil {
		return lb.RouteAnswer{}, err
	}
	specs, faults := c.pools(doc)
	for i := range specs {
		specs[i].Health = lb.HealthSpec{} // nobody checks the members: they count as well
	}
	routes, err := lb.NewRoutes(specs)
	if err = errors.Join(append(faults, err)...); err != nil {
		return lb.RouteAnswer{}, err
	}
	source, err := c.Tenants.open(nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return lb.RouteAnswer{}, err
	}
	source.start()
	defer source.stop()
	proxy, err := lb.New(lb.Config{Routes: source.apply(routes)})
	if err != nil {
		return lb.RouteAnswer{}, err
	}
	defer proxy.Close()
	return proxy.Explain(q), nil
}

// routeTestTimeout bounds the answer of a running ELB, which may have to ask for a tenant.
const routeTestTimeout = maxTenantTimeout + 5*time.Second

// explainRunning asks the admin listener of an ELB.
func (t *terminal) explainRunning(ctx context.Context, in daemon.Invocation, q lb.RouteQuestion) (answer lb.RouteAnswer, err error) {
	addr, err := t.address(in)
	if err != nil {
		return lb.RouteAnswer{}, err
	}
	values := url.Values{"host": {q.Host}, "path": {q.Path}}
	if q.Cookie != "" {
		values.Set("cookie", q.Cookie)
	}
	if _, err := fetch(ctx, addr, url.URL{Path: "/route", RawQuery: values.Encode()}, routeTestTimeout, &answer); err != nil {
		return lb.RouteAnswer{}, fmt.Errorf("%w; or name a configuration file with -config", err)
	}
	return answer, nil
}

// printRoute writes an explanation for people: a line for each step.
func printRoute(w io.Writer, a *lb.RouteAnswer, fileOnly bool) {
	t := newTable(w)
	line := func(name, value string) {
		if value != "" {
			t.row(name, value)
		}
	}
	line("host", a.Host)
	if a.Pattern != "" {
		line("matches", a.Pattern+" ("+a.Match+")")
	}
	line("path", a.Path)
	if a.Tenant != nil {
		line("tenant", tenantLine(a.Tenant))
		line("source", a.Tenant.From)
		line("source error", a.Tenant.Error)
	}
	if a.Domain != "" {
		line("service", a.Service)
		line("domain", a.Domain)
		line("sub-domain", cmp.Or(a.SubDomain, "none"))
		line("tenant range", a.TenantRange)
		line("balancer", a.Balancer)
		line("affinity", a.Affinity)
		line("choice", a.Choice)
	}
	for _, m := range a.Members {
		line(map[bool]string{false: "member", true: "member *"}[m.Next], memberLine(&m))
	}
	if a.Status != 0 {
		line("refused", fmt.Sprintf("%d: %s", a.Status, a.Detail))
	}
	_ = t.w.Flush() // as with all that is printed
	if fileOnly && a.Domain != "" {
		fmt.Fprintln(w, "By the file alone: members that announce themselves are not known. Ask a running elb with -admin.")
	}
}

func memberLine(m *lb.RouteMember) string {
	text := fmt.Sprintf("%s at %s: %s, rank %s, weight %.4g", m.Name, m.Address, m.Standing, m.Rank, m.Weight)
	if m.Reason != "" {
		text += ": " + m.Reason
	}
	return text
}

func tenantLine(t *lb.RouteTenant) string {
	switch {
	case t.State == "ambiguous":
		return "depends on who reads the path"
	case t.Domain == "":
		return "none named"
	case t.ID != nil:
		return fmt.Sprintf("%s, id %d", t.Domain, *t.ID)
	case t.State == "failed":
		return t.Domain + ", could not be looked up: counts as unknown"
	}
	return t.Domain + ", unknown"
}
