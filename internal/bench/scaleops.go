package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// scaleOp is an operation that is measured in the small and in the large store.
type scaleOp struct {
	name, title string
	most        int // how often it is done at most in one window; 0: as often as there is time for
	do          func(ctx context.Context, s *scaleStore, r *rand.Rand) (string, error)
}

// hot is how many resources are read again and again where memory has them.
const hot = 1000

func scaleOps() []scaleOp {
	get := func(svc func(*scaleStore) *registry.Service, among func(*scaleStore) int) func(context.Context, *scaleStore, *rand.Rand) (string, error) {
		return func(ctx context.Context, s *scaleStore, r *rand.Rand) (string, error) {
			p := s.corpus.path(r.IntN(among(s)) * (s.n / among(s)))
			_, _, content, err := svc(s).Open(ctx, s.joe, p, 0, registry.Freshness{})
			if err != nil {
				return "", err
			}
			return "", content.Close()
		}
	}
	warm := func(s *scaleStore) *registry.Service { return s.svc }
	cold := func(s *scaleStore) *registry.Service { return s.bareSvc }
	few := func(*scaleStore) int { return hot }
	all := func(s *scaleStore) int { return s.n }
	ops := []scaleOp{
		{name: "put", title: "put a new version of 250 bytes, one client", most: 100, do: putScale},
		{name: "get-warm", title: "get one of 1,000 that memory has", do: get(warm, few)},
		{name: "get-cold", title: "get, without what memory has", do: get(cold, all)},
		{name: "list-first", title: "list 100 of the wide collection, first page", do: listScale(0)},
		{name: "list-deep", title: "list 100 of the wide collection, from the middle", do: listScale(0.5)},
		{name: "may-warm", title: "permission check, of 1,000 that memory has", do: mayScale(warm, few)},
		{name: "may-cold", title: "permission check, without what memory has", do: mayScale(cold, all)},
	}
	for _, q := range []struct{ name, query string }{
		{"rare", "needle"},
		{"common", "everywhere"},
		{"two", "%[1]s %[2]s"},
		{"phrase", `"everywhere number77"`},
		{"kind", "kind:resource"},
		{"type", "type:json"},
		{"tag", "tag:blue"},
		{"path", "path:/top/g01 kind:resource"},
		{"path-deep", "path:/top/g01/c00001 everywhere"},
		{"path-wide", "path:/top/wide everywhere"},
		{"prefix", "bab*"},
		{"prefix-all", "number*"},
		{"range", "prop.load:900..909"},
		{"range-word", "everywhere prop.load:>=500"},
		{"date", "updated:>2020-01-01"},
		{"none", "everywhere -everywhere"},
	} {
		title := "search " + q.query
		if q.name == "two" {
			title = "search two words that a few per cent have"
		}
		ops = append(ops, scaleOp{name: q.name, title: title, do: searchScale(q.query)})
	}
	return ops
}

func mayScale(svc func(*scaleStore) *registry.Service, among func(*scaleStore) int) func(context.Context, *scaleStore, *rand.Rand) (string, error) {
	return func(ctx context.Context, s *scaleStore, r *rand.Rand) (string, error) {
		p := s.corpus.path(r.IntN(among(s)) * (s.n / among(s)))
		err := svc(s).Authorize(ctx, s.joe, registry.RightWrite, p)
		if registry.CodeOf(err) == registry.CodeDenied {
			err = nil
		}
		return "", err
	}
}

func putScale(ctx context.Context, s *scaleStore, r *rand.Rand) (string, error) {
	i := r.IntN(s.n)
	s.puts++
	_, err := s.svc.Put(ctx, registry.Actor{User: "admin", Roles: []registry.ID{registry.RoleAdmin}}, registry.PutInput{
		Path: s.corpus.path(i), Body: strings.NewReader(s.corpus.text(i, s.puts)), MediaType: scaleTypes[i%len(scaleTypes)],
	})
	return "", err
}

func listScale(part float64) func(context.Context, *scaleStore, *rand.Rand) (string, error) {
	return func(ctx context.Context, s *scaleStore, _ *rand.Rand) (string, error) {
		after := ""
		if part > 0 { // as pages have it
			after = base64.RawURLEncoding.EncodeToString([]byte(s.corpus.path(int(part * float64(s.corpus.wide()))).Name()))
		}
		page, err := s.svc.List(ctx, s.joe, "/top/wide", after, 100, registry.Freshness{})
		return fmt.Sprintf("%d entries", len(page.Entries)), err
	}
}

func searchScale(query string) func(context.Context, *scaleStore, *rand.Rand) (string, error) {
	return func(ctx context.Context, s *scaleStore, _ *rand.Rand) (string, error) {
		q := query
		if strings.Contains(q, "%[1]s") {
			q = fmt.Sprintf(q, s.corpus.words[100], s.corpus.words[200])
		}
		page, err := s.svc.Search(ctx, s.joe, registry.SearchInput{Query: q})
		more := ""
		if page.AtLeast {
			more = " or more"
		}
		if !page.Complete {
			more += ", incomplete"
		}
		return fmt.Sprintf("%d%s", page.Total, more), err
	}
}

// measure repeats an operation for a while.
func (s *scaleStore) measure(ctx context.Context, op scaleOp, window time.Duration) (scaleRecord, error) {
	rec := scaleRecord{Op: op.name}
	r := rand.New(rand.NewPCG(3, 4)) // the same choice in both stores, and each time
	warm := 1
	if strings.HasSuffix(op.name, "-warm") {
		warm = 3 * hot
	}
	for range warm {
		if _, err := op.do(ctx, s, r); err != nil {
			return rec, err
		}
	}
	rows, err := s.rowsRead(ctx)
	if err != nil {
		return rec, err
	}
	own, server, err := s.cpu()
	if err != nil {
		return rec, err
	}
	var times []float64
	for began := time.Now(); time.Since(began) < window && (op.most == 0 || len(times) < op.most); {
		start := time.Now()
		if rec.Answer, err = op.do(ctx, s, r); err != nil {
			return rec, err
		}
		times = append(times, float64(time.Since(start))/1e6)
	}
	own2, server2, err := s.cpu()
	if err != nil {
		return rec, err
	}
	rows2, err := s.rowsRead(ctx)
	if err != nil {
		return rec, err
	}
	n := float64(len(times))
	slices.Sort(times)
	rec.Times, rec.P50, rec.Rows = len(times), times[len(times)/2], float64(rows2-rows)/n
	rec.Server = float64((server2 - server).Microseconds()) / n
	rec.CPU = rec.Server + float64((own2-own).Microseconds())/n
	if op.name == "put" { // what follows a put is not a part of it, and must not fall on the next operation
		_, err = s.store.IndexSearch(ctx)
	}
	return rec, err
}

// cpu is what this process and the database's server have used so far.
func (s *scaleStore) cpu() (own, server time.Duration, err error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0, err
	}
	own = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if s.db != nil {
		server, err = treeTime(s.db.PID())
	}
	return own, server, err
}

func (s *scaleStore) rowsRead(ctx context.Context) (int64, error) {
	if s.db == nil {
		return 0, nil
	}
	return s.db.RowsRead(ctx)
}
