package e2e_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestWatch_MissesNothing lets watchers follow a collection through the load balancer while nodes are killed and restarted one after the other, and the
// load balancer takes another configuration. Every acknowledged change is told to each of them, in the order of the log, and told again only with the
// same id. REGENT_E2E_FULL asks for a hundred thousand changes.
func TestWatch_MissesNothing(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		const watchers, writers = 3, 4
		changes := e2e.Scale(100_000, 500)
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		elb := c.ThroughELB()
		first, err := elb.Put(t.Context(), "/_system/governance/watched/first.txt", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		_, from, _ := strings.Cut(first.Header.Get("Registry-Seq"), ":")
		limit, cancel := context.WithTimeout(t.Context(), time.Duration(e2e.Scale(60, 4))*time.Minute)
		defer cancel()

		logs := make([]*watchLog, watchers)
		var following sync.WaitGroup
		for i := range logs {
			l := &watchLog{seen: map[string]bool{}}
			logs[i] = l
			if i == 0 { // this one is the product's client, which tells nothing twice
				following.Go(func() {
					l.connections, l.err = elb.FollowAsClient(limit, "/_system/governance/watched", from, l.take)
					if l.again > 0 {
						t.Errorf("the client told %d events twice", l.again)
					}
				})
				continue
			}
			w := elb.Watch("/_system/governance/watched", from)
			following.Go(func() {
				l.err = w.Follow(limit, l.take)
				l.connections = w.Connections
			})
		}

		var mu sync.Mutex
		acknowledged := map[int64]bool{}
		stormOver := make(chan struct{})
		var writing sync.WaitGroup
		for writer := range writers {
			writing.Go(func() {
				storm := true
				for i := 0; limit.Err() == nil && (storm || i < changes/writers); i++ {
					if seq, ok := change(limit, elb, writer, i); ok {
						mu.Lock()
						acknowledged[seq] = true
						mu.Unlock()
					}
					select {
					case <-stormOver:
						storm = false
					default:
					}
				}
			})
		}
		for round := range e2e.Scale(10, 1) {
			c.ReloadELB(fmt.Sprintf("hosts: [governance.localhost, localhost, round-%d.localhost]", round))
			for i, n := range c.Nodes {
				if (round+i)%2 == 0 {
					n.Kill()
				} else {
					n.Stop()
				}
				n.Start()
				c.AwaitReady()
			}
		}
		close(stormOver)
		writing.Wait()

		// The end is told by a change that is surely the last.
		last, err := elb.Put(limit, "/_system/governance/watched/last.txt", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		put := time.Now()
		following.Wait()
		// A heartbeat would carry along, after 15 seconds, what is held back on the way.
		if took := time.Since(put); took > 10*time.Second {
			t.Errorf("the last change was told after %v", took)
		}
		t.Logf("%d changes acknowledged, up to %s", len(acknowledged), last.Header.Get("Registry-Seq"))
		for i, l := range logs {
			t.Logf("watcher %d: %d events over %d connections, %d told again", i, len(l.events), l.connections, l.again)
			if l.err != nil {
				t.Errorf("watcher %d: %v", i, l.err)
			}
			l.check(t, i, acknowledged)
			if i > 0 && len(l.events) != len(logs[0].events) {
				t.Errorf("watcher %d was told %d events, watcher 0 %d", i, len(l.events), len(logs[0].events))
			}
			if l.connections < 2 {
				t.Errorf("watcher %d had one connection through all of it, so this test proves nothing", i)
			}
		}
	})
}

// change makes one change of a writer, and tells its position in the log when it was acknowledged. Now and then that is a move of a whole collection.
func change(ctx context.Context, elb *e2e.Client, writer, i int) (int64, bool) {
	const watched = "/_system/governance/watched"
	var a e2e.Answer
	var err error
	if i%25 == 24 {
		body := fmt.Appendf(nil, `{"to": "%s/moved/%d/%d"}`, watched, writer, i)
		a, err = elb.Do(ctx, "POST", fmt.Sprintf("/api/v1/move%s/%d", watched, writer), body, "Content-Type", "application/json")
	} else {
		a, err = elb.Put(ctx, fmt.Sprintf("%s/%d/%d.txt", watched, writer, i%10), fmt.Appendf(nil, "%d of %d", i, writer))
	}
	if err != nil || a.Status >= 300 {
		return 0, false
	}
	_, n, _ := strings.Cut(a.Header.Get("Registry-Seq"), ":")
	seq, err := strconv.ParseInt(n, 10, 64)
	return seq, err == nil
}

// watchLog is what one watcher was told.
type watchLog struct {
	events      []e2e.WatchedEvent
	seen        map[string]bool
	again       int
	connections int
	err         error
}

func (l *watchLog) take(e e2e.WatchedEvent) bool {
	if l.seen[e.ID] {
		l.again++
	} else {
		l.seen[e.ID] = true
		l.events = append(l.events, e)
	}
	return e.Path != "/_system/governance/watched/last.txt"
}

// check tells whether the order is that of the log and nothing acknowledged is missing.
func (l *watchLog) check(t *testing.T, i int, acknowledged map[int64]bool) {
	t.Helper()
	told := map[int64]bool{}
	for k, e := range l.events {
		told[e.Seq] = true
		if k == 0 {
			continue
		}
		if before := l.events[k-1]; e.Seq < before.Seq || e.Seq == before.Seq && e.Item <= before.Item {
			t.Errorf("watcher %d was told %s after %s", i, e.ID, before.ID)
			return
		}
	}
	missed := 0
	for seq := range acknowledged {
		if !told[seq] {
			missed++
		}
	}
	if missed > 0 {
		t.Errorf("watcher %d missed %d of %d acknowledged changes", i, missed, len(acknowledged))
	}
}
