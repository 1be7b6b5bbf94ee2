package elbd

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// terminal is the commands that show in a terminal what the admin page shows.
type terminal struct {
	admin string // address; "" = that of the configuration
	json  bool
}

const (
	askLimit  = 5 * time.Second
	mostBytes = 64 << 20 // of an answer
)

func (t *terminal) adminFlag(f *flag.FlagSet) {
	f.StringVar(&t.admin, "admin", "", "the address of the admin listener; that of the configuration when not given")
}

func (t *terminal) flags(f *flag.FlagSet) {
	t.adminFlag(f)
	f.BoolVar(&t.json, "json", false, "print JSON")
}

// status prints the header, the pools and who does not serve.
func (t *terminal) status(ctx context.Context, in daemon.Invocation) error {
	raw, s, err := t.ask(ctx, in)
	if err != nil {
		return err
	}
	if t.json {
		_, err := in.Stdout.Write(raw)
		return err
	}
	return s.print(in.Stdout)
}

// members prints one line for each member.
func (t *terminal) members(ctx context.Context, in daemon.Invocation) error {
	_, s, err := t.ask(ctx, in)
	if err != nil {
		return err
	}
	if t.json {
		list := []lb.MemberStatus{}
		for _, p := range s.Pools {
			list = slices.Concat(list, p.Members, p.Lost)
		}
		enc := json.NewEncoder(in.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string][]lb.MemberStatus{"members": append(list, s.Strays...)})
	}
	return s.printMembers(in.Stdout)
}

// ask gets /status of the ELB: as it came, and read.
func (t *terminal) ask(ctx context.Context, in daemon.Invocation) ([]byte, *status, error) {
	addr, err := t.address(in)
	if err != nil {
		return nil, nil, err
	}
	var s status
	raw, err := fetch(ctx, addr, url.URL{Path: "/status"}, askLimit, &s)
	if err != nil {
		return nil, nil, err
	}
	if s.Pools == nil {
		return nil, nil, fmt.Errorf("%s is not the admin listener of an elb: its /status names no pools", addr)
	}
	return raw, &s, nil
}

// fetch asks an admin listener, whose answer is read into v and returned as it came. Only path and query of where count.
func fetch(ctx context.Context, addr string, where url.URL, limit time.Duration, v any) (raw []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	where.Scheme, where.Host = "http", addr
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%q is no address of an admin listener; write host:port", addr)
	}
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy of the environment: this is a local affair
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("nothing listens at %s: is elb running, and is that its admin address? Another one is given with -admin", addr)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s does not answer within %s", addr, limit)
	case err != nil:
		return nil, fmt.Errorf("%s cannot be asked: %w", addr, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if raw, err = io.ReadAll(io.LimitReader(res.Body, mostBytes)); err != nil {
		return nil, fmt.Errorf("the answer of %s broke off: %w", addr, err)
	}
	if res.StatusCode != http.StatusOK || json.Unmarshal(raw, v) != nil {
		return nil, fmt.Errorf("%s is not the admin listener of an elb: GET %s gave %s", addr, where.Path, res.Status)
	}
	return raw, nil
}

