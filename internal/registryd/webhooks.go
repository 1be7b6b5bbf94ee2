package registryd

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/webhook"
)

// WebhooksConfig is how webhooks are delivered.
type WebhooksConfig struct {
	// Allow are addresses and CIDR ranges inside that may be sent to, and any that may be sent to by plain http.
	Allow []string `yaml:"allow"`
	// Timeout bounds one try.
	Timeout time.Duration `yaml:"timeout"`
	// GiveUpAfter is how long a receiver may fail until what it was to be told is given up, event by event.
	GiveUpAfter time.Duration `yaml:"give_up_after"`
	// KeepLog is how long deliveries are shown.
	KeepLog time.Duration `yaml:"keep_log"`
}

func (c WebhooksConfig) validate(d *daemon.Document) []error {
	var faults []error
	for i, p := range c.Allow {
		if _, err := daemon.ParsePrefix(p); err != nil {
			faults = append(faults, d.Fault(fmt.Sprintf("webhooks.allow[%d]", i), "%q is neither an IP address nor a CIDR range", p))
		}
	}
	for _, v := range []struct {
		key         string
		value, most time.Duration
		least       time.Duration
	}{
		{"timeout", c.Timeout, time.Minute, 100 * time.Millisecond},
		{"give_up_after", c.GiveUpAfter, 30 * 24 * time.Hour, time.Minute},
		{"keep_log", c.KeepLog, 366 * 24 * time.Hour, time.Minute},
	} {
		if v.value < v.least || v.value > v.most {
			faults = append(faults, d.Fault("webhooks."+v.key, "is %s; it must be from %s to %s", v.value, v.least, v.most))
		}
	}
	return faults
}

// prefixes are the ranges of Allow, which were checked.
func (c WebhooksConfig) prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range c.Allow {
		if p, err := daemon.ParsePrefix(s); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// webhooks is how the service delivers.
func (n *node) webhooks(store registry.WebhookStore) registry.Webhooks {
	c := n.config.Webhooks
	return registry.Webhooks{
		Store: store, Sender: webhook.New(webhook.Config{Allow: c.prefixes(), Timeout: c.Timeout, Agent: "Regent/" + daemon.Version()}),
		Shared: sortedKeys(n.config.sharedStores()), Observer: newWebhookMetrics(n.metrics), GiveUp: c.GiveUpAfter, Keep: c.KeepLog,
		Warn: func(ctx context.Context, what string, err error) {
			n.log.WarnContext(ctx, "webhooks", "what", what, "error", err)
		},
	}
}

// webhookMetrics counts deliveries, at the node that makes them.
type webhookMetrics struct {
	deliveries *prometheus.CounterVec
	durations  prometheus.Histogram
	waiting    prometheus.Gauge
	lag        prometheus.Gauge
	operations prometheus.Gauge
}

func newWebhookMetrics(r prometheus.Registerer) *webhookMetrics {
	m := &webhookMetrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "registry_webhook_deliveries_total", Help: "Tries to deliver to webhooks, by result: delivered, retry (it is tried again) or failed (given up).",
		}, []string{"result"}),
		durations: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "registry_webhook_duration_seconds", Help: "How long receivers of webhooks took.", Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "registry_webhook_waiting", Help: "Webhooks whose receivers fail, and with them what comes after. 0 at nodes that do not deliver.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "registry_webhook_lag_seconds", Help: "How long the receiver that has failed longest has done so. 0 at nodes that do not deliver.",
		}),
		operations: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "registry_webhook_behind_operations", Help: "How many operations of the change log the slowest webhook has not looked at. 0 at nodes that do not deliver.",
		}),
	}
	for _, result := range []string{"delivered", "retry", "failed"} {
		m.deliveries.WithLabelValues(result)
	}
	r.MustRegister(m.deliveries, m.durations, m.waiting, m.lag, m.operations)
	return m
}

// Delivered implements [registry.WebhookObserver].
func (m *webhookMetrics) Delivered(result string, d time.Duration) {
	m.deliveries.WithLabelValues(result).Inc()
	m.durations.Observe(d.Seconds())
}

// Behind implements [registry.WebhookObserver].
func (m *webhookMetrics) Behind(waiting int, lag time.Duration, operations int64) {
	m.waiting.Set(float64(waiting))
	m.lag.Set(lag.Seconds())
	m.operations.Set(float64(operations))
}
