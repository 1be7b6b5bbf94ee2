package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// JobState is how a job of one node stands.
type JobState struct {
	Name         string
	Store        string    // "" for one that is not of one store
	Began, Ended time.Time // of the last run; zero when there was none
	Next         time.Time // about; zero when not known
	Running      bool      // it holds the job's lease, where the job has one
	Result       string    // of the last run; "" when there is nothing to say
	Failed       bool
}

// jobKind is what the page says of a job.
type jobKind struct {
	name, title, what string
	once              bool // one node at a time does it, by a lease of the store
	byHand            bool
}

// jobKinds are those that this version knows, in the order of the page.
var jobKinds = []jobKind{
	{"retention", mark("Retention"), mark("Removes versions that no rule of retention keeps."), true, true},
	{"collect", mark("Collector"), mark("Removes what deleted trees left, and contents that no version names any more."), false, false},
	{"purge", mark("Log purge"), mark("Removes operations from the change log that are older than activity_retention."), false, false},
	{"sweep", mark("Sweep"), mark("Removes abandoned uploads and expired sessions."), false, false},
	{"index", mark("Search index"), mark("Takes changed resources into the search index."), true, false},
	{"transfers", mark("Transfers"), mark("Ends moves to other stores that nobody is at any more."), false, false},
	{"stars", mark("Stars"), mark("Removes the stars of users who are gone."), false, false},
	{"doctor", mark("Doctor"), mark("Examines what a node stands on."), false, false},
}

// jobsView is what the nodes of the cluster do on their own account.
type jobsView struct {
	Orders bool // the reader may run jobs
	Kinds  []jobKindView
	Silent []string // nodes that do not tell
}

type jobKindView struct {
	Name, Title, What string
	Once, ByHand      bool
	Rows              []jobRow
}

// jobRow is a job at one node.
type jobRow struct {
	Node string
	JobState
}

// Took is how long the last run was; 0 when there was none, or it runs.
func (r jobRow) Took() time.Duration {
	if r.Running || r.Ended.IsZero() {
		return 0
	}
	return r.Ended.Sub(r.Began).Round(time.Millisecond)
}

func (c *console) jobs(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if _, err := c.Service.ServerView(a); err != nil {
		return err
	}
	v := jobsView{Orders: c.RunJob != nil && c.Service.Operates(a)}
	rows := map[string][]jobRow{}
	for _, m := range c.Members() {
		if m.Balancer {
			continue
		}
		if m.Facts == nil {
			v.Silent = append(v.Silent, m.Name)
			continue
		}
		for _, j := range m.Facts.Jobs {
			rows[j.Name] = append(rows[j.Name], jobRow{m.Name, j})
		}
	}
	slices.Sort(v.Silent)
	for _, k := range jobKinds {
		list := rows[k.name]
		slices.SortFunc(list, func(x, y jobRow) int { return cmp.Or(cmp.Compare(x.Store, y.Store), cmp.Compare(x.Node, y.Node)) })
		v.Kinds = append(v.Kinds, jobKindView{k.name, c.say(k.title), c.say(k.what), k.once, k.byHand, list})
	}
	f := c.frame(r, a, c.say("Jobs"))
	f.Section, f.Page = "cluster", v
	return c.render(w, http.StatusOK, "jobs", f)
}

// runJob makes this node do a job now. Where one node at a time does it, the lease decides as always.
func (c *console) runJob(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if !c.Service.Operates(a) {
		return registry.Errorf(registry.CodeDenied, "only administrators may run jobs")
	}
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	name := r.PostForm.Get("job")
	i := slices.IndexFunc(jobKinds, func(k jobKind) bool { return k.name == name && k.byHand })
	if i < 0 || c.RunJob == nil {
		return registry.Errorf(registry.CodeInvalid, "job is %q; there is none of that name that can be run by hand", shorten(name))
	}
	if err := c.Service.NoteOrder(r.Context(), a, registry.Order{Node: c.Node, What: "run " + name}); err != nil {
		return err
	}
	if err := c.RunJob(name); err != nil {
		return err
	}
	toPage(w, "/console/jobs", "job-runs")
	return nil
}
