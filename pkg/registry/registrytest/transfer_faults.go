package registrytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// children is how many children the collection c of a movable tree has: more than go into one batch.
const children = 520

// movable makes a tree at p, in the store of /a.
func movable(t testing.TB, n *both, p registry.Path) {
	t.Helper()
	n.put(t, p+"/doc", "1")
	n.put(t, p+"/doc", "2")
	_, err := n.from.Update(context.Background(), op(), func(tx registry.Tx) error {
		top, err := tx.Get("/in" + p)
		if err != nil {
			return err
		}
		c, err := tx.Create(top, "c", registry.KindCollection, registry.Draft{})
		for i := 0; i < children && err == nil; i++ {
			_, err = tx.Create(c, fmt.Sprintf("n%04d", i), registry.KindCollection, registry.Draft{Meta: registry.Meta{Description: fmt.Sprint(i)}})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// states is what is in a movable tree, nil where it is not: by the children of c, each with all that says which state it has, and by the document.
func states(svc *registry.Service, p registry.Path) (map[registry.Path]string, error) {
	all := map[registry.Path]string{}
	page, err := svc.List(context.Background(), actor, p+"/c", "", 1000, registry.Freshness{})
	if registry.CodeOf(err) == registry.CodeNotFound {
		return nil, nil //nolint:nilnil // nothing there
	}
	for _, r := range page.Entries {
		all["/"+registry.Path(r.Path.Name())] = describe(r)
	}
	return all, err
}

// watcher looks at a tree all the time: the source or the target is there, and what is there is whole.
type watcher struct {
	svc      *registry.Service
	from, to registry.Path
	want     map[registry.Path]string
	looks    atomic.Int64
}

func (w *watcher) run(t *testing.T, stop <-chan struct{}) {
	t.Helper()
	for {
		select {
		case <-stop:
			return
		default:
		}
		source, err := states(w.svc, w.from) // first, since it goes last
		if err != nil {
			t.Errorf("look at the source: %v", err)
			return
		}
		target, err := states(w.svc, w.to)
		if err != nil {
			t.Errorf("look at the target: %v", err)
			return
		}
		if source == nil && target == nil {
			t.Errorf("neither %s nor %s is there", w.from, w.to)
			return
		}
		for _, got := range []map[registry.Path]string{source, target} {
			if got != nil && !same(got, w.want) {
				t.Errorf("a part of the tree is there: %d of %d", len(got), len(w.want))
				return
			}
		}
		w.looks.Add(1)
	}
}

func same(a, b map[registry.Path]string) bool {
	if len(a) != len(b) {
		return false
	}
	for p, s := range a {
		if b[p] != s {
			return false
		}
	}
	return true
}

// recoverAll ends open moves as the other nodes do, until there are none.
func recoverAll(t *testing.T, n *both) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := n.svc.RecoverTransfers(context.Background()); err != nil {
			t.Fatalf("recover: %v", err)
		}
		list, err := n.from.Transfers(context.Background(), false)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("open moves %+v: %v", list, err)
		}
		if len(list) == 0 {
			return
		}
	}
}

// onlyOne tells where the tree is now: at exactly one of the two places, and whole.
func onlyOne(t *testing.T, n *both, from, to registry.Path, want map[registry.Path]string) registry.Path {
	t.Helper()
	source, err := states(n.svc, from)
	if err != nil {
		t.Fatal(err)
	}
	target, err := states(n.svc, to)
	if err != nil {
		t.Fatal(err)
	}
	if (source == nil) == (target == nil) {
		t.Fatalf("the source has %d nodes, the target %d", len(source), len(target))
	}
	at, got := from, source
	if target != nil {
		at, got = to, target
	}
	if !same(got, want) {
		t.Fatalf("%s is not what was moved", at)
	}
	return at
}

// testEveryEnd: the process of the mover ends at each point of a move in turn. Others then end the move one way or the other, a reader sees a whole tree all the time, and the
// same request gets the move done, with one answer.
func testEveryEnd(t *testing.T, p *pair) {
	victim, other := p.open(t), p.open(t)
	moved, kept, survived := 0, 0, 0
	for k := 1; survived < 2; k++ { // on a busy machine a move has now more points, now fewer
		from, to := registry.Path(fmt.Sprintf("/a/t%d", k)), registry.Path(fmt.Sprintf("/b/t%d", k))
		movable(t, victim, from)
		want, err := states(other.svc, from)
		if err != nil || len(want) != children {
			t.Fatalf("%d children: %v", len(want), err)
		}
		w := &watcher{svc: other.svc, from: from, to: to, want: want}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { w.run(t, stop) })

		x := &tap{at: func(*tap, string, int) error { return nil }}
		svc := pairService(t, &tapped{victim.from, x}, &tapped{victim.to, x}, transferTimeout)
		*x = tap{at: diesAt(k).at}
		in := registry.MoveInput{From: from, To: to}
		a := by(fmt.Sprint("key", k), "move")
		_, err = svc.Move(t.Context(), a, in)
		dead, call := x.died()
		if !dead && err != nil || dead && err == nil && call != "forget" && call != "hold" {
			t.Fatalf("point %d: the process has died: %t, in %s; the answer is %v", k, dead, call, err)
		}
		if dead {
			recoverAll(t, other)
			if onlyOne(t, other, from, to, want) == to {
				moved++
			} else {
				kept++
				other.put(t, from+"/doc", "3")
			}
		}
		first, err := other.svc.Move(t.Context(), a, in)
		if err != nil {
			t.Fatalf("point %d, in %s: the same request again: %v", k, call, err)
		}
		again, err := victim.svc.Move(t.Context(), a, in)
		if err != nil || again.Resource.ETag() != first.Resource.ETag() || again.Resource.Seq != first.Resource.Seq {
			t.Errorf("point %d, in %s: the answers are %+v and %+v: %v", k, call, first, again, err)
		}
		close(stop)
		wg.Wait()
		if at := onlyOne(t, victim, from, to, want); at != to {
			t.Errorf("point %d, in %s: the tree is at %s", k, call, at)
		}
		if w.looks.Load() == 0 {
			t.Errorf("point %d: nobody looked", k)
		}
		wantNothingOpen(t, other)
		if survived++; dead {
			survived = 0
		}
	}
	t.Logf("%d ends after which the tree stayed, %d after which it had moved", kept, moved)
	if kept < 8 || moved < 4 {
		t.Errorf("%d ends after which the tree stayed, %d after which it had moved", kept, moved)
	}
}

