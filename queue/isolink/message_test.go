package isolink_test

import (
	"context"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

const chip = "9F2608DEADBEEF01020304" + "9F36020001" + "95050000000000" + "9F1E083132333435363738" +
	"9F10070306010A03A4A0" + "DF3101AA" + "82027C00"

func icc(t *testing.T) queue.Secret {
	t.Helper()
	b, err := hex.DecodeString(chip)
	require.NoError(t, err)
	return queue.NewSecret(string(b))
}

// entries is one of every message, with its fields on the wire.
func entries(t *testing.T) map[string]struct {
	entry queue.Entry
	wire  string
} {
	type row = struct {
		entry queue.Entry
		wire  string
	}
	of := queue.Original{ID: 3, STAN: 3, HostBatch: 42, RRN: "000000000777", AuthCode: "A1",
		Time: time.Date(2026, 3, 2, 20, 0, 0, 0, time.UTC)}
	const here = " 41=10000001 42=898100000000001 49=156"
	all := map[string]row{}

	e := cardEntry()
	all["sale by number"] = row{e, "0200 2=6216261000000000018 3=000000 4=000000001250 11=000007 14=3012 22=052 23=001 25=00" + here + " 60=2200004200060"}
	e.Card = queue.Card{PAN: queue.NewSecret(testPAN), Track2: queue.NewSecret(secretTrack), PINBlock: queue.NewSecret(secretPIN), ICC: icc(t)}
	e.EntryMode = "051"
	all["sale by chip and PIN"] = row{e, "0200 2=6216261000000000018 3=000000 4=000000001250 11=000007 22=051 25=00 26=12 35=" + secretTrack + here +
		" 52=0123456789ABCDEF 53=2600000000000000 55=" + chip + " 60=2200004200060"}
	e.Kind, e.Reason, e.Card.PINBlock = queue.Reversal, queue.NoAnswer, queue.Secret{}
	all["reversal of a sale"] = row{e, "0400 2=6216261000000000018 3=000000 4=000000001250 11=000007 22=051 25=00 39=98" + here +
		" 55=9F3602000195050000000000" + "9F1E083132333435363738" + "9F10070306010A03A4A0" + "DF3101AA" + " 60=2200004200060"}

	e = cardEntry()
	e.Card, e.EntryMode = queue.Card{PAN: queue.NewSecret(testPAN), Track2: queue.NewSecret(secretTrack)}, "022"
	all["sale by stripe"] = row{e, "0200 3=000000 4=000000001250 11=000007 22=022 25=00 35=" + secretTrack + here +
		" 53=0600000000000000 60=2200004200060"}

	q := entry(queue.Request, queue.Sale, queue.QR)
	q.Card.PayCode = queue.NewSecret(secretCode)
	all["sale by code"] = row{q, "0200 3=000000 4=000000001250 11=000007 22=032 25=00" + here + " 59=A3019" + secretCode + " 60=2200004200060"}
	q.Kind, q.Reason = queue.Reversal, queue.Other
	all["reversal of a code"] = row{q, "0400 3=000000 4=000000001250 11=000007 22=032 25=00 39=06" + here + " 60=2200004200060"}

	v := entry(queue.Request, queue.Void, queue.CardTender)
	v.EntryMode, v.Card, v.Of = "052", cardEntry().Card, of
	v.Card.ICC = icc(t)
	all["void"] = row{v, "0200 2=6216261000000000018 3=200000 4=000000001250 11=000007 14=3012 22=052 23=001 25=00 37=000000000777 38=A1    " + here +
		" 60=2300004200060 61=000042000003"}
	v.Kind, v.Reason = queue.Reversal, queue.BadMAC
	all["reversal of a void"] = row{v, "0400 2=6216261000000000018 3=200000 4=000000001250 11=000007 14=3012 22=052 23=001 25=00 39=A0" + here +
		" 60=2300004200060 61=000042000003"}

	a := entry(queue.Advice, queue.Sale, queue.CardTender)
	a.Card, a.Approval = cardEntry().Card, "Y1"
	a.Card.ICC = icc(t)
	all["sale told"] = row{a, "0220 2=6216261000000000018 3=000000 4=000000001250 11=000007 14=3012 22=050 23=001 25=00 38=Y1    " + here +
		" 55=" + chip + " 60=3000004200060 61=000000000000030500 63=CUP"}
	c := entry(queue.Advice, queue.Sale, queue.Cash)
	all["cash told"] = row{c, "0220 3=000000 4=000000001250 11=000007 22=000 25=00" + here + " 60=3000004200060 61=000000000000030500 63=000"}

	r := entry(queue.Advice, queue.Refund, queue.CardTender)
	r.EntryMode, r.Of, r.Card.PAN = "012", of, queue.NewSecret("4111111111111111")
	all["refund"] = row{r, "0220 2=4111111111111111 3=200000 4=000000001250 11=000007 22=012 25=00 37=000000000777 38=A1    " + here +
		" 60=2500004200060 61=0000420000030303 63=VIS"}
	return all
}

func TestTheMessageOfEachEntry(t *testing.T) {
	for name, x := range entries(t) {
		t.Run(name, func(t *testing.T) {
			h := newScripted(t, nil)
			a, err := h.send(h.link(nil), x.entry)
			require.NoError(t, err)
			require.Equal(t, queue.Approved, a.Verdict)
			require.Equal(t, "000000000777", a.RRN)
			m, raw := h.last()
			require.Equal(t, x.wire, fieldsOf(m))
			mac, err := codec.NewECBMAC(h.mak)
			require.NoError(t, err)
			require.NoError(t, codec.VerifyMAC(raw, m, mac))
		})
	}
}

// (I3) A repeat of an entry is the same message but for its MAC, whatever
// happened between: a sign-in with new keys and another batch number, another
// link, another time zone of the device.
func TestEveryAttemptIsTheSameMessage(t *testing.T) {
	zone := time.Local
	t.Cleanup(func() { time.Local = zone })
	for name, x := range entries(t) {
		time.Local = zone
		h := newScripted(t, nil)
		_, err := h.send(h.link(nil), x.entry)
		require.NoError(t, err, name)
		_, first := h.last()
		h.mu.Lock()
		h.batch = 43
		h.mu.Unlock()
		time.Local = time.FixedZone("elsewhere", -7*60*60)
		x.entry.Repeat, x.entry.Attempts, x.entry.Time = true, 2, x.entry.Time.Local()
		_, err = h.send(h.link(nil), x.entry)
		require.NoError(t, err, name)
		_, second := h.last()
		at := len(first) - 8
		require.Equal(t, first[:at], second[:at], name)
		require.NotEqual(t, first[at:], second[at:], name)
	}
}

// What has no message is not sent, and not asked for again and again.
func TestWhatHasNoMessage(t *testing.T) {
	bare := entry(queue.Advice, queue.Sale, queue.CardTender)
	orphan := entry(queue.Request, queue.Void, queue.CardTender)
	unknown := entry(queue.Advice, queue.Refund, queue.CardTender)
	unknown.Of.STAN = 3
	badPIN, late := cardEntry(), entry(queue.Reversal, queue.Refund, queue.CardTender)
	badPIN.Card.PINBlock = queue.NewSecret("12")
	late.Of = queue.Original{STAN: 3, RRN: "000000000777"}
	for name, e := range map[string]queue.Entry{
		"report":        entry(queue.Notice, queue.Report, 0),
		"no card":       bare,
		"no original":   orphan,
		"no reference":  unknown,
		"refund undone": late,
		"cash asked":    entry(queue.Request, queue.Sale, queue.Cash),
		"no code":       entry(queue.Request, queue.Sale, queue.QR),
		"bad PIN block": badPIN,
	} {
		h := newScripted(t, nil)
		_, err := h.send(h.link(nil), e)
		require.ErrorIs(t, err, queue.ErrUnsendable, name)
		require.Equal(t, 1, h.told(isolink.Unsendable), name)
		require.Equal(t, 1, h.total(), name) // the sign-in
	}
}

func TestTheSessionsMessages(t *testing.T) {
	h := newScripted(t, func(a *asked) {
		a.answer("00", func(m *codec.Message) {
			switch v, _ := m.Text(48); len(v) {
			case 62:
				m.Unset(39)
				a.must(m.Set(48, v[:30]+"1"+v[31:61]+"2"))
			}
		})
	})
	l := h.link(nil)
	ctx := context.Background()
	line, err := l.Prepare(ctx)
	require.NoError(t, err)
	require.Equal(t, uint32(42), line.HostBatch)
	require.Equal(t, "12-31 23:59:59", line.HostTime.Format("01-02 15:04:05"))
	m, _ := h.last()
	require.Equal(t, "0800 11=900001 41=10000001 42=898100000000001 60=00000000003 63=01 ", fieldsOf(m))

	b := queue.Batch{HostBatch: 42}
	inland, foreign, err := l.SendTotals(ctx, b, queue.Totals{Currency: queue.CNY,
		Inland: queue.Sums{DebitCount: 2, Debit: 300, CreditCount: 1, Credit: 50}})
	require.NoError(t, err)
	require.Equal(t, []queue.Balance{queue.Balanced, queue.NotBalanced}, []queue.Balance{inland, foreign})
	m, _ = h.last()
	require.Equal(t, "0500 11=900002 41=10000001 42=898100000000001 48=0000000003000020000000000500010"+
		"0000000000000000000000000000000"+" 49=156 60=00000042201 63=01 ", fieldsOf(m))

	_, err = l.SendDetail(ctx, b, cardEntry())
	require.NoError(t, err)
	m, _ = h.last()
	require.Equal(t, "0320 11=900003 41=10000001 42=898100000000001 48=0100000007"+"06216261000000000018"+"000000001250 60=00000042201", fieldsOf(m))

	told := entries(t)["sale told"].entry
	told.HostBatch = 0
	_, err = l.SendDetail(ctx, b, told)
	require.NoError(t, err)
	m, _ = h.last()
	require.Equal(t, "0320 2=6216261000000000018 3=000000 4=000000001250 11=000007 14=3012 22=052 23=001 25=00 38=Y1    "+
		" 41=10000001 42=898100000000001 49=156 55="+chip+" 60=3000004200060 61=000000000000030500 63=CUP", fieldsOf(m))
	_, err = l.SendDetail(ctx, b, entries(t)["reversal of a sale"].entry)
	require.ErrorIs(t, err, queue.ErrNotSent)

	for balanced, net := range map[bool]string{true: "207", false: "202"} {
		a, err := l.EndBatch(ctx, b, balanced, 5)
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
		m, _ = h.last()
		require.Equal(t, "0005", text(m, 48))
		require.Equal(t, "00000042"+net, text(m, 60))
	}
	require.Equal(t, 2, h.count(0x0800), "an ended batch is followed by a sign-in")
	_, _, err = l.SendTotals(ctx, b, queue.Totals{Inland: queue.Sums{DebitCount: 1000}})
	require.ErrorIs(t, err, queue.ErrNotSent, "three digits hold 999")
}

func text(m *codec.Message, de int) string {
	v, _ := m.Text(de)
	return v
}

// Only codes that speak of the entry or of the batch are verdicts on them.
func TestWhatTheSettlementsCodesMean(t *testing.T) {
	code := make(chan string, 1)
	h := newScripted(t, financial(func(a *asked) { a.answer(<-code, nil) }))
	l := h.link(nil)
	b := queue.Batch{HostBatch: 42}
	for c, want := range map[string]queue.Verdict{"00": queue.Approved, "94": queue.Duplicate, "64": queue.Refused, "05": queue.Refused,
		"12": 0, "25": 0, "30": 0, "97": 0, "03": 0, "96": 0, "09": 0, "77": 0} {
		code <- c
		a, err := l.SendDetail(context.Background(), b, cardEntry())
		require.Equal(t, want, a.Verdict, c)
		require.Equal(t, want == 0, err != nil, c)
	}
	for c, want := range map[string]queue.Verdict{"00": queue.Approved, "94": queue.Duplicate, "95": queue.Refused,
		"64": 0, "12": 0, "25": 0, "30": 0, "97": 0, "05": 0, "96": 0, "77": 0} {
		_, err := l.Prepare(context.Background())
		require.NoError(t, err)
		code <- c
		signIns := h.count(0x0800)
		a, err := l.EndBatch(context.Background(), b, true, 1)
		require.Equal(t, want, a.Verdict, c)
		if want == 0 {
			var refused *isolink.LineError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c, refused.Code)
		}
		_, err = l.Prepare(context.Background())
		require.NoError(t, err)
		require.Equal(t, want != 0 || c == "77", h.count(0x0800) > signIns, c)
	}
}
