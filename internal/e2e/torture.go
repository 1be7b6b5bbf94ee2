package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
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
		if n%4 != 0 { // otherwise with what it happens to know, which is mostly of the past
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
