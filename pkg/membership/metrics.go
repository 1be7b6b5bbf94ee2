package membership

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts for one group; it is the Prometheus collector of it, too. The domain is a constant label, so groups can share a registerer. The
// names begin with Config.MetricPrefix.
type metrics struct {
	events   *prometheus.CounterVec
	attempts *prometheus.CounterVec
	rejected *prometheus.CounterVec
	messages *prometheus.CounterVec
	members  *prometheus.Desc
	health   *prometheus.Desc

	// set by register
	snapshot   func() []Member
	score      func() int
	registerer prometheus.Registerer
}

// The values of the label result of …_rejoin_attempts_total.
const (
	resultOK    = "ok"
	resultError = "error"
)

// The values of the label reason of …_rejected_total.
const (
	rejectMeta      = "metadata"  // cannot be read
	rejectDomain    = "domain"    // metadata of another domain
	rejectIdentity  = "identity"  // gossip name and metadata disagree, or the id is another member's
	rejectLabel     = "label"     // packet or stream of another group
	rejectKey       = "key"       // packet or stream that is not encrypted with one of our keys
	rejectCIDR      = "cidr"      // packet, stream or announced address outside Policy.From
	rejectPolicy    = "policy"    // announced address or host that Policy never or not accepts
	rejectOversized = "oversized" // packet or stream, or what is compressed in it
	rejectMalformed = "malformed" // packet or stream that cannot be read
)

// The values of the label result of …_messages_total.
const (
	messageSent      = "sent"
	messageFailed    = "failed" // could not be sent
	messageReceived  = "received"
	messageMalformed = "malformed" // cannot be read
	messageStranger  = "stranger"  // of no member that is in sight
	messageOverflow  = "overflow"  // there were too many at once
	messageUnwanted  = "unwanted"  // this process takes none
)

// rejectReasons are all of them.
func rejectReasons() []string {
	return []string{rejectMeta, rejectDomain, rejectIdentity, rejectLabel, rejectKey, rejectCIDR, rejectPolicy, rejectOversized, rejectMalformed}
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics(domain, prefix string) *metrics {
	labels := prometheus.Labels{"domain": domain}
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help, ConstLabels: labels}, []string{label})
		for _, value := range values {
			v.WithLabelValues(value)
		}
		return v
	}
	return &metrics{
		events: counter("_events_total", "Changes of the member table, by what happened to the member.", "event",
			eventJoined, eventUpdated, eventLeft, eventLost, eventHidden),
		attempts: counter("_rejoin_attempts_total", "Seeds and lost peers asked to join, by result.", "result",
			resultOK, resultError),
		rejected: counter("_rejected_total", "Members, packets and streams refused, by reason.", "reason",
			rejectReasons()...),
		messages: counter("_messages_total", "Messages between two members, by what became of them.", "result",
			messageSent, messageFailed, messageReceived, messageMalformed, messageStranger, messageOverflow, messageUnwanted),
		members: prometheus.NewDesc(prefix+"_members", "Members seen, this process included, by state.", []string{"state"}, labels),
		health: prometheus.NewDesc(prefix+"_health_score",
			"How badly this process meets the gossip protocol's deadlines, 0 (well) to 7.", nil, labels),
	}
}

// register makes the group's metrics visible; no registerer is fine.
func (g *Group) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	g.metrics.snapshot, g.metrics.score = g.Members, g.list.GetHealthScore
	if err := r.Register(g.metrics); err != nil {
		return fmt.Errorf("register the metrics of domain %s: %w", g.view.domain, err)
	}
	g.metrics.registerer = r
	return nil
}

func (m *metrics) unregister() {
	if m.registerer != nil {
		m.registerer.Unregister(m)
	}
}

func (m *metrics) reject(reason string)  { m.rejected.WithLabelValues(reason).Inc() }
func (m *metrics) message(result string) { m.messages.WithLabelValues(result).Inc() }
func (m *metrics) rejoin(result string)  { m.attempts.WithLabelValues(result).Inc() }

func (m *metrics) count(c change) {
	m.events.WithLabelValues(c.kind).Inc()
	if c.reason != "" {
		m.reject(c.reason)
	}
}

// Describe is part of prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.events.Describe(ch)
	m.attempts.Describe(ch)
	m.rejected.Describe(ch)
	m.messages.Describe(ch)
	ch <- m.members
	ch <- m.health
}

// Collect is part of prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.events.Collect(ch)
	m.attempts.Collect(ch)
	m.rejected.Collect(ch)
	m.messages.Collect(ch)
	var counts [stateCount]int
	for _, member := range m.snapshot() {
		counts[member.State]++
	}
	for s := range stateCount {
		ch <- prometheus.MustNewConstMetric(m.members, prometheus.GaugeValue, float64(counts[s]), s.String())
	}
	ch <- prometheus.MustNewConstMetric(m.health, prometheus.GaugeValue, float64(m.score()))
}
