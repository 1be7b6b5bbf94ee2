package lb

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// traffic counts the attempts on a member, so that people can be told its rate, its failures and its latencies over the last seconds. Requests
// add to counters that only grow; what came in the last seconds is the difference from a sample that was taken then. All methods may be
// called by many requests at once; count takes neither lock nor memory.
type traffic struct {
	failed atomic.Uint32               // attempts that the member failed, or answered with 5xx
	took   [tookBuckets]atomic.Uint32  // attempts by the time until the first byte of the answer, or until they failed
	mu     sync.Mutex                  // guards the samples
	ring   [trafficSamples]trafficMark // the newest ones, from next on the oldest first
	next   int
}

// trafficMark is what the counters were at one moment. They may run over: only differences are of interest.
type trafficMark struct {
	at     time.Time
	failed uint32
	took   [tookBuckets]uint32
}

const (
	// TrafficSampling is how often [Proxy.SampleTraffic] is to be called.
	TrafficSampling = 2 * time.Second
	trafficSamples  = 5 // so that they reach back ten seconds

	// Times are counted in buckets that grow by a quarter of an octave, from a microsecond to somewhat over a minute: four in each octave, so that a
	// percentile is off by an eighth at most. The last bucket is for attempts whose time says nothing about the member.
	tookOctaves = 26
	tookBuckets = 4*tookOctaves + 1
	tookUnknown = tookBuckets - 1
)

func newTraffic(now time.Time) *traffic {
	t := &traffic{}
	for i := range t.ring {
		t.ring[i].at = now
	}
	return t
}

// count counts the attempt that just ended.
func (t *traffic) count(x *exchange, started time.Time) {
	bucket := tookUnknown
	switch r := &x.result; {
	case r.Failure != FailureNone && r.Failure != FailureClient && r.Failure != FailureOutrun && !isShortage(r.Err):
		t.failed.Add(1)
		bucket = tookBucket(time.Since(started))
	case x.status != 0 && !x.body.streamed: // how long a client takes to send a body is its own affair
		bucket = tookBucket(x.firstByte - x.waited)
		if r.Status >= 500 {
			t.failed.Add(1)
		}
	case r.Status >= 500:
		t.failed.Add(1)
	}
	t.took[bucket].Add(1)
}

// tookBucket is the bucket of a time.
func tookBucket(took time.Duration) int {
	micros := uint64(max(took.Microseconds(), 1))
	octave := bits.Len64(micros) - 1
	quarter := micros << 2 >> octave & 3 // the two bits below the highest one
	return min(4*octave+int(quarter), tookUnknown-1)
}

// tookFrom is the shortest time of a bucket.
func tookFrom(bucket int) time.Duration {
	octave, quarter := bucket/4, bucket%4
	return time.Duration(uint64(4+quarter)<<octave) * time.Microsecond / 4
}

// mark reads the counters.
func (t *traffic) mark(now time.Time) trafficMark {
	m := trafficMark{at: now, failed: t.failed.Load()}
	for i := range t.took {
		m.took[i] = t.took[i].Load()
	}
	return m
}

// sample keeps what the counters are now, in place of the oldest sample.
func (t *traffic) sample(now time.Time) {
	m := t.mark(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ring[t.next] = m
	t.next = (t.next + 1) % trafficSamples
}

// recent is what came since the oldest sample.
func (t *traffic) recent(now time.Time) recentTraffic {
	m := t.mark(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest := &t.ring[t.next]
	r := recentTraffic{window: now.Sub(oldest.at), failed: uint64(m.failed - oldest.failed)}
	for i := range m.took {
		r.took[i] = uint64(m.took[i] - oldest.took[i])
	}
	return r
}

// recentTraffic is what came in the last seconds, to one member or to several.
type recentTraffic struct {
	window time.Duration
	failed uint64
	took   [tookBuckets]uint64
}

// add takes the traffic of another member in.
func (r *recentTraffic) add(other *recentTraffic) {
	r.window = max(r.window, other.window)
	r.failed += other.failed
	for i := range r.took {
		r.took[i] += other.took[i]
	}
}

// TrafficStatus is what members were asked in the last seconds, as the admin page shows it. Every attempt counts, also one that was made again elsewhere.
type TrafficStatus struct {
	PerSecond     float64 `json:"requests_per_second"`
	ErrorShare    float64 `json:"error_share"`           // of the requests, from 0 to 1: failed, or answered with 5xx
	P50           float64 `json:"p50_seconds,omitempty"` // until the first byte of the answer; 0 = there was none
	P99           float64 `json:"p99_seconds,omitempty"`
	WindowSeconds float64 `json:"window_seconds"` // how long the last seconds were
}

// status makes figures of the counts.
func (r *recentTraffic) status() TrafficStatus {
	s := TrafficStatus{WindowSeconds: r.window.Seconds(), P50: r.percentile(.5).Seconds(), P99: r.percentile(.99).Seconds()}
	var all uint64
	for _, n := range r.took {
		all += n
	}
	if all > 0 && r.window > 0 {
		s.PerSecond = float64(all) / r.window.Seconds()
		s.ErrorShare = min(1, float64(r.failed)/float64(all))
	}
	return s
}

// percentile is the time that this part of the attempts did not exceed, interpolated within its bucket; 0 if there is none.
func (r *recentTraffic) percentile(part float64) time.Duration {
	var timed uint64
	for _, n := range r.took[:tookUnknown] {
		timed += n
	}
	rank := part * float64(timed)
	for i, n := range r.took[:tookUnknown] {
		if n > 0 && rank <= float64(n) {
			from, to := tookFrom(i), tookFrom(i+1)
			return from + time.Duration(rank/float64(n)*float64(to-from))
		}
		rank -= float64(n)
	}
	return 0
}

// SampleTraffic remembers how much was asked of each member until now. Rates and percentiles of [Discovery.Overview] are those since the oldest sample
// that is kept. It is to be called every [TrafficSampling].
func (p *Proxy) SampleTraffic(now time.Time) {
	for _, pool := range p.table.Load().pools {
		for _, t := range pool.all() {
			t.traffic.sample(now)
		}
	}
}
