package registrybench

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// Bounds of a run.
const (
	MaxClients   = 10_000
	MaxDuration  = 24 * time.Hour
	MaxRate      = 1_000_000 // requests per second
	MinSize      = 32        // bytes of a content
	MaxSize      = 1 << 30
	MaxResources = 1_000_000

	perCollection = 100 // resources
)

// Config says what load to put on which registry.
type Config struct {
	// Load sends the requests that are measured, each once: with Attempts 1, and a connection for each client.
	Load *client.Client
	// Setup sends the others, which may be sent again.
	Setup *client.Client

	Collection string // to work in, which must not exist
	Mix        Mix
	Clients    int
	Duration   time.Duration
	Rate       float64 // requests per second of all clients together; 0: each client sends its next request when it has the answer to the last one
	Size       int64   // bytes of a content
	MediaType  string
	Resources  int
	Timeout    time.Duration // of one request
	Keep       bool          // leave the collection where it is

	// Progress, unless nil, is told about once a second where the run is.
	Progress func(Progress)
}

// Progress is where a run is.
type Progress struct {
	Phase    string // "prepare", "connect", "load" or "remove"
	Elapsed  time.Duration
	Requests int64 // answered rightly so far
	Errors   int64
}

// Validate names the first field that is out of its bounds.
func (c Config) Validate() error {
	for _, f := range []struct {
		name             string
		value, low, high float64
	}{
		{"clients", float64(c.Clients), 1, MaxClients},
		{"duration (seconds)", c.Duration.Seconds(), 0.001, MaxDuration.Seconds()},
		{"rate", c.Rate, 0, MaxRate},
		{"size", float64(c.Size), MinSize, MaxSize},
		{"resources", float64(c.Resources), 1, MaxResources},
		{"timeout (seconds)", c.Timeout.Seconds(), 0.001, MaxDuration.Seconds()},
	} {
		if !(f.value >= f.low && f.value <= f.high) { // so that NaN is refused, too
			return fmt.Errorf("%s is %g; it must be from %g to %g", f.name, f.value, f.low, f.high)
		}
	}
	return nil
}

// Run puts the load on, and reports what came of it. When ctx ends early the report is of what was done until then. The working collection is removed in any case,
// unless it is to be kept. The error is about what is around the load; failures of requests under load are in the report.
func Run(ctx context.Context, c Config) (Report, error) {
	r := Report{Collection: c.Collection, Clients: c.Clients, Mix: c.Mix.String(), Rate: c.Rate, Size: c.Size, Resources: c.Resources}
	if err := c.Validate(); err != nil {
		return r, err
	}
	b := &bench{Config: c, filler: newFiller(), acked: make([]atomic.Int64, c.Resources), began: time.Now()}
	_, err := c.Setup.PutCollection(ctx, c.Collection, client.Collection{}, client.WriteOptions{IfNoneMatch: "*", IdempotencyKey: crand.Text()})
	if errors.Is(err, client.ErrPrecondition) {
		return r, fmt.Errorf("%s exists already, and would be removed at the end: %w", c.Collection, err)
	}
	if err != nil {
		return r, fmt.Errorf("make %s: %w", c.Collection, err)
	}
	b.lookAtTrash(ctx)
	if err = b.prepare(ctx); err == nil {
		b.connect(ctx)
		took := b.load(ctx)
		b.tally.fill(&r, took, c.Mix)
		r.Unsent = b.unsent
	}
	if c.Keep {
		return r, err
	}
	if gone := b.remove(context.WithoutCancel(ctx)); gone != nil && (err == nil || ctx.Err() != nil) {
		return r, gone // more than that somebody interrupted it
	} else if gone != nil {
		return r, errors.Join(err, gone)
	}
	return r, err
}

// bench is one run.
type bench struct {
	Config

	filler filler
	acked  []atomic.Int64 // the newest version of each resource that was acknowledged
	writes atomic.Uint64  // that were begun
	tally  tally
	unsent int64
	began  time.Time // of the phase

	others    map[string]bool // ids of what the trash had of the same path when the collection was made: somebody else's
	othersErr error           // they are not known
}

// errStale is a read that did not see a write that was acknowledged before it began.
var errStale = errors.New("an older version was read")

func (b *bench) collection(resource int) string {
	return fmt.Sprintf("%s/c%05d", b.Collection, resource/perCollection)
}

func (b *bench) path(resource int) string {
	return fmt.Sprintf("%s/r%02d.txt", b.collection(resource), resource%perCollection)
}

// prepare stores the resources. The first failure ends it.
func (b *bench) prepare(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, stored atomic.Int64
	stop := b.report("prepare", func() (int64, int64) { return stored.Load(), 0 })
	defer stop()
	var all sync.WaitGroup
	for range min(b.Clients, b.Resources, 32) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= b.Resources {
					return
				}
				if err := b.put(ctx, b.Setup, i); err != nil {
					cancel(fmt.Errorf("prepare %s: %w", b.path(i), err))
				}
				stored.Add(1)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// connect lets each client send a request that does not count, so that it has its connection when the clock starts. A failure shows under load, too.
func (b *bench) connect(ctx context.Context) {
	b.began = time.Now()
	var connected atomic.Int64
	stop := b.report("connect", func() (int64, int64) { return connected.Load(), 0 })
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	var all, here sync.WaitGroup
	here.Add(b.Clients)
	for range b.Clients {
		all.Go(func() {
			here.Done()
			here.Wait() // one after the other they would share a connection
			if _, err := b.Load.Head(ctx, b.path(0), client.GetOptions{}); err == nil {
				connected.Add(1)
			}
		})
	}
	all.Wait()
}

// load lets the clients work, and gives how long it took until the last of them had its last answer.
func (b *bench) load(ctx context.Context) time.Duration {
	b.began = time.Now()
	stop := b.report("load", b.tally.counts)
	defer stop()
	// What is on its way when the run is ended may come to its end, so that it is over when the collection is removed.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { sleep(running, interruptGrace); cancel() })()
	s := &schedule{began: b.began, end: b.began.Add(b.Duration), rate: b.Rate}
	var all sync.WaitGroup
	for range b.Clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			for {
				due, ok := s.next(ctx)
				if !ok {
					return
				}
				b.request(running, random, due)
			}
		})
	}
	all.Wait()
	b.unsent = s.unsent(ctx)
	return time.Since(b.began)
}

