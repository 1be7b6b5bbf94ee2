package drill

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Summary is what became of some requests. Sent is OK and all of Failed together.
type Summary struct {
	Sent, OK      int
	Failed        map[string]int // by the word of the fault
	P50, P99, Max time.Duration  // of the latency, failed requests included
	First         error          `json:"-"` // the first failure
}

// Failures is how many requests failed.
func (s Summary) Failures() int { return s.Sent - s.OK }

// String is for people.
func (s Summary) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d sent, %d ok, p50 %v, p99 %v, max %v", s.Sent, s.OK, round(s.P50), round(s.P99), round(s.Max))
	for _, word := range slices.Sorted(maps.Keys(s.Failed)) {
		fmt.Fprintf(&text, ", %s %d", word, s.Failed[word])
	}
	if s.First != nil {
		fmt.Fprintf(&text, " (first: %.200s)", strings.Join(strings.Fields(s.First.Error()), " "))
	}
	return text.String()
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// Summarise sums up the samples that take says yes to.
func Summarise(samples []Sample, take func(Sample) bool) Summary {
	s := Summary{Failed: map[string]int{}}
	var took []time.Duration
	for _, one := range samples {
		if !take(one) {
			continue
		}
		s.Sent++
		took = append(took, one.Took)
		if one.Err == nil {
			s.OK++
			continue
		}
		s.Failed[word(one.Err)]++
		if s.First == nil {
			s.First = one.Err
		}
	}
	slices.Sort(took)
	s.P50, s.P99, s.Max = Quantile(took, 0.5), Quantile(took, 0.99), Quantile(took, 1)
	return s
}

// word says in one word why a request failed.
func word(err error) string {
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault.Word
	}
	return "wrong"
}

// Quantile gives the smallest of the sorted values that at least the part q of them does not exceed; 0 when there is none.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted)) + 0.999999) // rounded up
	return sorted[min(max(i, 1), len(sorted))-1]
}
