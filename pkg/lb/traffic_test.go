package lb

import (
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// afterAttempt is an exchange whose attempt just ended: first byte after that time, with that result.
func afterAttempt(firstByte time.Duration, r Result) *exchange {
	return &exchange{firstByte: firstByte, result: r, status: r.Status}
}

func TestTookBuckets_AreInOrderAndHoldWhatTheyName(t *testing.T) {
	t.Parallel()
	for i := range tookUnknown - 1 {
		if tookFrom(i+1) < tookFrom(i) {
			t.Fatalf("bucket %d begins at %s, the next at %s", i, tookFrom(i), tookFrom(i+1))
		}
	}
	for took := time.Microsecond; took < time.Minute; took += took/7 + time.Microsecond {
		b := tookBucket(took)
		if took.Truncate(time.Microsecond) < tookFrom(b) || took.Truncate(time.Microsecond) >= tookFrom(b+1) {
			t.Errorf("%s is in bucket %d, from %s to %s", took, b, tookFrom(b), tookFrom(b+1))
		}
	}
	for _, took := range []time.Duration{-time.Second, 0, 1, math.MaxInt64} {
		if b := tookBucket(took); b < 0 || b >= tookUnknown {
			t.Errorf("%s is in bucket %d", took, b)
		}
	}
}

func TestTraffic_RatesAndPercentilesOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newTraffic(time.Now())
		if s := statusNow(m); s != (TrafficStatus{}) {
			t.Errorf("before anything: %+v", s)
		}
		for i := range 100 {
			took := time.Millisecond
			if i >= 90 {
				took = 100 * time.Millisecond
			}
			m.count(afterAttempt(took, Result{Status: 200}), time.Now())
		}
		m.count(afterAttempt(time.Millisecond, Result{Status: 503}), time.Now())
		m.count(afterAttempt(0, Result{Failure: FailureReset, Err: errors.New("reset")}), time.Now().Add(-time.Second))
		m.count(afterAttempt(0, Result{Failure: FailureClient}), time.Now())
		time.Sleep(TrafficSampling)
		s := statusNow(m)
		if s.PerSecond != 103./2 || math.Abs(s.ErrorShare-2./103) > 1e-9 || s.WindowSeconds != 2 {
			t.Errorf("%+v", s)
		}
		if s.P50 < .0009 || s.P50 > .0013 || s.P99 < .09 || s.P99 > 1.2 {
			t.Errorf("p50 %v, p99 %v", s.P50, s.P99)
		}
		for range trafficSamples {
			m.sample(time.Now())
			time.Sleep(TrafficSampling)
		}
		if s := statusNow(m); s.PerSecond != 0 || s.P50 != 0 || s.ErrorShare != 0 || s.WindowSeconds != 10 {
			t.Errorf("after ten quiet seconds: %+v", s)
		}
	})
}

func statusNow(m *traffic) TrafficStatus {
	r := m.recent(time.Now())
	return r.status()
}

// Counters run over after some billions of requests; the rates stay right.
func TestTraffic_CountersRunOver(t *testing.T) {
	t.Parallel()
	m := newTraffic(time.Now())
	bucket := tookBucket(time.Millisecond)
	m.took[bucket].Store(math.MaxUint32 - 1)
	m.failed.Store(math.MaxUint32)
	for range trafficSamples {
		m.sample(time.Now().Add(-time.Second))
	}
	for range 5 {
		m.count(afterAttempt(time.Millisecond, Result{Status: 500}), time.Now())
	}
	if r := m.recent(time.Now()); r.took[bucket] != 5 || r.failed != 5 {
		t.Errorf("%d requests, %d failed", r.took[bucket], r.failed)
	}
}
