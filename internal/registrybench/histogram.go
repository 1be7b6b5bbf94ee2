package registrybench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Buckets are a microsecond wide up to 128 µs; above, each octave has 64 of them, so that a value is off by less than 1.6 %.
const (
	histogramStep    = 64
	histogramOctaves = 34 // up to 2^41 µs, some 25 days
	histogramBuckets = 2*histogramStep + (histogramOctaves-1)*histogramStep
)

// histogram counts durations. Safe for concurrent use.
type histogram struct {
	counts [histogramBuckets]atomic.Int64
	n, sum atomic.Int64 // sum in nanoseconds
	max    atomic.Int64
}

// add counts a duration; one below zero counts as zero.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(d)].Add(1)
	h.n.Add(1)
	h.sum.Add(int64(d))
	for {
		most := h.max.Load()
		if int64(d) <= most || h.max.CompareAndSwap(most, int64(d)) {
			return
		}
	}
}

func bucketOf(d time.Duration) int {
	us := uint64(d.Microseconds())
	if us < 2*histogramStep {
		return int(us)
	}
	shift := bits.Len64(us) - 7 // us>>shift is from 64 to 127
	return min(shift*histogramStep+int(us>>shift), histogramBuckets-1)
}

// endOf is the duration at which a bucket ends.
func endOf(bucket int) time.Duration {
	if bucket < 2*histogramStep {
		return time.Duration(bucket+1) * time.Microsecond
	}
	shift := bucket/histogramStep - 1
	return time.Duration((bucket-shift*histogramStep+1)<<shift) * time.Microsecond
}

// quantile gives a duration that the part q of all does not exceed: at most 1.6 % or a microsecond more than the smallest such one. 0 when there are none.
func (h *histogram) quantile(q float64) time.Duration {
	n := h.n.Load()
	rank := max(1, min(n, int64(q*float64(n)+0.999999))) // rounded up
	for i := range h.counts {
		if rank -= h.counts[i].Load(); n > 0 && rank <= 0 {
			return min(endOf(i), time.Duration(h.max.Load()))
		}
	}
	return 0
}

func (h *histogram) mean() time.Duration {
	if n := h.n.Load(); n > 0 {
		return time.Duration(h.sum.Load() / n)
	}
	return 0
}
