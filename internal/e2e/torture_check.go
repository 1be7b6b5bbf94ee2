package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// EndPeriod waits until no operation runs, and judges what was done since the last time. The cluster must be whole. What each pair is then begins the next period.
func (u *Torture) EndPeriod() {
	u.t.Helper()
	u.turn.Lock()
	defer u.turn.Unlock()
	u.periods++
	histories := make([][]porcupine.Operation, torturePairs)
	var late [torturePairs][]porcupine.Operation
	total, lates := 0, 0
	for pair := range torturePairs {
		h := []porcupine.Operation{{Input: Deed{Act: actBegin}, Call: -2, Output: Result{Cells: u.begin[pair]}, Return: -1}}
		for _, w := range u.workers {
			h = append(h, w.records[pair]...)
			w.records[pair] = nil
		}
		total += len(h)
		end := u.finalState(pair)
		for _, o := range h {
			if o.Input.(Deed).Late {
				late[pair] = append(late[pair], o)
			}
		}
		lates += len(late[pair])
		h = append(append(h, u.late[pair]...), end)
		for i := range h {
			if h[i].Input.(Deed).Late {
				h[i].Return = u.now()
			}
		}
		for i := range late[pair] {
			late[pair][i].Call = 0
		}
		u.begin[pair] = end.Output.(Result).Cells
		histories[pair] = h
	}
	u.late = late // one period later nothing holds the request any more
	began := time.Now()
	if err := checkHistories(histories, checkLimit, u.dir, fmt.Sprintf("period%d", u.periods)); err != nil {
		u.t.Errorf("period %d: %v", u.periods, err)
	}
	u.t.Logf("period %d: %d operations, of which %d may have come late, judged in %v", u.periods, total, lates, time.Since(began).Round(time.Millisecond))
}

// finalState lists a pair while nothing else is done.
func (u *Torture) finalState(pair int) porcupine.Operation {
	u.t.Helper()
	d := Deed{Act: ActList}
	call := u.now()
	a, err := u.doors[1+pair%3].wanted(u.t.Context(), "GET", childrenURL+folder(pair), nil, 200)
	if err != nil {
		u.t.Fatal(err)
	}
	r, err := readResult(d, a, pair)
	if err != nil {
		u.t.Fatal(err)
	}
	return porcupine.Operation{ClientId: tortureClients, Input: d, Call: call, Output: r, Return: u.now()}
}

// AwaitEach waits until each kind of operation has succeeded so often: without, a history proves nothing of it.
func (u *Torture) AwaitEach(least int) {
	u.t.Helper()
	Await(u.t, time.Minute, "operations of each kind", func() error {
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, act := range []Act{ActGet, ActList, ActPut, ActCAS, ActDelete, ActMove} {
			if u.counts[act] < least {
				return fmt.Errorf("%d of %s succeeded", u.counts[act], act)
			}
		}
		return nil
	})
}

// Finish ends the clients, judges the last period, and looks whether every acknowledged version is there, and no other.
func (u *Torture) Finish() {
	u.t.Helper()
	u.end()
	u.EndPeriod()
	for _, s := range u.unknown {
		u.t.Errorf("left unknown: %s", s)
	}
	if u.repeated == 0 {
		u.t.Error("no operation had to be repeated: the faults hit nothing")
	}
	u.t.Logf("%v in %v; %d were repeated; %d left unknown", u.counts, time.Since(u.began).Round(time.Second), u.repeated, len(u.unknown))
	u.checkVersions()
}

// checkVersions reads the versions of all that was ever put, from the trash too: as many as were acknowledged, each with its content.
func (u *Torture) checkVersions() {
	u.t.Helper()
	left := u.changes
	total := 0
	for pair := range torturePairs {
		for side := range 2 {
			if id := u.begin[pair][side].ID; id != "" {
				total += u.checkResource(place(pair, side), id)
				delete(left, id)
			}
		}
	}
	u.undeleteAll(left)
	for id := range left {
		total += u.checkResource(tortureFolder+"/back/"+id, id)
	}
	u.t.Logf("%d acknowledged versions of %d resources are there", total, len(u.changes))
}

// undeleteAll brings back what was deleted, in parallel.
func (u *Torture) undeleteAll(ids map[string]map[int64]string) {
	u.t.Helper()
	queue := make(chan string)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for id := range queue {
				body := fmt.Appendf(nil, `{"id":%q}`, id)
				a, err := u.doors[1].Do(u.t.Context(), "POST", undeleteURL+tortureFolder+"/back/"+id, body, "Content-Type", "application/json")
				if err != nil || a.Status >= 300 {
					u.t.Errorf("%s is neither in the tree nor in the trash: %v, status %d %s", id, err, a.Status, firstBytes(a.Body))
				}
			}
		})
	}
	for id := range ids {
		queue <- id
	}
	close(queue)
	all.Wait()
}

// checkResource compares the versions of a resource with those that were acknowledged.
func (u *Torture) checkResource(path, id string) int {
	u.t.Helper()
	acknowledged, found := u.changes[id], 0
	for before := ""; ; {
		a, err := u.doors[1+found%3].wanted(u.t.Context(), "GET", versionsURL+path+"?limit=500"+before, nil, 200)
		if err != nil {
			u.t.Errorf("versions of %s: %v", path, err)
			return found
		}
		var page struct {
			Versions []struct {
				Version int64
				SHA256  string
			}
			Next int64
		}
		if err := json.NewDecoder(bytes.NewReader(a.Body)).Decode(&page); err != nil {
			u.t.Fatal(err)
		}
		for _, v := range page.Versions {
			found++
			if want := acknowledged[v.Version]; want != short(v.SHA256) {
				u.t.Errorf("%s, version %d holds %s, acknowledged was %q", path, v.Version, short(v.SHA256), want)
			}
		}
		if page.Next == 0 {
			break
		}
		before = fmt.Sprintf("&before=%d", page.Next)
	}
	if found != len(acknowledged) {
		u.t.Errorf("%s has %d versions; %d were acknowledged", path, found, len(acknowledged))
	}
	return found
}
