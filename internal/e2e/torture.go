package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	torturePairs   = 8 // of two paths
	tortureClients = 32
	tortureFolder  = "/_system/governance/torture"

	// attemptLimit is how long a client waits for an answer before it asks again; a frozen node gives none.
	attemptLimit = 3 * time.Second
	// knownLimit is how long an operation may take to have a known outcome, over all attempts and faults.
	knownLimit = 90 * time.Second
	// checkLimit is for one pair's history.
	checkLimit = 2 * time.Minute
)

// Torture is clients that change and read few paths of a cluster, half of them through the load balancer and half at the nodes, and keep a record of
// what they did. A change carries an idempotency key; one whose outcome is not known is repeated with the same key until it is.
type Torture struct {
	t       *testing.T
	cluster *Cluster
	doors   []*Client // the load balancer, then the nodes
	began   time.Time
	dir     string

	turn    sync.RWMutex // read: for one operation; write: while none runs
	workers []*worker
	late    [torturePairs][]porcupine.Operation // of the period before
	begin   [torturePairs]pairState
	periods int

	mu       sync.Mutex
	counts   map[Act]int
	repeated int
	changes  map[string]map[int64]string // id -> version -> digest, of acknowledged puts
	unknown  []string

	stop context.CancelFunc
	done sync.WaitGroup
}

// worker is one client. Its records are its own until a period ends.
type worker struct {
	*Torture
	id      int
	random  *rand.Rand
	n       int
	seen    map[[2]int]string // pair and side -> the entity tag that it saw last
	records [torturePairs][]porcupine.Operation
}

// StartTorture starts the clients on a cluster that is up.
func StartTorture(t *testing.T, c *Cluster) *Torture {
	t.Helper()
	u := &Torture{t: t, cluster: c, began: time.Now(), dir: artifactDir(t), counts: map[Act]int{}, changes: map[string]map[int64]string{}}
	u.doors = append(u.doors, c.ThroughELB())
	for i := range c.Nodes {
		u.doors = append(u.doors, c.Direct(i))
	}
	for i := range torturePairs {
		if a, err := c.Direct(0).Do(t.Context(), "PUT", resourceURL+folder(i), []byte(`{"kind":"collection"}`), "Content-Type", "application/json"); err != nil || a.Status != http.StatusCreated {
			t.Fatalf("make %s: %v, status %d %s", folder(i), err, a.Status, firstBytes(a.Body))
		}
	}
	var ctx context.Context
	ctx, u.stop = context.WithCancel(t.Context())
	for i := range tortureClients {
		w := &worker{Torture: u, id: i, random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(i))), seen: map[[2]int]string{}}
		u.workers = append(u.workers, w)
		u.done.Go(func() {
			for ctx.Err() == nil {
				w.step()
			}
		})
	}
	t.Cleanup(u.end)
	return u
}

func (u *Torture) end() {
	u.stop()
	u.done.Wait()
}

func folder(pair int) string { return fmt.Sprintf("%s/pair%d", tortureFolder, pair) }

func place(pair, side int) string { return folder(pair) + "/" + string("ab"[side]) }

// now is the time of the history.
func (u *Torture) now() int64 { return int64(time.Since(u.began)) }

// step is one operation of a client.
func (w *worker) step() {
	w.turn.RLock()
	defer w.turn.RUnlock()
	pair := w.random.IntN(torturePairs)
	d := Deed{Side: w.random.IntN(2)}
	tag := func() string { return w.seen[[2]int{pair, d.Side}] }
	var body []byte
	switch n := w.random.IntN(100); {
	case n < 20:
		d.Act = ActGet
	case n < 35:
		d.Act = ActList
	case n < 60 || n < 80 && tag() == "":
		d.Act, body = ActPut, w.content()
	case n < 80:
		if n%2 == 0 { // otherwise with what it happens to know, which is mostly of the past
			w.do(pair, Deed{Act: ActGet, Side: d.Side}, nil)
		}
		d.Act, d.Match, body = ActCAS, tag(), w.content()
	case n < 92:
		d.Act, d.Overwrite = ActMove, w.random.IntN(2) == 0
	default:
		d.Act = ActDelete
		if w.random.IntN(2) == 0 {
			d.Match = tag()
		}
	}
	if body != nil {
		d.Value = digest(body)
	}
	w.do(pair, d, body)
}

func (w *worker) content() []byte {
	w.n++
	return fmt.Appendf(nil, "client %d, content %d", w.id, w.n)
}

// digest is enough of a hash to tell contents apart.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return short(hex.EncodeToString(sum[:]))
}

func short(sum string) string { return sum[:min(12, len(sum))] }