// interruptGrace is how long requests may go on after the run was ended.
const interruptGrace = 2 * time.Second

// request does one operation, and counts it from when it was due.
func (b *bench) request(ctx context.Context, random *rand.Rand, due time.Time) {
	o, resource := b.Mix.pick(random), random.IntN(b.Resources)
	limited, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	var err error
	switch o {
	case Put:
		err = b.put(limited, b.Load, resource)
	case Get:
		err = b.get(limited, resource)
	default:
		err = b.list(limited, resource)
	}
	switch {
	case err == nil:
		b.tally.took[o].add(time.Since(due))
	case ctx.Err() != nil: // the run was ended, and the request with it
	default:
		b.tally.failure(o, err)
		if b.Rate == 0 {
			sleep(ctx, failurePause)
		}
	}
}

// failurePause is how long a client waits after a failure where no rate bounds it: a server that is not there must not be asked as fast as the machine can.
const failurePause = 100 * time.Millisecond

// put stores the next content of a resource.
func (b *bench) put(ctx context.Context, c *client.Client, resource int) error {
	res, err := c.Put(ctx, b.path(resource), b.filler.content(resource, b.writes.Add(1), b.Size), client.PutOptions{MediaType: b.MediaType})
	if err != nil {
		return err
	}
	for {
		acked := b.acked[resource].Load()
		if res.Version <= acked || b.acked[resource].CompareAndSwap(acked, res.Version) {
			return nil
		}
	}
}

// get reads a resource, and checks what it reads.
func (b *bench) get(ctx context.Context, resource int) error {
	acked := b.acked[resource].Load()
	content, err := b.Load.Get(ctx, b.path(resource), client.GetOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // its end was seen, or does not matter
	if err := b.filler.check(content, resource, b.Size, b.writes.Load()); err != nil {
		return err
	}
	if content.Info.Version < acked {
		return fmt.Errorf("%w: %s at version %d, after version %d was acknowledged", errStale, b.path(resource), content.Info.Version, acked)
	}
	return nil
}

// list lists the collection of a resource, and counts what is in it.
func (b *bench) list(ctx context.Context, resource int) error {
	n := 0
	for _, err := range b.Load.Children(ctx, b.collection(resource), client.ListOptions{PageSize: 2 * perCollection}) {
		if err != nil {
			return err
		}
		n++
	}
	if want := min(perCollection, b.Resources-resource/perCollection*perCollection); n != want {
		return &wrongError{fmt.Sprintf("%s has %d resources in the list; it has %d", b.collection(resource), n, want)}
	}
	return nil
}

// removeLimit bounds the removal of the working collection.
const removeLimit = 5 * time.Minute

// remove deletes the working collection, and removes it from the trash. A request that ran out of time may come to its end at the server and make it anew:
// it is deleted until it is not there. When that fails the error tells where it is.
func (b *bench) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, removeLimit)
	defer cancel()
	b.began = time.Now()
	stop := b.report("remove", func() (int64, int64) { return 0, 0 })
	defer stop()
	for {
		err := b.Setup.Delete(ctx, b.Collection, client.WriteOptions{IdempotencyKey: crand.Text()})
		if errors.Is(err, client.ErrNotFound) {
			return b.purge(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s is left behind: %w", b.Collection, err)
		}
	}
}

// lookAtTrash notes what the trash has of the same path while the working collection is there: that is not of this run.
func (b *bench) lookAtTrash(ctx context.Context) {
	b.others = map[string]bool{}
	if b.Keep {
		return
	}
	for d, err := range b.Setup.Trash(ctx, b.Collection, client.ListOptions{}) {
		if err != nil {
			b.othersErr = err
			return
		}
		b.others[d.ID] = true
	}
}

// purge removes the working collection from the trash, and nothing that was there before.
func (b *bench) purge(ctx context.Context) error {
	if b.othersErr != nil {
		return fmt.Errorf("%s is left in the trash, since what else is there of that path could not be told: %w", b.Collection, b.othersErr)
	}
	for d, err := range b.Setup.Trash(ctx, b.Collection, client.ListOptions{}) {
		if err == nil && d.Path == b.Collection && !b.others[d.ID] {
			err = b.Setup.Purge(ctx, b.Collection, d.ID, client.WriteOptions{IdempotencyKey: crand.Text()})
		}
		if err != nil && !errors.Is(err, client.ErrNotFound) {
			return fmt.Errorf("%s is left in the trash: %w", b.Collection, err)
		}
	}
	return nil
}

// report tells about once a second where a phase is, until it is stopped.
func (b *bench) report(phase string, counts func() (int64, int64)) (stop func()) {
	if b.Progress == nil {
		return func() {}
	}
	ended := make(chan struct{})
	var done sync.WaitGroup
	began := b.began
	done.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			right, failed := counts()
			b.Progress(Progress{Phase: phase, Elapsed: time.Since(began), Requests: right, Errors: failed})
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	})
	return func() {
		close(ended)
		done.Wait()
	}
}
