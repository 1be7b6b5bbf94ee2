package elbd

import (
	"sync"
	"time"
)

// reloads is what became of reloads, for people and for metrics. Safe for concurrent use.
type reloads struct {
	mu      sync.Mutex
	tried   time.Time
	faults  []string // of the last one; none when it succeeded
	metrics *reloadMetrics
}

func (r *reloads) failed(err error) {
	r.metrics.failed()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried, r.faults = time.Now(), texts(err)
}

func (r *reloads) succeeded(e *effective) {
	r.metrics.inUse(e)
	r.metrics.reloads.WithLabelValues(resultOK).Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried, r.faults = time.Now(), nil
}

// configStatus is the configuration as /status tells it.
type configStatus struct {
	File  string `json:"file"`
	Epoch string `json:"epoch"` // the same for the same effective configuration
	// SharedEpoch is that of the part that all ELBs should have alike; this ELB announces it to the others.
	SharedEpoch string    `json:"shared_epoch"`
	LoadedAt    time.Time `json:"loaded_at"`
	// About the last reload, while the file is not what is in use.
	TriedAt *time.Time `json:"tried_at,omitempty"`
	Faults  []string   `json:"faults,omitempty"`
}

func (b *balancer) configStatus() configStatus {
	e := b.current.Load()
	s := configStatus{File: e.doc.File(), Epoch: e.epoch, SharedEpoch: formatEpoch(e.shared), LoadedAt: e.since.UTC()}
	b.reloads.mu.Lock()
	defer b.reloads.mu.Unlock()
	if s.Faults = b.reloads.faults; len(s.Faults) > 0 {
		tried := b.reloads.tried.UTC()
		s.TriedAt = &tried
	}
	return s
}
