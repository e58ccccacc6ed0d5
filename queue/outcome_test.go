package queue

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcomeTable writes the table of queue/doc.go from outcome itself.
func outcomeTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "//\t%-12s %-9s %-9s %-17s %-17s %s\n", "answer", dutyRequest, dutyAtRisk, dutyAdvice, dutyRefund, dutyReversal)
	for v := Unknown; v <= Refused; v++ {
		cell := func(d duty, a answered) string {
			a.verdict = v
			s, _ := outcome(d, a)
			return s.String()
		}
		either := func(d duty, first, second answered) string {
			x, y := cell(d, first), cell(d, second)
			if x == y {
				return x
			}
			return x + " / " + y
		}
		fmt.Fprintf(&b, "//\t%-12s %-9s %-9s %-17s %-17s %s\n", v, cell(dutyRequest, answered{}), cell(dutyAtRisk, answered{}),
			either(dutyAdvice, answered{}, answered{repeat: true}), either(dutyRefund, answered{}, answered{repeat: true}),
			either(dutyReversal, answered{}, answered{repeat: true, undone: true}))
	}
	return b.String()
}

func TestDocTableIsWhatOutcomeSays(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Contains(t, string(doc), outcomeTable(), "doc.go must hold:\n%s", outcomeTable())
}

// TestEveryAnswer drives each verdict through Do, Append and Reverse and
// checks the state that a user sees.
func TestEveryAnswer(t *testing.T) {
	for v, want := range map[Verdict]struct{ request, advice, refund State }{
		Unknown:     {Reversed, InDoubt, InDoubt},
		Approved:    {Accepted, Accepted, Accepted},
		Partial:     {Reversed, Parked, Parked},
		Duplicate:   {Parked, Parked, Parked},
		Unavailable: {Declined, InDoubt, InDoubt},
		NotFound:    {Declined, Parked, Declined},
		Refused:     {Declined, Parked, Declined},
	} {
		t.Run(v.String(), func(t *testing.T) {
			q := openNew(t, fast)
			first, err := q.Do(bg, uplink{send: approve}, cardSale("first"))
			require.NoError(t, err)
			_, _ = q.Do(bg, answering(v, "xx"), cardSale("request"))
			require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
			once := func(tr Transaction) {
				_, err := q.Append(bg, tr)
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				_ = q.Drain(ctx, cardLane, uplink{send: func(context.Context, Entry) (Answer, error) {
					cancel()
					return Answer{Verdict: v}, nil
				}})
			}
			once(offlineSale("advice"))
			adviceState := stateOf(t, q, "advice")
			if adviceState == InDoubt {
				require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
			}
			once(Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: first.ID, Amount: Money{100, CNY}})
			require.Equal(t, want.request, stateOf(t, q, "request"))
			require.Equal(t, want.advice, adviceState)
			require.Equal(t, want.refund, stateOf(t, q, "refund"))
		})
	}
}

func stateOf(t *testing.T, q *Queue, ref string) State {
	e, err := q.ByRef(bg, ref)
	require.NoError(t, err)
	return e.State
}

// A repeat that is answered "duplicate" was delivered by an earlier attempt.
func TestDuplicateOfARepeatIsDelivered(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	n := 0
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		if n++; n == 1 {
			return silent(ctx, e)
		}
		return Answer{Verdict: Duplicate, Code: "94"}, nil
	}}))
	require.Equal(t, Accepted, stateOf(t, q, "s"))
}

// An attempt proven unsent does not make the next one a repeat.
func TestDuplicateAfterAnUnsentAttemptIsParked(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	n := 0
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: func(_ context.Context, e Entry) (Answer, error) {
		if n++; n == 1 {
			return Answer{}, ErrNotSent
		}
		require.False(t, e.Repeat)
		return Answer{Verdict: Duplicate, Code: "94"}, nil
	}}))
	require.Equal(t, Parked, stateOf(t, q, "s"))
}

// "Nothing to reverse" ends a reversal only where no approval was seen and the
// host's batch is still the same.
func TestNothingToReverse(t *testing.T) {
	for _, c := range []struct {
		name     string
		first    Answer
		newBatch bool
		want     State
	}{
		{"never approved", Answer{Verdict: Unknown, Code: "68"}, false, Reversed},
		{"approved in part", Answer{Verdict: Partial, Code: "10"}, false, Parked},
		{"another host batch", Answer{Verdict: Unknown, Code: "68"}, true, Parked},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := openNew(t, fast)
			batch := uint32(5)
			_, err := q.Do(bg, numbered(func(context.Context, Entry) (Answer, error) { return c.first, nil }, &batch), cardSale("s"))
			require.ErrorIs(t, err, ErrInDoubt)
			if c.newBatch {
				batch++
			}
			require.NoError(t, q.Drain(bg, cardLane, numbered(answering(NotFound, "25").send, &batch)))
			require.Equal(t, c.want, stateOf(t, q, "s"))
			require.NoError(t, q.Verify(bg))
		})
	}
}
