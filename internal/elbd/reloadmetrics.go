package elbd

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/internal/daemon"
)

// reloadMetrics tell of configurations.
type reloadMetrics struct {
	reloads *prometheus.CounterVec
	success prometheus.Gauge
	since   prometheus.Gauge
	epoch   prometheus.Gauge
}

// The values of the label result.
const (
	resultOK    = "ok"
	resultError = "error"
)

func newReloadMetrics(r prometheus.Registerer) (*reloadMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &reloadMetrics{
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "elb_config_reloads_total", Help: "Reloads of the configuration, by result."}, []string{"result"}),
		success: gauge("elb_config_last_reload_success", "1 when the last reload succeeded, or there was none; 0 when it failed and the configuration before is in use."),
		since:   gauge("elb_config_last_reload_success_timestamp_seconds", "When the configuration in use was loaded."),
		epoch:   gauge("elb_config_epoch", "The configuration in use as a number, the same for the same effective configuration; in hexadecimal it is the epoch of /status."),
	}
	for _, result := range []string{resultOK, resultError} {
		m.reloads.WithLabelValues(result)
	}
	for _, c := range []prometheus.Collector{m.reloads, m.success, m.since, m.epoch} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// inUse tells of a configuration that has come into use.
func (m *reloadMetrics) inUse(e *effective) {
	number, err := strconv.ParseUint(e.epoch, 16, 32)
	if err == nil { // it is made of hex digits
		m.epoch.Set(float64(number))
	}
	m.success.Set(1)
	m.since.Set(float64(e.since.UnixMilli()) / 1000)
}

func (m *reloadMetrics) failed() {
	m.reloads.WithLabelValues(resultError).Inc()
	m.success.Set(0)
}

// certificateCollector tells until when the certificates are valid, when it is asked.
type certificateCollector struct {
	secrets *daemon.TLS
	end     *prometheus.Desc
}

func newCertificateCollector(secrets *daemon.TLS) *certificateCollector {
	return &certificateCollector{secrets, prometheus.NewDesc("elb_tls_cert_not_after_seconds",
		"When a certificate for clients stops being valid, in Unix time.", []string{"file"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *certificateCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.end }

// Collect implements prometheus.Collector.
func (c *certificateCollector) Collect(ch chan<- prometheus.Metric) {
	told := map[string]bool{}
	for _, end := range c.secrets.CertificateEnds() {
		if !told[end.File] { // one that is listed twice
			told[end.File] = true
			ch <- prometheus.MustNewConstMetric(c.end, prometheus.GaugeValue, float64(end.At.Unix()), end.File)
		}
	}
}
