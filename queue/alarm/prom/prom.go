// Package prom shows the figures of package alarm to Prometheus. It is a module
// of its own, so that an app without Prometheus does not pay for it.
//
//	metrics, err := prom.New(prometheus.DefaultRegisterer)
//	monitor, err := alarm.New(q, &alarm.Options{Metrics: metrics})
//
// Each series has the lane's labels host, merchant and terminal. Money stands in
// minor units (fen, cents), times in seconds. No label and no value holds card
// data, a ref, or a key.
//
//	tallystick_backlog_entries                                gauge      entries pending or in doubt
//	tallystick_backlog_amount_minor_units{currency}           gauge      what the sales among them add up to
//	tallystick_backlog_oldest_seconds                         gauge      age of the oldest entry to be sent
//	tallystick_parked_entries                                 gauge      entries that need a person
//	tallystick_line_up                                        gauge      1 when the newest attempt to get a line got it
//	tallystick_line_failures_total{cause}                     counter    failures to connect and sign in
//	tallystick_line_setup_duration_seconds                    histogram  time until there was a line
//	tallystick_answer_duration_seconds{kind}                  histogram  time from sending to the answer
//	tallystick_unanswered_total{kind}                         counter    transmissions without an answer that counts
//	tallystick_warning_active{warning}                        gauge      1 while a warning is raised
//	tallystick_warnings_total{warning}                        counter    warnings raised
package prom

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
)

// Metrics is an alarm.Metrics that Prometheus collects. It is safe for
// concurrent use.
type Metrics struct {
	entries, amount, oldest, parked, up, active *prometheus.GaugeVec
	failures, unanswered, warnings              *prometheus.CounterVec
	setup, answers                              *prometheus.HistogramVec

	mu         sync.Mutex
	currencies map[queue.Lane]map[queue.Currency]bool // that a lane has had
	raised     map[queue.Lane]map[alarm.Kind]map[queue.Currency]bool
}

// New makes the series and registers them. The error is the registerer's: two
// Metrics in one registry are refused.
func New(r prometheus.Registerer) (*Metrics, error) {
	gauge := func(name, help string, more ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tallystick", Name: name, Help: help}, labels(more...))
	}
	counter := func(name, help string, more ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "tallystick", Name: name, Help: help}, labels(more...))
	}
	histogram := func(name, help string, more ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "tallystick", Name: name, Help: help,
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60}}, labels(more...))
	}
	m := &Metrics{
		entries:    gauge("backlog_entries", "Entries of the lane that are pending or in doubt."),
		amount:     gauge("backlog_amount_minor_units", "What the waiting sales add up to, in the currency's minor units.", "currency"),
		oldest:     gauge("backlog_oldest_seconds", "Age of the oldest entry that the forwarder has to send."),
		parked:     gauge("parked_entries", "Entries that need a person."),
		up:         gauge("line_up", "1 when the newest attempt to connect and sign in got a line, else 0."),
		failures:   counter("line_failures_total", "Failed attempts to connect and sign in.", "cause"),
		setup:      histogram("line_setup_duration_seconds", "Time until there was a line."),
		answers:    histogram("answer_duration_seconds", "Time from sending an entry to its answer.", "kind"),
		unanswered: counter("unanswered_total", "Transmissions that had no answer that counts.", "kind"),
		active:     gauge("warning_active", "1 while a warning of this kind is raised, else 0.", "warning"),
		warnings:   counter("warnings_total", "Warnings raised.", "warning"),
		currencies: map[queue.Lane]map[queue.Currency]bool{},
		raised:     map[queue.Lane]map[alarm.Kind]map[queue.Currency]bool{},
	}
	all := []prometheus.Collector{m.entries, m.amount, m.oldest, m.parked, m.up, m.failures, m.setup, m.answers,
		m.unanswered, m.active, m.warnings}
	for i, c := range all {
		if err := r.Register(c); err != nil {
			for _, done := range all[:i] {
				r.Unregister(done)
			}
			return nil, errors.Join(errors.New("prom: the series are in the registry already"), err)
		}
	}
	return m, nil
}

func labels(more ...string) []string {
	return append([]string{"host", "merchant", "terminal"}, more...)
}

func values(l queue.Lane, more ...string) []string {
	return append([]string{l.Host, l.Merchant, l.Terminal}, more...)
}

// Backlog sets the gauges of a lane.
func (m *Metrics) Backlog(b queue.Backlog) {
	m.entries.WithLabelValues(values(b.Lane)...).Set(float64(b.Waiting))
	m.oldest.WithLabelValues(values(b.Lane)...).Set(b.Oldest.Seconds())
	m.parked.WithLabelValues(values(b.Lane)...).Set(float64(b.Parked))
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.currencies[b.Lane]
	if known == nil {
		known = map[queue.Currency]bool{}
		m.currencies[b.Lane] = known
	}
	for c := range known {
		known[c] = false
	}
	for _, s := range b.Sums {
		known[s.Currency] = true
		m.amount.WithLabelValues(values(b.Lane, s.Currency.String())...).Set(float64(s.Minor))
	}
	for c, waits := range known {
		if !waits {
			m.amount.WithLabelValues(values(b.Lane, c.String())...).Set(0)
		}
	}
}

// Prepared counts an attempt to get a line.
func (m *Metrics) Prepared(l queue.Lane, took time.Duration, failed alarm.Cause) {
	if failed != 0 {
		m.failures.WithLabelValues(values(l, failed.String())...).Inc()
		m.up.WithLabelValues(values(l)...).Set(0)
		return
	}
	m.up.WithLabelValues(values(l)...).Set(1)
	m.setup.WithLabelValues(values(l)...).Observe(took.Seconds())
}

// Sent counts a transmission.
func (m *Metrics) Sent(l queue.Lane, k queue.Kind, took time.Duration, answered bool) {
	if !answered {
		m.unanswered.WithLabelValues(values(l, k.String())...).Inc()
		return
	}
	m.answers.WithLabelValues(values(l, k.String())...).Observe(took.Seconds())
}

// Warned counts a warning that is raised, and shows which are.
func (m *Metrics) Warned(w *alarm.Warning) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.raised[w.Lane] == nil {
		m.raised[w.Lane] = map[alarm.Kind]map[queue.Currency]bool{}
	}
	raised := m.raised[w.Lane][w.Kind]
	if raised == nil {
		raised = map[queue.Currency]bool{}
		m.raised[w.Lane][w.Kind] = raised
	}
	switch w.State {
	case alarm.Raised:
		raised[w.Currency] = true
		m.warnings.WithLabelValues(values(w.Lane, w.Kind.String())...).Inc()
	case alarm.Cleared:
		delete(raised, w.Currency)
	}
	active := 0.0
	if len(raised) > 0 {
		active = 1
	}
	m.active.WithLabelValues(values(w.Lane, w.Kind.String())...).Set(active)
}
