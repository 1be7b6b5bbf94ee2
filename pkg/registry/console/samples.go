package console

import (
	"math"
	"time"
)

// Sample is what this process had counted up to a moment, since it started, and what it held then.
type Sample struct {
	At time.Time

	Requests     [5]float64 // answered, by the first digit of their status: 1xx first; without health checks
	Latency      Histogram  // of these, seconds
	InFlight     float64    // requests being served
	Watches      float64    // readers that wait for changes
	Statements   float64    // sent to the databases
	CacheHits    float64
	CacheMisses  float64
	Commits      float64 // changes committed
	CommitGroups float64 // transactions that committed them
	CPU          float64 // seconds
	Goroutines   float64
	Heap         float64 // bytes that are alive, or not collected yet
	Resident     float64 // bytes of memory that the system gave

	StatementLatency Histogram // seconds
}

// Histogram is how many values were at most as large as each bound; Total counts those above the last bound, too.
type Histogram struct {
	Bounds, Counts []float64
	Total          float64
}

// between is what came after the earlier histogram e.
func (h Histogram) between(e Histogram) Histogram {
	if len(e.Counts) != len(h.Counts) {
		return h
	}
	d := Histogram{Bounds: h.Bounds, Counts: make([]float64, len(h.Counts)), Total: h.Total - e.Total}
	for i := range h.Counts {
		d.Counts[i] = h.Counts[i] - e.Counts[i]
	}
	return d
}

// quantile is the value that a share q of all values do not exceed, as far as the bounds tell it: between two bounds it is taken to grow evenly, and
// above the last bound it is that bound. NaN without values.
func (h Histogram) quantile(q float64) float64 {
	if h.Total <= 0 || len(h.Bounds) == 0 {
		return math.NaN()
	}
	rank := q * h.Total
	low, below := 0.0, 0.0
	for i, bound := range h.Bounds {
		if h.Counts[i] >= rank {
			if h.Counts[i] == below {
				return bound
			}
			return low + (bound-low)*(rank-below)/(h.Counts[i]-below)
		}
		low, below = bound, h.Counts[i]
	}
	return low
}

// thin leaves the last sample of each step of time, those of the time before from as well as the newest: at most span/step of them, and one before.
func thin(all []Sample, from time.Time, step time.Duration) []Sample {
	var list []Sample
	for i, s := range all {
		if s.At.Before(from) && i+1 < len(all) && all[i+1].At.Before(from) {
			continue
		}
		if n := len(list); n > 0 && !list[n-1].At.Before(from) && s.At.Truncate(step).Equal(list[n-1].At.Truncate(step)) {
			list[n-1] = s
			continue
		}
		list = append(list, s)
	}
	return list
}
