package queue_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// away is an uplink whose host cannot be reached.
type away struct{}

func (away) Prepare(context.Context) (queue.Line, error) {
	return queue.Line{}, errors.New("no route to host")
}

func (away) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{}, queue.ErrNotSent
}

// busy is an uplink whose host asks the background to come again in an hour.
type busy struct{ approving }

func (busy) Prepare(context.Context) (queue.Line, error) {
	return queue.Line{}, &queue.PauseError{After: time.Hour, Err: errors.New("503")}
}

var second = queue.Lane{Host: "second acquirer", Merchant: "M2", Terminal: "00000002"}

// A sale that never left goes to another host by a person's decision.
func ExampleQueue_Move() {
	q, done := open()
	defer done()
	ctx := context.Background()
	e, err := q.Append(ctx, cash("order-1"))
	if err != nil {
		panic(err)
	}
	moved, err := q.Move(ctx, e.ID, second, "by hand", "the first host is closed today")
	fmt.Println(moved.ID == e.ID, moved.Lane.Host, moved.Home.Host, err)
	fmt.Println(q.Drain(ctx, second, approving{}))
	_, err = q.Move(ctx, e.ID, lane, "by hand", "")
	fmt.Println(errors.Is(err, queue.ErrState))
	// Output:
	// true second acquirer acquirer <nil>
	// <nil>
	// true
}

// While the first host cannot be reached its sales go to a second one.
func ExampleQueue_Failover() {
	q, done := open()
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go q.Forward(ctx, lane, away{})
	go q.Forward(ctx, second, approving{})
	plan := queue.OutagePlan{Name: "second acquirer after a moment", From: lane, To: second, After: time.Millisecond,
		Tenders: []queue.Tender{queue.Cash}, Return: true}
	if _, err := q.Append(ctx, cash("order-1")); err != nil {
		panic(err)
	}
	err := q.Failover(ctx, plan, func(e queue.Entry) {
		fmt.Println(e.Ref, "goes to", e.Lane.Host)
		cancel()
	})
	fmt.Println(err)
	// Output:
	// order-1 goes to second acquirer
	// context canceled
}

// A screen shows how a lane gets on.
func ExampleQueue_Pace() {
	q, done := open()
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := q.Append(ctx, cash("order-1")); err != nil {
		panic(err)
	}
	ended := make(chan error)
	go func() { ended <- q.Forward(ctx, lane, busy{}) }()
	var p queue.Pace
	var err error
	screen := time.NewTicker(time.Millisecond)
	defer screen.Stop()
	for p.Why != queue.PaceSlot && err == nil {
		<-screen.C
		p, err = q.Pace(lane)
	}
	cancel()
	<-ended
	fmt.Println(p.Why, p.Failures, time.Until(p.Next) > 30*time.Minute, err)
	// Output: slot 1 true <nil>
}

// A payment goes at once, whatever pause the background keeps; NetworkBack ends
// the pause after failures.
func ExampleQueue_NetworkBack() {
	q, done := open()
	defer done()
	ctx := context.Background()
	q.NetworkBack()
	e, err := q.Do(ctx, approving{}, cash("order-1"))
	fmt.Println(e.State, err)
	// Output: accepted <nil>
}

// What a program sends beside Forward keeps the same pauses.
func ExampleQueue_Rest() {
	q, done := open()
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for failures := 1; ; failures++ {
		err := &queue.PauseError{After: time.Millisecond, Err: errors.New("the statement is not ready")}
		if failures == 3 {
			cancel()
		}
		if err := q.Rest(ctx, lane, failures, err); err != nil {
			fmt.Println(failures, err)
			return
		}
	}
	// Output: 3 context canceled
}

// The maintenance of a host is declared once: it is no failure.
func ExampleMaintenance() {
	q, done := openWith(&queue.Options{Unsealed: true, Lanes: map[queue.Lane]queue.LaneOptions{lane: {Maintenance: []queue.Maintenance{
		{Start: time.Now().AddDate(0, 0, -7).Add(-time.Minute), Length: 2 * time.Hour, EveryDays: 1},
	}}}})
	defer done()
	p, err := q.Pace(lane)
	fmt.Println(p.Why, time.Until(p.Next) > time.Hour, p.Failures, err)
	// Output: planned true 0 <nil>
}