// address is where to ask: -admin, or the admin address of the configuration as one that can be connected to.
func (t *terminal) address(in daemon.Invocation) (string, error) {
	if t.admin != "" {
		return t.admin, nil
	}
	c := Default()
	if in.File != "" {
		var err error
		if c, _, err = LoadConfig(in.File, in.Environ); err != nil {
			return "", err
		}
	} else {
		for _, e := range in.Environ {
			if value, ok := strings.CutPrefix(e, EnvPrefix+"_ADMIN="); ok && value != "" {
				c.Admin = value
			}
		}
	}
	host, port, err := net.SplitHostPort(c.Admin)
	if err != nil || port == "0" {
		return "", fmt.Errorf("admin is %s, which names no port to ask; give the address that elb logged with -admin", c.Admin)
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}

// printable replaces what a terminal would act upon: names come from the network.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// table lines up cells; what stands in them cannot break the lines.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer) table { return table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)} }

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = printable(cell)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (s *status) print(out io.Writer) error {
	head := fmt.Sprintf("%s  elb %s  %s  up %s  configuration %s", s.Node, s.Version, s.State, formatSpan(s.Now.Sub(s.StartedAt)), orDash(s.ConfigFile))
	fmt.Fprintln(out, printable(head))
	for _, fault := range s.Config.Faults {
		fmt.Fprintln(out, printable("NOT RELOADED: "+fault))
	}
	for _, p := range s.Balancers {
		if !p.Self {
			line := fmt.Sprintf("other ELB: %s %s (%s)  elb %s  up %s", p.Name, p.State, p.Host, orDash(p.Version), formatSpan(s.Now.Sub(p.StartedAt)))
			if p.Config == epochOther {
				line += fmt.Sprintf("  OTHER CONFIGURATION: shared epoch %s, here %s", p.Epoch, s.Config.SharedEpoch)
			}
			fmt.Fprintln(out, printable(line))
		}
	}
	if s.Isolated {
		fmt.Fprintln(out, "ISOLATED: nobody is in sight by gossip, though somebody ought to be")
	}
	for _, g := range s.Groups {
		if g.Isolated {
			fmt.Fprintln(out, printable(fmt.Sprintf("group %s: nobody in sight for %s", g.Domain, formatSpan(s.Now.Sub(g.Since)))))
		}
	}
	fmt.Fprintln(out)
	t := newTable(out)
	t.row("DOMAIN", "SUB-DOMAIN", "UP", "REQ/S", "P50", "P99", "ERRORS", "BALANCER", "HOSTS")
	for _, p := range s.Pools {
		t.row(p.Domain, orDash(p.SubDomain), fmt.Sprintf("%d/%d", p.Usable, len(p.Members)), formatRate(p.Traffic.PerSecond), formatMillis(p.Traffic.P50),
			formatMillis(p.Traffic.P99), formatShare(p.Traffic.ErrorShare), p.Balancer, strings.Join(p.Hosts, ","))
	}
	if err := t.w.Flush(); err != nil {
		return err
	}
	troubles := s.troubles()
	if len(troubles) == 0 {
		return nil
	}
	fmt.Fprintln(out)
	t = newTable(out)
	t.row("NOT IN USE", "MEMBER", "DOMAIN", "FOR", "WHY")
	for _, m := range troubles {
		t.row(string(m.Condition), m.Name, m.Domain, formatAgo(s.Now, m.ConditionSince), m.Why)
	}
	return t.w.Flush()
}

func (s *status) printMembers(out io.Writer) error {
	t := newTable(out)
	t.row("DOMAIN", "SUB-DOMAIN", "MEMBER", "STATE", "FOR", "HOST", "WEIGHT", "IN-FLIGHT", "REQ/S", "P50", "P99", "ERRORS", "EJECTIONS", "LAST CHECK", "OTHER ELBS", "ID", "WHY")
	line := func(m lb.MemberStatus) {
		check := "–"
		if m.LastCheck != nil {
			check = fmt.Sprintf("%s %s", m.LastCheck.Result, formatMillis(m.LastCheck.Seconds))
		}
		t.row(m.Domain, orDash(m.SubDomain), m.Name, string(m.Condition), formatAgo(s.Now, m.ConditionSince), m.Host, fmt.Sprintf("%.3g", m.Weight),
			inFlight(&m), formatRate(m.Traffic.PerSecond), formatMillis(m.Traffic.P50), formatMillis(m.Traffic.P99),
			formatShare(m.Traffic.ErrorShare), strconv.Itoa(m.Ejections), check, s.elsewhere(&m), m.ID, m.Why)
	}
	for _, p := range s.Pools {
		for _, m := range slices.Concat(p.Members, p.Lost) {
			line(m)
		}
	}
	for _, m := range s.Strays {
		line(m)
	}
	return t.w.Flush()
}

// inFlight is what runs on a member, and what may if that is limited.
func inFlight(m *lb.MemberStatus) string {
	if m.MaxInFlight > 0 {
		return fmt.Sprintf("%d/%d", m.InFlight, m.MaxInFlight)
	}
	return strconv.FormatInt(m.InFlight, 10)
}

// elsewhere tells what other ELBs make of a member.
func (s *status) elsewhere(m *lb.MemberStatus) string {
	words := make([]string, len(m.Verdicts))
	for i, v := range m.Verdicts {
		words[i] = fmt.Sprintf("%s %s", v.ELB, v.Condition)
		if v.Condition != lb.ConditionUp {
			words[i] += " " + formatAgo(s.Now, v.Since)
		}
	}
	return orDash(strings.Join(words, ", "))
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