// testSleepers: the mover falls asleep at each point in turn, for so long that others end its move and somebody writes. When it wakes up it undoes none of that.
func testSleepers(t *testing.T, p *pair) {
	sleeper, other := p.open(t), p.open(t)
	for k := 1; ; k++ {
		from, to := registry.Path(fmt.Sprintf("/a/s%d", k)), registry.Path(fmt.Sprintf("/b/s%d", k))
		movable(t, sleeper, from)
		want, err := states(other.svc, from)
		if err != nil {
			t.Fatal(err)
		}
		asleep, wake, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		x := &tap{at: func(*tap, string, int) error { return nil }}
		svc := pairService(t, &tapped{sleeper.from, x}, &tapped{sleeper.to, x}, transferTimeout)
		*x = tap{at: sleepsAt(k, asleep, wake).at}
		go func() {
			_, err := svc.Move(context.Background(), actor, registry.MoveInput{From: from, To: to})
			done <- err
		}()
		var ended bool
		select {
		case <-asleep:
		case err = <-done:
			ended = true
		}
		text := "2"
		if !ended {
			recoverAll(t, other)
			_, werr := other.svc.Put(t.Context(), actor, registry.PutInput{Path: from + "/doc", Body: strings.NewReader("written"), If: registry.Precondition{Match: []string{"*"}}})
			switch registry.CodeOf(werr) {
			case "":
				text = "written"
			case registry.CodePrecondition: // it has moved
			default:
				t.Errorf("point %d: a write: %v", k, werr)
			}
			close(wake)
			err = <-done
		}
		recoverAll(t, other)
		at := onlyOne(t, other, from, to, want)
		if got := other.text(t, at+"/doc", 0); got != text {
			t.Errorf("point %d: the document says %q, acknowledged was %q", k, got, text)
		}
		if err == nil && at != to {
			t.Errorf("point %d: the move was acknowledged, and the tree is at %s", k, at)
		}
		if err != nil && registry.CodeOf(err) != registry.CodeUnavailable {
			t.Errorf("point %d: the sleeper is told %v", k, err)
		}
		if ended {
			t.Logf("%d points", k-1)
			return
		}
	}
}

// testWritersOnTheWay: while a tree moves to and fro, clients write into it wherever it is. What was acknowledged is there in the end.
func testWritersOnTheWay(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	const writers = 6
	at := []registry.Path{"/a/w", "/b/w"}
	for i := range writers {
		n.put(t, registry.Path(fmt.Sprintf("/a/w/%d", i)), "0")
	}
	var acked [writers]int
	var total atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for next := 1; ; {
				select {
				case <-stop:
					return
				default:
				}
				svc := []*registry.Service{n.svc, other.svc}[next%2]
				for _, top := range at {
					_, err := svc.Put(context.Background(), actor, registry.PutInput{
						Path: registry.Path(fmt.Sprintf("%s/%d", top, i)), Body: strings.NewReader(fmt.Sprint(next)), If: registry.Precondition{Match: []string{"*"}},
					})
					switch registry.CodeOf(err) {
					case "":
						acked[i] = next
						next++
						total.Add(1)
					case registry.CodePrecondition, registry.CodeUnavailable:
					default:
						t.Errorf("put: %v", err)
						return
					}
				}
			}
		})
	}
	moves := max(rounds(20), 4)
	for i := range moves {
		for before := total.Load(); total.Load() < before+writers; { // they are at it
			if _, err := other.svc.RecoverTransfers(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if _, err := n.svc.Move(t.Context(), actor, registry.MoveInput{From: at[i%2], To: at[(i+1)%2]}); err != nil {
			t.Errorf("move %d: %v", i, err)
			break
		}
	}
	close(stop)
	wg.Wait()
	for i := range writers {
		p := registry.Path(fmt.Sprintf("%s/%d", at[moves%2], i))
		if got := other.text(t, p, 0); got != fmt.Sprint(acked[i]) {
			t.Errorf("%s says %s, the last acknowledged write %d", p, got, acked[i])
		}
		if v := other.get(t, p).Version; v != int64(acked[i])+1 {
			t.Errorf("%s has version %d after %d writes", p, v, acked[i])
		}
	}
}
