package elbd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
)

func TestLoadConfig_Limits(t *testing.T) {
	t.Parallel()
	const file = `limits: {max_in_flight: 1000}
services:
  s:
    domains:
      plain.domain: {hosts: [a], members: ["http://127.0.0.1:1"]}
      own.domain:
        members: ["http://127.0.0.1:1"]
        hosts: [b]
        limits: {max_in_flight: 20}
        retry: {try_timeout: 3s, hedge: true}
        mgt: {hosts: [c], retry: {}, limits: {max_in_flight: 5, queue: {length: 0, time: 2s}}}
        worker: {hosts: [d]}
      off.domain: {hosts: [e], members: ["http://127.0.0.1:1"], limits: {max_in_flight: 0}}
`
	name := filepath.Join(t.TempDir(), "elb.yaml")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, doc, err := LoadConfig(name, []string{"ELB_SERVICES_S_DOMAINS_OWN_DOMAIN_LIMITS_QUEUE_LENGTH=7"})
	if err != nil {
		t.Fatal(err)
	}
	own := lb.LimitSpec{MaxInFlight: 20, QueueLength: 7, QueueTime: lb.DefaultQueueTime}
	want := map[string]lb.LimitSpec{
		"plain.domain/": {}, "own.domain/": own, "own.domain/worker": own, "off.domain/": {},
		"own.domain/mgt": {MaxInFlight: 5, QueueTime: 2 * time.Second},
	}
	hedged := lb.RetrySpec{TryTimeout: 3 * time.Second, Hedge: true}
	specs, faults := c.pools(doc)
	if len(faults) > 0 || len(specs) != len(want) || c.Limits.MaxInFlight != 1000 {
		t.Fatalf("%d pools, %v, %+v", len(specs), faults, c.Limits)
	}
	for _, s := range specs {
		if name := s.Domain + "/" + s.SubDomain; s.Limits != want[name] {
			t.Errorf("%s: %+v, want %+v", name, s.Limits, want[name])
		} else if retry := map[string]lb.RetrySpec{"own.domain/": hedged, "own.domain/worker": hedged}[name]; s.Retry != retry {
			t.Errorf("%s: %+v, want %+v", name, s.Retry, retry)
		}
	}
	if _, err := lb.NewRoutes(specs); err != nil {
		t.Error(err)
	}
}

func TestLoadConfig_LimitFaults(t *testing.T) {
	t.Parallel()
	const head = "limits: {max_in_flight: -1}\nservices:\n  s:\n    domains:\n      d:\n        members: [\"http://127.0.0.1:1\"]\n        "
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"all at once": {
			"mgt: {hosts: [a]}\n        worker: {hosts: [b]}\n        limits:\n          max_in_flight: 1\n          queue:\n            length: -1\n            time: 0s\n",
			[]string{":12: services.s.domains.d.limits.queue.length: is -1; it must be from 0", ":13: services.s.domains.d.limits.queue.time: is 0s; it must be from 1ms to 1m"},
		},
		"negative": {"hosts: [a]\n        limits: {max_in_flight: -5}\n", []string{":8: services.s.domains.d.limits.max_in_flight: is -5"}},
		"a queue alone": {
			"hosts: [a]\n        limits: {queue: {length: 5}}\n", []string{":8: services.s.domains.d.limits.queue: is never used without max_in_flight"},
		},
		"too long": {
			"hosts: [a]\n        limits: {max_in_flight: 1, queue: {length: 10001, time: 1h}}\n",
			[]string{"queue.length: is 10001; it must be from 0, which is no queue, to 10000", "queue.time: is 1h0m0s; it must be from 1ms to 1m"},
		},
		"try": {
			"mgt: {hosts: [a], retry: {try_timeout: -1s}}\n        sub_domains: {store: {hosts: [b]}, other: {hosts: [c]}}\n        retry: {try_timeout: 1ms}\n",
			[]string{":7: services.s.domains.d.mgt.retry.try_timeout: is -1s; it must be at least 20ms, or 0s", ":9: services.s.domains.d.retry.try_timeout: is 1ms"},
		},
		"hedge": {
			"mgt: {hosts: [a], retry: {hedge: true}}\n        sub_domains: {store: {hosts: [b]}, other: {hosts: [c]}}\n        retry:\n          hedge: true\n          try_timeout: 0s\n",
			[]string{":7: services.s.domains.d.mgt.retry.hedge: is never used without try_timeout", ":10: services.s.domains.d.retry.hedge: is never used without try_timeout"},
		},
		"unknown": {"hosts: [a]\n        limits: {max_inflight: 1}\n", []string{"limits.max_inflight: unknown key; did you mean max_in_flight?"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := loadText(t, head+c.yaml)
			if err == nil {
				t.Fatal("no fault")
			}
			for _, want := range append(c.want, ":1: limits.max_in_flight: is -1; it must not be negative; 0 is no limit") {
				if strings.Count(err.Error(), want) != 1 {
					t.Errorf("%s\ndoes not say once %s", err, want)
				}
			}
		})
	}
}