// do runs one operation until its outcome is known, and records it.
func (w *worker) do(pair int, d Deed, body []byte) {
	method, path, headers := "GET", contentURL+place(pair, d.Side), []string{"Content-Type", "text/plain"}
	switch d.Act {
	case ActList:
		path = childrenURL + folder(pair)
	case ActPut, ActCAS:
		method = "PUT"
	case ActDelete:
		method = "DELETE"
	case ActMove:
		method, path, headers = "POST", moveURL+place(pair, d.Side), []string{"Content-Type", "application/json"}
		body = fmt.Appendf(nil, `{"to":%q,"overwrite":%t}`, place(pair, 1-d.Side), d.Overwrite)
	case ActGet, actBegin:
	}
	change := method != "GET"
	if d.Match != "" {
		headers = append(headers, "If-Match", d.Match)
	}
	if change {
		headers = append(headers, "Idempotency-Key", strconv.FormatUint(w.random.Uint64(), 36)+strconv.FormatUint(w.random.Uint64(), 36))
	}
	first, unknown, attempts := w.now(), false, 0
	for {
		began := w.now()
		attempts++
		a, err := w.attempt(method, path, body, headers)
		if err == nil && a.Status < 500 {
			if change && unknown && a.Status < 300 {
				began = first // any of the attempts may have been the one
			}
			w.record(pair, d, a, began, attempts)
			if refusal := a.Status >= 300; change && unknown && refusal && d.Match == "" {
				// With a condition it cannot happen any more: that state never comes back.
				d.Late = true
				w.records[pair] = append(w.records[pair], porcupine.Operation{ClientId: w.id, Input: d, Call: first, Output: Result{}})
			}
			return
		}
		unknown = unknown || !didNothing(a, err)
		if time.Duration(w.now()-first) > knownLimit {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.unknown = append(w.unknown, fmt.Sprintf("client %d, %s %s: %d attempts, the last: status %d %s, %v",
				w.id, method, path, attempts, a.Status, firstBytes(a.Body), err))
			return
		}
		pause := time.NewTimer(20*time.Millisecond + rand.N(60*time.Millisecond))
		<-pause.C
	}
}

// didNothing tells whether a failure promises that the request had no effect and will have none: the registry's own 503, and a load balancer without members.
func didNothing(a Answer, err error) bool {
	return err == nil && a.Status == http.StatusServiceUnavailable
}

// attempt sends a request once: even clients through the load balancer, odd ones to some node.
func (w *worker) attempt(method, path string, body []byte, headers []string) (Answer, error) {
	door := w.doors[0]
	if w.id%2 == 1 {
		door = w.doors[1+w.random.IntN(len(w.doors)-1)]
	}
	ctx, cancel := context.WithTimeout(context.Background(), attemptLimit)
	defer cancel()
	return door.Do(ctx, method, path, body, headers...)
}

func (w *worker) record(pair int, d Deed, a Answer, call int64, attempts int) {
	r, err := readResult(d, a, pair)
	w.records[pair] = append(w.records[pair], porcupine.Operation{ClientId: w.id, Input: d, Call: call, Output: r, Return: w.now()})
	side := d.Side
	if d.Act == ActMove {
		side = 1 - side
	}
	if c := r.Cells[0]; c.ID != "" && d.Act != ActList {
		w.seen[[2]int{pair, side}] = c.Tag()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.unknown = append(w.unknown, fmt.Sprintf("client %d, %s: %v", w.id, describeDeed(d, r), err))
	}
	if attempts > 1 {
		w.repeated++
	}
	if a.Status >= 300 {
		w.counts["refused"]++
		return
	}
	w.counts[d.Act]++
	if d.Value != "" {
		c := r.Cells[0]
		if w.changes[c.ID] == nil {
			w.changes[c.ID] = map[int64]string{}
		}
		w.changes[c.ID][c.Version] = c.Value
	}
}

// view is what the API says of a resource.
type view struct {
	Name, ETag, SHA256 string
}

func (v view) cell() (Cell, error) { return parseCell(v.ETag, short(v.SHA256)) }

// readResult reads an answer. One that is not as the API has it is an error.
func readResult(d Deed, a Answer, pair int) (Result, error) {
	r := Result{Status: a.Status}
	if a.Status >= 300 || a.Status == http.StatusNoContent {
		return r, nil
	}
	var err error
	switch d.Act {
	case ActGet:
		r.Cells[0], err = parseCell(a.Header.Get("ETag"), digest(a.Body))
	case ActList:
		var page struct{ Entries []view }
		if err := json.Unmarshal(a.Body, &page); err != nil {
			return r, err
		}
		for _, e := range page.Entries {
			side := strings.Index("ab", e.Name)
			if side < 0 {
				return r, fmt.Errorf("%s holds %q", folder(pair), e.Name)
			}
			if r.Cells[side], err = e.cell(); err != nil {
				return r, err
			}
		}
	case ActPut, ActCAS, ActMove:
		var v view
		if err := json.Unmarshal(a.Body, &v); err != nil {
			return r, err
		}
		r.Cells[0], err = v.cell()
		if got := a.Header.Get("ETag"); err == nil && got != v.ETag {
			err = fmt.Errorf("the header says %s, the body %s", got, v.ETag)
		}
	case ActDelete, actBegin:
	}
	return r, err
}

// parseCell reads an entity tag, "id.version.generation" in quotes.
func parseCell(tag, value string) (Cell, error) {
	parts := strings.Split(strings.Trim(tag, `"`), ".")
	if len(parts) != 3 {
		return Cell{}, fmt.Errorf("entity tag %q", tag)
	}
	version, err1 := strconv.ParseInt(parts[1], 10, 64)
	gen, err2 := strconv.ParseInt(parts[2], 10, 64)
	return Cell{parts[0], version, gen, value}, errors.Join(err1, err2)
}

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

// Finish ends the clients, judges the last period, and looks whether every acknowledged version is there, and no other.
func (u *Torture) Finish() {
	u.t.Helper()
	u.end()
	u.EndPeriod()
	for _, s := range u.unknown {
		u.t.Errorf("left unknown: %s", s)
	}
	for _, act := range []Act{ActGet, ActList, ActPut, ActCAS, ActDelete, ActMove} {
		if u.counts[act] == 0 {
			u.t.Errorf("no %s succeeded: the test proves nothing of it", act)
		}
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
