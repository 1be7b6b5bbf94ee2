package console

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// MemberFacts is how a member of the cluster is, as it tells the others every few seconds.
type MemberFacts struct {
	At        time.Time // when this node heard it
	InFlight  float64   // requests being served
	PerSecond float64   // requests, lately
	Heap      int64     // bytes
	// Heads are the newest operations of the stores that all nodes share, as the member read them, by store; Down are those that did not answer it.
	Heads     map[string]int64
	Down      []string
	Worst     registry.Severity // of what its doctor found last; "" when it did not look yet
	Finding   string            // what that is; "" when all is well
	DrainedBy string            // who drained it; "" when nobody did
	DrainedAt time.Time
	Jobs      []JobState // what it does on its own account
}

// MemberOrder is what an administrator wants a member to do.
type MemberOrder struct {
	Member string // its id
	Drain  bool   // take no more requests; else take them again
	Force  bool   // though no other member of its pool is active
	By     string // the administrator
}

// memberView is a member as the page shows it.
type memberView struct {
	Member
	Lags []lag
}

// Drains tells that the member can be drained; Returns that it was, and can be put back.
func (m memberView) Drains() bool {
	return !m.Balancer && m.State == "active" && m.Facts != nil
}

// Returns tells that an administrator drained the member, so that it can be put back.
func (m memberView) Returns() bool { return !m.Balancer && m.Facts != nil && m.Facts.DrainedBy != "" }

// Rate is how many requests a second the member is asked, as the page writes it.
func (f MemberFacts) Rate() string { return formatFigure(f.PerSecond) }

// Serving is how many requests the member serves, as the page writes it.
func (f MemberFacts) Serving() string { return formatFigure(f.InFlight) }

// lag is how far behind the store a member was when it spoke last.
type lag struct {
	Store  string
	Seq    int64
	Behind int64 // operations that another member had seen before; 0 when it was up to date
	Down   bool  // the store did not answer it
}

// lagsOf compares what a member saw of each store with what others had seen before it spoke: what they saw later it could not know.
func lagsOf(m Member, all []Member) []lag {
	if m.Facts == nil {
		return nil
	}
	var list []lag
	for _, store := range slices.Sorted(maps.Keys(m.Facts.Heads)) {
		l := lag{Store: store, Seq: m.Facts.Heads[store]}
		for _, o := range all {
			if o.Facts != nil && o.Domain == m.Domain && !o.Facts.At.After(m.Facts.At) {
				l.Behind = max(l.Behind, o.Facts.Heads[store]-l.Seq)
			}
		}
		list = append(list, l)
	}
	for _, store := range m.Facts.Down {
		list = append(list, lag{Store: store, Down: true})
	}
	return list
}

// lastView asks whether the last active member of a pool is to be drained all the same.
type lastView struct {
	Member Member
	Error  string
}

// orderTimeout is how long the page waits for a member to follow an order.
const orderTimeout = 12 * time.Second

// drain makes a member take no more requests, or take them again. The last active one of its pool needs its name typed.
func (c *console) drain(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if !c.Service.Operates(a) {
		return registry.Errorf(registry.CodeDenied, "only administrators may drain members of the cluster")
	}
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	id, do, word := r.PostForm.Get("member"), r.PostForm.Get("do"), strings.TrimSpace(r.PostForm.Get("word"))
	if do != "drain" && do != "undrain" {
		return registry.Errorf(registry.CodeInvalid, "do is %q; it must be drain or undrain", shorten(do))
	}
	members := c.Members()
	i := slices.IndexFunc(members, func(m Member) bool { return m.ID == id && !m.Balancer })
	if i < 0 || c.Order == nil {
		return registry.Errorf(registry.CodeConflict, "no node of that id is in sight of this one any more; after a restart a node is another one. Look at the cluster again")
	}
	m := members[i]
	o := MemberOrder{Member: id, Drain: do == "drain", Force: word != "" && word == m.Name, By: a.User}
	if o.Drain && !o.Force && lastOfPool(m, members) {
		return c.askForLast(w, r, a, m, word)
	}
	what := do
	if o.Force {
		what += ", though it is the last active one"
	}
	if err := c.Service.NoteOrder(r.Context(), a, registry.Order{Node: m.Name, What: what}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), orderTimeout)
	defer cancel()
	switch err := c.Order(ctx, o); {
	case registry.CodeOf(err) == registry.CodeConflict && o.Drain && !o.Force: // as the member sees it
		return c.askForLast(w, r, a, m, word)
	case err != nil:
		return c.showCluster(w, r, a, nil, err)
	}
	toPage(w, "/console/cluster", do+"ed")
	return nil
}

func (c *console) askForLast(w http.ResponseWriter, r *http.Request, a registry.Actor, m Member, word string) error {
	v := &lastView{Member: m}
	if word != "" {
		v.Error = c.say("That is not its name. Nothing was changed.")
	}
	return c.showCluster(w, r, a, v, nil)
}

// lastOfPool tells whether no other member of the pool of m is active.
func lastOfPool(m Member, all []Member) bool {
	return m.State == "active" && !slices.ContainsFunc(all, func(o Member) bool {
		return !o.Balancer && o.ID != m.ID && o.Domain == m.Domain && o.SubDomain == m.SubDomain && o.State == "active"
	})
}
