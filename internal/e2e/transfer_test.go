package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// movedDocs is how many documents the subtree has that moves.
const movedDocs = 1000

// TestMove_SurvivesKills moves a subtree from a node's own store to the shared one while the node is killed (-9) at a random moment, again and again. After its restart the subtree is
// whole at the old place or at the new one, another node never sees a part of it, and the same request gets the move done. REGENT_MOVE_KILLS says how often.
func TestMove_SurvivesKills(t *testing.T) {
	slow(t)
	kills := 5
	if s := os.Getenv("REGENT_MOVE_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("REGENT_MOVE_KILLS is %q", s)
		}
		kills = n / 2 // on each of two databases
	}
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Nodes: 2, Database: db, NodeKeys: "transfer_timeout: 1s\n"})
		m := &mover{t: t, c: c}
		var usual time.Duration
		for _, name := range []string{"first", "second"} { // the first has nothing warm
			m.fill(name)
			began := time.Now()
			m.mustMove(name)
			usual = time.Since(began)
		}
		before := 0
		for i := range kills {
			name := fmt.Sprintf("kill%d", i)
			m.fill(name)
			stop := m.watch(name)
			after := rand.N(usual)
			if m.killed(name, after) {
				before++
			}
			stop()
		}
		t.Logf("a move takes %v; of %d kills %d came before its answer", usual.Round(time.Millisecond), kills, before)
		if before == 0 {
			t.Error("no kill came before the answer")
		}
	})
}

// mover moves subtrees on the first node of a cluster.
type mover struct {
	t testing.TB
	c *e2e.Cluster
}

// post sends JSON to a node.
func (m *mover) post(i int, url, body string, headers ...string) (e2e.Answer, error) {
	return m.c.Direct(i).Do(m.t.Context(), "POST", "/api/v1"+url, []byte(body), append(headers, "Content-Type", "application/json")...)
}

// fill makes a subtree in the node's own store: documents, each with two versions.
func (m *mover) fill(name string) {
	m.t.Helper()
	const steps = 100
	for version := range 2 {
		for from := 0; from < movedDocs; from += steps {
			var b strings.Builder
			for i := from; i < from+steps; i++ {
				fmt.Fprintf(&b, `,{"do":"put","path":"/_system/local/%s/docs/%04d","content":"%s, document %d, version %d"}`, name, i, name, i, version+1)
			}
			a, err := m.post(0, "/batch", `{"steps":[`+b.String()[1:]+`]}`)
			if err != nil || a.Status != 200 {
				m.t.Fatalf("fill: %d %s: %v", a.Status, a.Body, err)
			}
		}
	}
}

// move asks for the move, always by the same request.
func (m *mover) move(name string) (e2e.Answer, error) {
	return m.post(0, "/move/_system/local/"+name, `{"to":"/_system/governance/moved/`+name+`"}`, "Idempotency-Key", name)
}

func (m *mover) mustMove(name string) e2e.Answer {
	m.t.Helper()
	var last e2e.Answer
	e2e.Await(m.t, 30*time.Second, "the move of "+name, func() (err error) {
		last, err = m.move(name)
		if err == nil && last.Status != 200 {
			err = fmt.Errorf("status %d: %s", last.Status, last.Body)
		}
		return err
	})
	return last
}

// docs counts the documents at a place, as one read of a node tells; -1 when there is no such collection.
func (m *mover) docs(i int, place string) (int, error) {
	a, err := m.c.Direct(i).Do(m.t.Context(), "GET", "/api/v1/children"+place+"/docs?limit=1000", nil)
	if err != nil {
		return 0, err
	}
	switch a.Status {
	case 404:
		return -1, nil
	case 200:
	default:
		return 0, fmt.Errorf("%s: status %d: %s", place, a.Status, a.Body)
	}
	var list struct{ Entries []struct{ Version int } }
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return 0, err
	}
	for _, e := range list.Entries {
		if e.Version != 2 {
			return 0, fmt.Errorf("%s has a document at version %d", place, e.Version)
		}
	}
	return len(list.Entries), nil
}

// watch looks at the target through the other node until the returned function is called: nothing is there, or everything.
func (m *mover) watch(name string) func() {
	end := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			n, err := m.docs(1, "/_system/governance/moved/"+name)
			if err != nil || n != -1 && n != movedDocs {
				m.t.Errorf("%s: the other node sees %d documents: %v", name, n, err)
				return
			}
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	return func() { close(end); wg.Wait() }
}

// killed kills the node some time after a move began, and checks all that must hold then. It tells whether the kill came before the answer.
func (m *mover) killed(name string, after time.Duration) bool {
	m.t.Helper()
	answered := make(chan bool, 1)
	go func() {
		a, err := m.move(name)
		answered <- err == nil && a.Status == 200
	}()
	<-time.After(after)
	node := m.c.Nodes[0]
	node.Kill()
	got := <-answered
	node.Start()
	m.c.AwaitNode(node)
	source, err := m.docs(0, "/_system/local/"+name) // first, since it goes last
	if err != nil {
		m.t.Fatal(err)
	}
	target, err := m.docs(0, "/_system/governance/moved/"+name)
	if err != nil {
		m.t.Fatal(err)
	}
	if source != movedDocs && target != movedDocs || got && target != movedDocs {
		m.t.Fatalf("%s, killed after %v: the source has %d documents, the target %d; answered: %t", name, after, source, target, got)
	}
	first := m.mustMove(name)
	again := m.mustMove(name)
	if first.Header.Get("ETag") != again.Header.Get("ETag") || first.Header.Get("Registry-Seq") != again.Header.Get("Registry-Seq") {
		m.t.Errorf("%s: two answers to one request: %v and %v", name, first.Header, again.Header)
	}
	source, err = m.docs(0, "/_system/local/"+name)
	if err != nil || source != -1 {
		m.t.Errorf("%s: after the move the source has %d documents: %v", name, source, err)
	}
	if target, err = m.docs(1, "/_system/governance/moved/"+name); err != nil || target != movedDocs {
		m.t.Errorf("%s: after the move the target has %d documents: %v", name, target, err)
	}
	for version, want := range []string{name + ", document 77, version 1", name + ", document 77, version 2"} {
		a, err := m.c.Direct(1).Do(m.t.Context(), "GET", fmt.Sprintf("/api/v1/content/_system/governance/moved/%s/docs/0077?version=%d", name, version+1), nil)
		if err != nil || string(a.Body) != want {
			m.t.Errorf("%s: version %d says %q, want %q: %v", name, version+1, a.Body, want, err)
		}
	}
	return !got
}
