package membership

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// rejoiner asks seeds and lost peers to join, for ever: at the start until the group is found, later whenever one of them is not seen.
type rejoiner struct {
	interval time.Duration
	log      *slog.Logger
	ask      func(netip.AddrPort) error // one push/pull; bounded by the transport's timeouts
	view     *view
	metrics  *metrics

	seeds []seed
	own   func(netip.AddrPort) bool // whether an address is this process's own
	is4   bool                      // this process is at an IPv4 address

	others atomic.Bool // there are seeds besides this process itself
	found  atomic.Bool // somebody answered, or a member was seen

	mu      sync.Mutex
	lost    []netip.AddrPort // addresses of members that went without a word, oldest first; at most maxLost
	lastErr error            // of asking or looking up
}

const (
	maxLost       = 128 // addresses remembered; the oldest are forgotten first
	maxAskedLost  = 8   // lost addresses asked in one round: one answer is enough to find all of its side
	maxAskedSeeds = 16  // seed addresses asked in one round
	maxAgain      = 3   // quick rounds in a row after an answer that did not bring the peer back yet
)

// firstPauses are the pauses until the group is found; after them the interval counts.
func firstPauses() []time.Duration {
	return []time.Duration{200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second}
}

func newRejoiner(interval time.Duration, log *slog.Logger, ask func(netip.AddrPort) error, v *view, m *metrics) *rejoiner {
	return &rejoiner{interval: interval, log: log, ask: ask, view: v, metrics: m}
}

// setSeeds must be called before anything else. Seeds that are this process's own address by their text alone are dropped here; those with a
// name are recognised when the name is looked up.
func (r *rejoiner) setSeeds(seeds []seed, local Member, bound netip.AddrPort, bind netip.Addr) {
	advertised, _ := netip.ParseAddr(local.Host)
	r.own = func(a netip.AddrPort) bool {
		if a.Port() != bound.Port() && int(a.Port()) != local.Port {
			return false
		}
		return a.Addr() == advertised || a.Addr() == bound.Addr() || bind.IsValid() && bind.IsUnspecified() && ofThisMachine(a.Addr())
	}
	r.is4 = advertised.Is4()
	for _, s := range seeds {
		if ip, err := netip.ParseAddr(s.host); err == nil && r.own(netip.AddrPortFrom(ip.Unmap(), s.port)) {
			continue
		}
		r.seeds = append(r.seeds, s)
	}
	r.others.Store(len(r.seeds) > 0)
}

func ofThisMachine(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, n := range addrs {
		if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

func (r *rejoiner) hasSeeds() bool { return r.others.Load() }

// note keeps the list of lost addresses: whoever is seen at an address again, under whatever name, takes it off.
func (r *rejoiner) note(c change) {
	ip, err := netip.ParseAddr(c.member.Host)
	if err != nil || c.err != nil {
		return
	}
	addr := netip.AddrPortFrom(ip, uint16(c.member.Port))
	if c.kind == eventJoined {
		r.found.Store(true)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = remove(r.lost, addr)
	if c.kind == eventLost {
		r.lost = append(r.lost, addr)
		if len(r.lost) > maxLost {
			r.lost = r.lost[1:]
		}
	}
}

func remove(list []netip.AddrPort, addr netip.AddrPort) []netip.AddrPort {
	kept := list[:0]
	for _, a := range list {
		if a != addr {
			kept = append(kept, a)
		}
	}
	return kept
}

// run is the loop; it ends with ctx, after the asking under way.
func (r *rejoiner) run(ctx context.Context) {
	early, again, answered := firstPauses(), 0, false
	for ctx.Err() == nil {
		missing := r.missing(ctx)
		answers := r.round(ctx, missing)
		if answers > 0 && !answered {
			answered = true
			r.log.InfoContext(ctx, "joined group", "domain", r.view.domain, "answers", answers)
		}
		pause := r.interval + time.Duration(rand.Int64N(int64(r.interval)/5+1))
		switch {
		case !r.found.Load() && len(early) > 0:
			pause, early = min(pause, early[0]), early[1:]
			if len(early) == 0 && r.hasSeeds() {
				r.log.WarnContext(ctx, "no seed answers", "domain", r.view.domain, "seeds", r.seedList(), "retry_interval", r.interval.String(),
					"error", r.failure())
			}
		case answers > 0 && again < maxAgain:
			// The first answer after a partition only makes both sides refute that they are dead; the second one brings them together.
			pause, again = min(pause, time.Second), again+1
		case len(missing) == 0:
			again = 0
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// round asks the addresses in parallel and tells how many answered.
func (r *rejoiner) round(ctx context.Context, missing []netip.AddrPort) int {
	var wg sync.WaitGroup
	var answers atomic.Int32
	for _, addr := range missing {
		wg.Go(func() {
			if ctx.Err() != nil {
				return
			}
			if err := r.ask(addr); err != nil {
				r.metrics.rejoin(resultError)
				r.fail(err)
				r.log.DebugContext(ctx, "rejoin attempt", "address", addr.String(), "error", err)
				return
			}
			r.metrics.rejoin(resultOK)
			r.found.Store(true)
			answers.Add(1)
		})
	}
	wg.Wait()
	return int(answers.Load())
}

// missing gives the addresses to ask now: seeds, and some of the lost, at which no member is seen.
func (r *rejoiner) missing(ctx context.Context) []netip.AddrPort {
	seen := make(map[netip.AddrPort]bool)
	for _, m := range r.view.members() {
		if ip, err := netip.ParseAddr(m.Host); err == nil {
			seen[netip.AddrPortFrom(ip, uint16(m.Port))] = true
		}
	}
	pick := func(from []netip.AddrPort, most int) []netip.AddrPort {
		var out []netip.AddrPort
		for _, i := range rand.Perm(len(from)) {
			if a := from[i]; !seen[a] && len(out) < most {
				seen[a] = true
				out = append(out, a)
			}
		}
		return out
	}
	asked := pick(r.resolve(ctx), maxAskedSeeds)
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(asked, pick(r.lost, maxAskedLost)...)
}

// resolve looks the seeds up anew in each round: addresses behind names change.
func (r *rejoiner) resolve(ctx context.Context) []netip.AddrPort {
	var out []netip.AddrPort
	var failed error
	own := 0
	for _, s := range r.seeds {
		addrs, err := lookup(ctx, s.host)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		mine := true
		for _, a := range sameFamily(addrs, r.is4) {
			if ap := netip.AddrPortFrom(a, s.port); !r.own(ap) {
				mine = false
				out = append(out, ap)
			}
		}
		if mine {
			own++
		}
	}
	r.others.Store(own < len(r.seeds))
	if failed != nil && ctx.Err() == nil {
		r.fail(failed)
		r.log.DebugContext(ctx, "seed not resolved", "error", failed)
	}
	return out
}

// sameFamily keeps the addresses of this process's own family, if there are any: "localhost" is often both 127.0.0.1 and ::1, and a member
// listens on one of them.
func sameFamily(addrs []netip.Addr, is4 bool) []netip.Addr {
	var kept []netip.Addr
	for _, a := range addrs {
		if a.Is4() == is4 {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return addrs
	}
	return kept
}

// fail remembers why the last attempt failed, for the one warning that no seed answers.
func (r *rejoiner) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastErr = err
}

func (r *rejoiner) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lastErr
}

func (r *rejoiner) seedList() []string {
	list := make([]string, len(r.seeds))
	for i, s := range r.seeds {
		list[i] = s.String()
	}
	return list
}
