package registryd

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// What a node does on its own account, beside what its stores do.
const (
	jobRetention = "retention"
	jobTransfers = "transfers"
	jobStars     = "stars"
	jobDoctor    = "doctor"
)

// jobState is how a job of this node stands, as it tells others.
type jobState struct {
	Name   string    `json:"name"`
	Store  string    `json:"store,omitempty"` // "" for one that is not of one store
	Began  time.Time `json:"began,omitzero"`
	Ended  time.Time `json:"ended,omitzero"` // before Began while it runs
	Next   time.Time `json:"next,omitzero"`
	Result string    `json:"result,omitempty"`
	Failed bool      `json:"failed,omitempty"`
}

// jobBook notes what the jobs of this node do. Safe for concurrent use.
type jobBook struct {
	now func() time.Time

	mu   sync.Mutex
	jobs map[[2]string]jobState // by name and store
}

func newJobBook() *jobBook { return &jobBook{now: time.Now, jobs: map[[2]string]jobState{}} }

// change puts what f makes of a job in its place.
func (b *jobBook) change(name, store string, f func(*jobState)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := b.jobs[[2]string{name, store}]
	j.Name, j.Store = name, store
	f(&j)
	b.jobs[[2]string{name, store}] = j
}

// due notes when a job is to begin.
func (b *jobBook) due(name string, at time.Time) {
	b.change(name, "", func(j *jobState) { j.Next = at })
}

// begin notes that a job begins; what it gives notes its end.
func (b *jobBook) begin(name, store string, next time.Time) (ended func(result string, err error)) {
	b.change(name, store, func(j *jobState) { j.Began, j.Next = b.now(), next })
	return func(result string, err error) {
		b.change(name, store, func(j *jobState) {
			j.Ended, j.Result, j.Failed = b.now(), result, err != nil
			if err != nil {
				j.Result = cutText(registry.MessageOf(err)) // without what is internal
			}
		})
	}
}

// work is told of what a store does.
func (b *jobBook) work(store string) sqlstore.Work {
	return func(job string, next time.Time) func(int64, error) {
		ended := b.begin(job, store, next)
		return func(count int64, err error) {
			result := ""
			if job != sqlstore.WorkIndex {
				result = fmt.Sprintf("removed %d", count)
			}
			ended(result, err)
		}
	}
}

// list gives the jobs in order of their names.
func (b *jobBook) list() []jobState {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]jobState, 0, len(b.jobs))
	for _, j := range b.jobs {
		list = append(list, j)
	}
	slices.SortFunc(list, func(x, y jobState) int { return strings.Compare(x.Name+"\x00"+x.Store, y.Name+"\x00"+y.Store) })
	return list
}

// shownJobs are jobs for the console.
func shownJobs(jobs []jobState) []console.JobState {
	list := make([]console.JobState, len(jobs))
	for i, j := range jobs {
		list[i] = console.JobState{
			Name: j.Name, Store: j.Store, Began: j.Began, Ended: j.Ended, Next: j.Next, Result: j.Result, Failed: j.Failed, Running: j.Ended.Before(j.Began),
		}
	}
	return list
}
