package prom_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/alarm/prom"
)

// untilSeen ends the example when the first backlog was seen.
type untilSeen struct {
	*prom.Metrics
	stop context.CancelFunc
}

func (u untilSeen) Backlog(b queue.Backlog) {
	u.Metrics.Backlog(b)
	u.stop()
}

// A back office collects what waits on a device.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "till-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		panic(err)
	}
	defer q.Close()

	registry := prometheus.NewRegistry() // in an app: prometheus.DefaultRegisterer
	metrics, err := prom.New(registry)
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	monitor, err := alarm.New(q, &alarm.Options{Metrics: untilSeen{metrics, stop}}) // in an app: Metrics: metrics
	if err != nil {
		panic(err)
	}
	_, err = q.Append(context.Background(), queue.Transaction{Ref: "order-1", Lane: queue.Lane{Host: "depot", Merchant: "M1", Terminal: "C1"},
		Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
	if err != nil {
		panic(err)
	}
	fmt.Println(errors.Is(monitor.Run(ctx), context.Canceled)) // in an app: go monitor.Run(ctx)

	families, err := registry.Gather() // in an app: promhttp.Handler()
	if err != nil {
		panic(err)
	}
	for _, f := range families {
		if f.GetName() == "tallystick_backlog_amount_minor_units" {
			fmt.Println(f.GetName(), f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	// Output:
	// true
	// tallystick_backlog_amount_minor_units 990
}
