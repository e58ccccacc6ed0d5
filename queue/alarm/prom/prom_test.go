package prom

import (
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
)

var _ alarm.Metrics = (*Metrics)(nil)

var lane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}

// exposed is what a server scrapes from a registry.
func exposed(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	return w.Body.String()
}

func TestExposition(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := New(r)
	require.NoError(t, err)
	m.Backlog(queue.Backlog{Lane: lane, Waiting: 3, Parked: 1, Oldest: 90 * time.Second,
		Sums: []queue.Money{{Minor: 1250, Currency: queue.CNY}, {Minor: 99, Currency: queue.USD}}})
	m.Prepared(lane, 2*time.Second, 0)
	m.Prepared(lane, time.Second, alarm.NoNetwork)
	m.Prepared(lane, time.Second, alarm.NoNetwork)
	m.Sent(lane, queue.Request, 300*time.Millisecond, true)
	m.Sent(lane, queue.Advice, time.Minute, false)
	warning := func(s alarm.State, c queue.Currency) {
		m.Warned(&alarm.Warning{Lane: lane, Kind: alarm.Amount, State: s, Currency: c})
	}
	warning(alarm.Raised, queue.CNY)
	warning(alarm.Raised, queue.USD)
	warning(alarm.Worse, queue.USD)
	warning(alarm.Cleared, queue.USD)

	text := exposed(t, r)
	const of = `host="acquirer",merchant="898100000000001",terminal="10000001"`
	for _, line := range []string{
		`tallystick_backlog_entries{` + of + `} 3`,
		`tallystick_backlog_amount_minor_units{currency="CNY",` + of + `} 1250`,
		`tallystick_backlog_amount_minor_units{currency="USD",` + of + `} 99`,
		`tallystick_backlog_oldest_seconds{` + of + `} 90`,
		`tallystick_parked_entries{` + of + `} 1`,
		`tallystick_line_up{` + of + `} 0`,
		`tallystick_line_failures_total{cause="no_network",` + of + `} 2`,
		`tallystick_line_setup_duration_seconds_count{` + of + `} 1`,
		`tallystick_answer_duration_seconds_sum{` + strings.Replace(of, `merchant`, `kind="request",merchant`, 1) + `} 0.3`,
		`tallystick_answer_duration_seconds_bucket{` + strings.Replace(of, `merchant`, `kind="request",merchant`, 1) + `,le="0.5"} 1`,
		`tallystick_unanswered_total{` + strings.Replace(of, `merchant`, `kind="advice",merchant`, 1) + `} 1`,
		`tallystick_warning_active{` + of + `,warning="amount"} 1`,
		`tallystick_warnings_total{` + of + `,warning="amount"} 2`,
		"# TYPE tallystick_answer_duration_seconds histogram",
		"# TYPE tallystick_line_failures_total counter",
		"# TYPE tallystick_backlog_entries gauge",
	} {
		require.Contains(t, text, line+"\n")
	}

	// What waits no more is shown as none, not as it was.
	m.Backlog(queue.Backlog{Lane: lane})
	warning(alarm.Cleared, queue.CNY)
	m.Prepared(lane, time.Second, 0)
	text = exposed(t, r)
	for _, line := range []string{
		`tallystick_backlog_entries{` + of + `} 0`,
		`tallystick_backlog_amount_minor_units{currency="CNY",` + of + `} 0`,
		`tallystick_backlog_oldest_seconds{` + of + `} 0`,
		`tallystick_warning_active{` + of + `,warning="amount"} 0`,
		`tallystick_line_up{` + of + `} 1`,
	} {
		require.Contains(t, text, line+"\n")
	}
}

// Names, help texts and units are as Prometheus' own linter asks for.
func TestNames(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	m, err := New(r)
	require.NoError(t, err)
	m.Backlog(queue.Backlog{Lane: lane, Waiting: 1, Oldest: math.MaxInt64, Sums: []queue.Money{{Minor: 1, Currency: 36}}})
	m.Prepared(lane, 1, 0)
	m.Prepared(lane, 1, alarm.Silent)
	m.Sent(lane, queue.Request, 1, true)
	m.Sent(lane, queue.Request, 1, false)
	m.Warned(&alarm.Warning{Lane: lane, Kind: alarm.Parked, State: alarm.Raised})
	problems, err := testutil.GatherAndLint(r)
	require.NoError(t, err)
	require.Empty(t, problems)
	families, err := r.Gather()
	require.NoError(t, err)
	require.Len(t, families, 11)
}

// A second adapter in one registry is refused and leaves it as it was.
func TestNewTwice(t *testing.T) {
	r := prometheus.NewRegistry()
	first, err := New(r)
	require.NoError(t, err)
	_, err = New(r)
	var twice prometheus.AlreadyRegisteredError
	require.ErrorAs(t, err, &twice)
	first.Sent(lane, queue.Request, 1, true)
	require.Contains(t, exposed(t, r), "tallystick_answer_duration_seconds_count")

	taken := prometheus.NewRegistry()
	taken.MustRegister(prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tallystick", Name: "parked_entries", Help: "another's"}, []string{"x"}))
	_, err = New(taken)
	require.Error(t, err)
	families, err := taken.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
	require.NoError(t, taken.Register(first.entries), "what was registered before the error is not left behind")
}

func TestConcurrentUse(t *testing.T) {
	r := prometheus.NewRegistry()
	m, err := New(r)
	require.NoError(t, err)
	done := make(chan struct{})
	for i := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			l := queue.Lane{Host: fmt.Sprint(i % 2)}
			for n := range 200 {
				m.Backlog(queue.Backlog{Lane: l, Sums: []queue.Money{{Minor: 1, Currency: queue.Currency(1 + n%3)}}})
				m.Warned(&alarm.Warning{Lane: l, Kind: alarm.Age, State: alarm.State(1 + n%3)})
				m.Sent(l, queue.Advice, time.Second, n%2 == 0)
			}
		}()
	}
	for range 4 {
		<-done
	}
	_, err = r.Gather()
	require.NoError(t, err)
}
