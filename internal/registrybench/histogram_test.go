package registrybench

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// TestHistogram_Quantiles compares with what sorting gives.
func TestHistogram_Quantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 2, 10, 1000, 100_000} {
		var h histogram
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = time.Duration(math.Exp(random.Float64() * 27)) // from a nanosecond to some minutes
			h.add(all[i])
		}
		slices.Sort(all)
		for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			got := h.quantile(q)
			if n == 0 {
				if got != 0 {
					t.Errorf("quantile of nothing: %v", got)
				}
				continue
			}
			exact := all[max(0, min(n, int(q*float64(n)+0.999999))-1)]
			if got < exact || float64(got) > float64(exact)*1.017+float64(time.Microsecond) {
				t.Errorf("%d values: quantile %g is %v, sorted it is %v", n, q, got, exact)
			}
		}
	}
	var h histogram
	h.add(-time.Second)
	h.add(math.MaxInt64)
	if h.quantile(0.1) > time.Microsecond || h.quantile(1) < 24*time.Hour {
		t.Errorf("outside of the range: %v and %v", h.quantile(0.1), h.quantile(1))
	}
	for i := range histogramBuckets - 1 {
		if bucketOf(endOf(i)-1) != i || bucketOf(endOf(i)) != i+1 {
			t.Fatalf("bucket %d ends at %v, in bucket %d", i, endOf(i), bucketOf(endOf(i)-1))
		}
	}
}

// TestContent: what one write stores is one text however it is read, which no other write's is, and check knows it.
func TestContent(t *testing.T) {
	f := newFiller()
	for _, size := range []int64{MinSize, 100, 16<<10 + headSize, 200_000} {
		c := f.content(7, 12345, size)
		whole, err := io.ReadAll(c)
		if err != nil || int64(len(whole)) != size {
			t.Fatalf("%d bytes, %v; want %d", len(whole), err, size)
		}
		if at, err := c.Seek(0, io.SeekStart); at != 0 || err != nil {
			t.Fatal(at, err)
		}
		small, err := io.ReadAll(iotest.OneByteReader(c))
		if err != nil || string(small) != string(whole) {
			t.Errorf("%d bytes: read one by one they are others, %v", size, err)
		}
		other, _ := io.ReadAll(f.content(7, 12346, size))
		if string(other) == string(whole) || size > 1000 && string(other[headSize:]) == string(whole[headSize:]) {
			t.Errorf("%d bytes: two writes store the same", size)
		}
		if err := f.check(iotest.HalfReader(strings.NewReader(string(whole))), 7, size, 12345); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		for name, wrong := range map[string]string{"longer": string(whole) + "x", "shorter": string(whole[:size-1]), "of both": string(whole[:headSize]) + string(other[headSize:])} {
			if err := f.check(strings.NewReader(wrong), 7, size, 12345); err == nil && (name != "of both" || size > 1000) {
				t.Errorf("%d bytes, %s: taken for right", size, name)
			}
		}
	}
}
