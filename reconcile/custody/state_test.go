package custody

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tallystick/tallystick/queue"
)

// model is a parcel as the guards let it change, with what no guard sees: a
// request in doubt that the host had after all.
type model struct {
	f        facts
	doubtful []int64 // payments in doubt
}

// TestGuards drives the guards at random: through them alone never more is taken
// than is due, what is paid is neither refused nor returned, and an end is an
// end.
func TestGuards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{f: facts{due: rapid.Int64Range(1, 1000).Draw(t, "due")}}
		late := false
		t.Repeat(map[string]func(*rapid.T){
			"collect": func(t *rapid.T) {
				amount := rapid.Int64Range(-5, 1200).Draw(t, "amount")
				before := m.f
				if m.f.collect(amount) != nil {
					return
				}
				if before.refused || before.returned || before.unsent {
					t.Fatalf("collected in %v", before.state())
				}
				switch rapid.SampledFrom([]string{"taken", "in doubt", "unsent", "declined"}).Draw(t, "outcome") {
				case "taken":
					m.f.paid += amount
				case "in doubt":
					m.doubtful = append(m.doubtful, amount)
				case "unsent":
					m.f.unsent = true
				}
			},
			"end the unsent one": func(*rapid.T) { m.f.unsent = false },
			"give back": func(t *rapid.T) {
				m.f.paid -= rapid.Int64Range(0, max(0, m.f.paid)).Draw(t, "back")
			},
			"refuse": func(t *rapid.T) {
				if m.f.refuse() == nil {
					m.f.refused = true
				}
			},
			"return": func(t *rapid.T) {
				if m.f.giveBack() == nil {
					m.f.returned = true
				}
			},
			"learn of a doubtful one": func(t *rapid.T) {
				if n := len(m.doubtful); n > 0 {
					m.f.paid, m.doubtful, late = m.f.paid+m.doubtful[n-1], m.doubtful[:n-1], true
				}
			},
			"": func(t *rapid.T) {
				s := m.f.state()
				if !late && s == Overpaid {
					t.Fatal("more was taken than is due, and every outcome was known")
				}
				if m.f.paid > m.f.due && s != Overpaid {
					t.Fatal("too much was taken, and the parcel does not say so")
				}
				if (m.f.refused || m.f.returned) && m.f.paid > 0 && s != Overpaid {
					t.Fatal("a parcel that goes back is paid, and does not say so")
				}
				if (s == Collected) != (m.f.paid == m.f.due && !m.f.refused && !m.f.returned) {
					t.Fatalf("%+v is %v", m.f, s)
				}
				if m.f.returned && m.f.collect(1) == nil || m.f.refused && m.f.collect(1) == nil {
					t.Fatal("what goes back can be collected")
				}
				if s == Collected && m.f.collect(1) == nil {
					t.Fatal("collected twice")
				}
			},
		})
	})
}

func TestState(t *testing.T) {
	for _, c := range []struct {
		f    facts
		want State
	}{
		{facts{due: 100}, Open},
		{facts{due: 100, unsent: true}, Open},
		{facts{due: 100, paid: 1}, PartlyPaid},
		{facts{due: 100, paid: 100}, Collected},
		{facts{due: 100, paid: 101}, Overpaid},
		{facts{due: 100, refused: true}, Refused},
		{facts{due: 100, refused: true, paid: 1}, Overpaid},
		{facts{due: 100, returned: true}, Returned},
		{facts{due: 100, refused: true, returned: true}, Returned},
		{facts{due: 100, returned: true, paid: 100}, Overpaid},
	} {
		require.Equal(t, c.want, c.f.state(), "%+v", c.f)
	}
}

// What each kind and state of a payment counts for.
func TestWorth(t *testing.T) {
	for _, kind := range []queue.Kind{queue.Request, queue.Advice} {
		for state := queue.Pending; state <= queue.Cancelled; state++ {
			e := queue.Entry{Kind: kind, State: state, Refunded: 30, Transaction: queue.Transaction{Op: queue.Sale, Amount: cny(100)}}
			var want int64
			switch {
			case state == queue.Accepted:
				want = 70
			case kind == queue.Advice && !state.Final():
				want = 100
			}
			got, unsent := worth(e, false)
			require.Equal(t, want, got, "%v %v", kind, state)
			require.Equal(t, kind == queue.Request && state == queue.Pending, unsent)
			got, _ = worth(e, true)
			require.Zero(t, got)
			e.Deferred = true
			got, unsent = worth(e, false)
			require.False(t, unsent)
			require.Equal(t, state == queue.Accepted || !state.Final(), got > 0)
		}
	}
	got, _ := worth(queue.Entry{Kind: queue.Advice, State: queue.Accepted, Transaction: queue.Transaction{Op: queue.Refund, Amount: cny(1)}}, false)
	require.Zero(t, got)
	require.Equal(t, int64(math.MaxInt64), plus(math.MaxInt64, 1))
	require.Equal(t, "State(9)", State(9).String())
}

func TestData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := payData{waybill: rapid.StringMatching(`[!-.0-~]{1,32}`).Draw(t, "waybill"), due: queue.Money{Minor: rapid.Int64().Draw(t, "due"),
			Currency: queue.Currency(rapid.Uint16().Draw(t, "currency"))}, claimed: rapid.Bool().Draw(t, "claimed")}
		copy(p.nonce[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "nonce"))
		back, err := decodePay(p.encode())
		require.NoError(t, err)
		require.Equal(t, p, back)
		w, ok := WaybillOf(p.encode())
		require.True(t, ok)
		require.Equal(t, p.waybill, w)
		d := parcelData{p.waybill, p.due, p.claimed, rapid.StringN(0, 50, 200).Draw(t, "reason")}
		same, err := decodeParcel(d.encode())
		require.NoError(t, err)
		require.Equal(t, d, same)
		_, ok = WaybillOf(d.encode())
		require.False(t, ok, "a notice is no payment")
		junk := rapid.SliceOf(rapid.Byte()).Draw(t, "junk")
		WaybillOf(junk)
		WaybillOf(append([]byte(payForm), junk...))
		_, _ = decodePay(append([]byte(payForm), junk...))
		_, _ = decodeParcel(append([]byte(parcelForm), junk...))
	})
}
