package queue

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSameRefGivesTheFirstEntry(t *testing.T) {
	q := openNew(t, fast)
	first, err := q.Append(bg, offlineSale("s1"))
	require.NoError(t, err)
	again, err := q.Append(bg, offlineSale("s1"))
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, first.STAN, again.STAN)

	for name, change := range map[string]func(*Transaction){
		"amount":   func(s *Transaction) { s.Amount.Minor++ },
		"currency": func(s *Transaction) { s.Amount.Currency = USD },
		"lane":     func(s *Transaction) { s.Lane.Terminal = "10000002" },
		"tender":   func(s *Transaction) { s.Tender, s.Card = Cash, Card{} },
		"card":     func(s *Transaction) { s.Card.PAN = NewSecret("6216261000000000018") },
		"approval": func(s *Transaction) { s.Approval = "Y3" },
		"data":     func(s *Transaction) { s.Data = []byte("x") },
		"operator": func(s *Transaction) { s.Operator = "02" },
	} {
		other := offlineSale("s1")
		change(&other)
		_, err := q.Append(bg, other)
		require.ErrorIs(t, err, ErrConflict, name)
	}
	require.Len(t, all(t, q, Filter{}), 1)
}

// Many goroutines with one ref make one entry and one booking.
func TestSameRefAtOnceIsOneSale(t *testing.T) {
	q := openNew(t, fast)
	var r recorder
	up := uplink{send: r.through(approve)}
	for n := range 40 {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				e, err := q.Do(bg, up, cardSale(fmt.Sprint("s", n)))
				if assert.NoError(t, err) {
					assert.EqualValues(t, n+1, e.ID)
					assert.Equal(t, Accepted, e.State)
				}
			})
		}
		wg.Wait()
		require.Len(t, r.seen, n+1)
	}
}

func TestDoAgainAfterDoubt(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Do(bg, uplink{send: silent}, cardSale("s1"))
	require.ErrorIs(t, err, ErrInDoubt)
	var r recorder
	_, err = q.Do(bg, uplink{send: r.through(approve)}, cardSale("s1"))
	require.ErrorIs(t, err, ErrInDoubt)
	require.Empty(t, r.seen, "a request is never sent twice")
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	e, err := q.Do(bg, uplink{send: r.through(approve)}, cardSale("s1"))
	require.NoError(t, err)
	require.Equal(t, Reversed, e.State)
	require.Empty(t, r.seen)
}

func TestTakeOffline(t *testing.T) {
	q := openNew(t, fast)
	notSent := uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }}
	e, err := q.Do(bg, notSent, cardSale("s1"))
	require.ErrorIs(t, err, ErrNotSent)
	require.Equal(t, Pending, e.State)
	var inv *InvalidError
	_, err = q.TakeOffline(bg, e.ID, "")
	require.ErrorAs(t, err, &inv)
	require.Equal(t, "Approval", inv.Field)
	for range 2 {
		off, err := q.TakeOffline(bg, e.ID, "Y1")
		require.NoError(t, err)
		require.Equal(t, Advice, off.Kind)
		require.Equal(t, e.STAN, off.STAN)
	}
	again, err := q.Do(bg, notSent, cardSale("s1"))
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	require.Equal(t, Accepted, stateOf(t, q, "s1"))

	doubt, err := q.Do(bg, uplink{send: silent}, cardSale("s2"))
	require.ErrorIs(t, err, ErrInDoubt)
	_, err = q.TakeOffline(bg, doubt.ID, "Y1")
	require.ErrorIs(t, err, ErrState)

	qr := cardSale("s3")
	qr.Tender, qr.Card = QR, Card{PayCode: NewSecret("6211111111111111111")}
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	e, err = q.Do(bg, notSent, qr)
	require.ErrorIs(t, err, ErrNotSent)
	_, err = q.TakeOffline(bg, e.ID, "Y1")
	require.ErrorAs(t, err, &inv)
	cancelled, err := q.Reverse(bg, e.ID)
	require.NoError(t, err)
	require.Equal(t, Cancelled, cancelled.State)
	require.NoError(t, q.Verify(bg))
}

func TestReverse(t *testing.T) {
	q := openNew(t, fast)
	var r recorder
	up := uplink{send: r.through(approve)}
	off, err := q.Append(bg, offlineSale("never sent"))
	require.NoError(t, err)
	out, err := q.Reverse(bg, off.ID)
	require.NoError(t, err)
	require.Equal(t, Cancelled, out.State)
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Empty(t, r.seen, "cancelling sends nothing")

	sold, err := q.Do(bg, up, cardSale("sold"))
	require.NoError(t, err)
	for range 2 {
		void, err := q.Reverse(bg, sold.ID)
		require.NoError(t, err)
		require.Equal(t, Void, void.Op)
		require.Equal(t, sold.Amount, void.Amount)
		require.Equal(t, sold.STAN, void.Of.STAN)
		require.Equal(t, sold.Answer.RRN, void.Of.RRN)
		require.NotEqual(t, sold.STAN, void.STAN)
	}
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Accepted, stateOf(t, q, "void of entry 2"))
	_, err = q.Do(bg, up, Transaction{Ref: "second void", Lane: cardLane, Op: Void, Original: sold.ID})
	require.ErrorIs(t, err, ErrState)

	delivered, err := q.Append(bg, offlineSale("delivered"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, up))
	_, err = q.Reverse(bg, delivered.ID)
	require.ErrorIs(t, err, ErrState)
	_, err = q.Append(bg, Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: delivered.ID, Amount: Money{2000, CNY}})
	require.Error(t, err, "more than was paid")
	_, err = q.Append(bg, Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: delivered.ID, Amount: Money{250, CNY}})
	require.NoError(t, err)
	require.NoError(t, q.Verify(bg))
}

// A void whose outcome is unknown is reversed with what it told the host.
func TestVoidInDoubtIsReversed(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Do(bg, uplink{send: approve}, cardSale("sold"))
	require.NoError(t, err)
	void := Transaction{Ref: "void", Lane: cardLane, Op: Void, Original: sold.ID}
	_, err = q.Do(bg, uplink{send: silent}, void)
	require.ErrorIs(t, err, ErrInDoubt)
	var r recorder
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: r.through(approve)}))
	require.Equal(t, Reversal, r.seen[0].Kind)
	require.Equal(t, Void, r.seen[0].Op)
	require.Equal(t, sold.STAN, r.seen[0].Of.STAN)
	void.Ref = "void again"
	e, err := q.Do(bg, uplink{send: approve}, void)
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
}

func TestSTANWrapsAndSkipsWhatIsHeld(t *testing.T) {
	q := openNew(t, fast)
	held, err := q.Append(bg, cashSale("held"))
	require.NoError(t, err)
	require.EqualValues(t, 1, held.STAN)
	require.NoError(t, q.update(bg, func(v *fileView) error {
		return v.apply(event{kind: evSTAN, lane: 1, stan: maxSTAN - 1})
	}))
	last, err := q.NextSTAN(bg, cashLane)
	require.NoError(t, err)
	require.Equal(t, "999999", last.String())
	next, err := q.NextSTAN(bg, cashLane)
	require.NoError(t, err)
	require.EqualValues(t, 2, next, "0 is no STAN and 1 is held by an unsettled entry")
	again := crashed(t, q, fast)
	after, err := again.NextSTAN(bg, cashLane)
	require.NoError(t, err)
	require.EqualValues(t, 3, after, "the series is durable")
}

// While a closed batch waits for its settlement, a host that numbers its
// batches gets nothing of the next one.
func TestLaneHoldsTheNextBatch(t *testing.T) {
	q := openNew(t, fast)
	batch := uint32(9)
	var r recorder
	up := numbered(r.through(approve), &batch)
	_, err := q.Do(bg, up, cardSale("a"))
	require.NoError(t, err)
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	_, err = q.Do(bg, up, cardSale("b"))
	require.ErrorIs(t, err, ErrHeldBack)
	require.ErrorIs(t, err, ErrNotSent)
	_, err = q.Append(bg, offlineSale("c"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Len(t, r.seen, 1)
	open, err := q.Unsettled(bg, cardLane)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.EqualValues(t, 9, open[0].HostBatch)
	require.NoError(t, q.SettleBatch(bg, b))
	batch = 10
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Len(t, r.seen, 2)
	require.EqualValues(t, 10, r.seen[1].HostBatch)
}

// A new number from the host closes our batch; what was attempted keeps its
// number and what was not gets the new one.
func TestHostGoesOnToAnotherBatch(t *testing.T) {
	q := openNew(t, fast)
	batch := uint32(9)
	_, err := q.Do(bg, numbered(approve, &batch), cardSale("a"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("b"))
	require.NoError(t, err)
	batch = 10
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
	es := all(t, q, Filter{})
	require.EqualValues(t, 9, es[0].HostBatch)
	require.EqualValues(t, 1, es[0].Batch.N)
	require.EqualValues(t, 10, es[1].HostBatch)
	require.EqualValues(t, 2, es[1].Batch.N)
	b, err := q.Batch(bg, BatchID{cardLane, 1})
	require.NoError(t, err)
	require.True(t, b.Superseded)
	require.NoError(t, q.Verify(bg))
}

func TestCardDataIsForgotten(t *testing.T) {
	q := openNew(t, fast)
	e, err := q.Do(bg, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		require.NotEmpty(t, e.Card.Track2.Reveal())
		stored, err := q.Get(ctx, e.ID)
		require.NoError(t, err)
		require.Empty(t, stored.Card.Track2.Reveal(), "the track of a Do is not stored")
		return approve(ctx, e)
	}}, cardSale("a"))
	require.NoError(t, err)
	require.Empty(t, e.Card.Track2.Reveal(), "tracks go at the final answer")
	require.Equal(t, testPAN, e.Card.PAN.Reveal(), "the batch upload needs the number")
	no, err := q.Do(bg, answering(Refused, "51"), cardSale("b"))
	require.NoError(t, err)
	require.Empty(t, no.Card.PAN.Reveal())
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	e, err = q.Get(bg, e.ID)
	require.NoError(t, err)
	require.Empty(t, e.Card.PAN.Reveal())
	require.Equal(t, "622155******0000", e.MaskedPAN)
}

// A card of which only track 2 was read keeps its number for the reversal and
// the batch upload.
func TestPANComesFromTrack2(t *testing.T) {
	for _, sep := range []string{"=", "D"} {
		q := openNew(t, fast)
		s := cardSale("a")
		s.Card = Card{Track2: NewSecret(testPAN + sep + "30121010000000000")}
		e, err := q.Do(bg, uplink{send: approve}, s)
		require.NoError(t, err)
		require.Equal(t, testPAN, e.Card.PAN.Reveal())
		require.Equal(t, "622155******0000", e.MaskedPAN)
		again, err := q.Do(bg, uplink{send: approve}, s)
		require.NoError(t, err)
		require.Equal(t, e.ID, again.ID)
	}
}

// What a dialect can never express is parked with its reason; a Do is told at
// once. A parked report keeps no batch from being settled.
func TestUnsendable(t *testing.T) {
	q := openNew(t, fast)
	never := uplink{send: func(context.Context, Entry) (Answer, error) {
		return Answer{}, fmt.Errorf("%w: no field for it", ErrUnsendable)
	}}
	report, err := q.Append(bg, Transaction{Ref: "r", Lane: cardLane, Op: Report, Data: []byte("signature")})
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, never))
	e, err := q.Get(bg, report.ID)
	require.NoError(t, err)
	require.Equal(t, Parked, e.State)
	require.Contains(t, e.ParkedWhy, "no field for it")
	e, err = q.Do(bg, never, cardSale("s"))
	require.ErrorIs(t, err, ErrUnsendable)
	require.Equal(t, Pending, e.State)
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.NoError(t, q.Verify(bg))
}

func TestCardDataIsNeverFormatted(t *testing.T) {
	q := openNew(t, fast)
	tr := cardSale("a")
	tr.Card.PINBlock = NewSecret("\x12\x34\x56\x78")
	e, err := q.Do(bg, uplink{send: approve}, tr)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%08b"} {
		s := ""
		for _, x := range []any{tr, &tr, e, &e, struct{ T *Transaction }{&tr}, struct{ t Transaction }{tr}, []Card{tr.Card}, tr.Card.PAN} {
			s += fmt.Sprintf(verb, x)
		}
		for _, secret := range []string{testPAN, "30121010000000000", "\x12\x34\x56\x78", hex.EncodeToString([]byte(testPAN))} {
			require.NotContains(t, s, secret)
		}
	}
}

type keyring map[string][]byte

func (k keyring) Current() (string, error) { return "k1", nil }
func (k keyring) Key(name string) ([]byte, error) {
	if b, ok := k[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no key of this name")
}

func TestSealedJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	keys := keyring{"k1": []byte(strings.Repeat("k", 32))}
	q, err := Open(path, keys, &fast)
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("order-4711"))
	require.NoError(t, err)
	require.NoError(t, q.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, s := range []string{testPAN, "622155******", "order-4711", cardLane.Merchant} {
		require.NotContains(t, string(raw), s)
	}
	_, err = Open(path, nil, nil)
	var inv *InvalidError
	require.ErrorAs(t, err, &inv)
	_, err = Open(path, nil, &Options{Unsealed: true})
	require.ErrorIs(t, err, ErrKey)
	_, err = Open(path, keyring{"k1": []byte(strings.Repeat("x", 32))}, nil)
	require.ErrorIs(t, err, ErrKey, "another key is no damage")
	_, err = Salvage(bg, path, keyring{"k1": []byte(strings.Repeat("x", 32))}, nil)
	require.ErrorIs(t, err, ErrKey)
	_, err = Open(path, keyring{}, nil)
	require.ErrorIs(t, err, ErrKey)
	q, err = Open(path, keys, &fast)
	require.NoError(t, err)
	require.NoError(t, q.Verify(bg))
	_, err = Open(path, keys, nil)
	require.ErrorIs(t, err, ErrHeld)
	require.NoError(t, q.Close())
	require.NoError(t, q.Close())
	_, err = q.Append(bg, offlineSale("x"))
	require.ErrorIs(t, err, ErrClosed)
	_, err = q.Get(bg, 1)
	require.ErrorIs(t, err, ErrClosed)
}

func TestInvalidTransactions(t *testing.T) {
	q := openNew(t, fast)
	for field, change := range map[string]func(*Transaction){
		"Ref":             func(s *Transaction) { s.Ref = "" },
		"Lane.Merchant":   func(s *Transaction) { s.Lane.Merchant = "" },
		"Op":              func(s *Transaction) { s.Op = 9 },
		"Tender":          func(s *Transaction) { s.Tender = QR },
		"Amount":          func(s *Transaction) { s.Amount.Minor = -1 },
		"Amount.Currency": func(s *Transaction) { s.Amount.Currency = 0 },
		"Approval":        func(s *Transaction) { s.Approval = "" },
		"Original":        func(s *Transaction) { s.Original = 3 },
		"Card.PAN":        func(s *Transaction) { s.Card.PAN = NewSecret(strings.Repeat("4", 20)) },
		"Card.PINBlock":   func(s *Transaction) { s.Card.PINBlock = NewSecret("p") },
		"Data":            func(s *Transaction) { s.Data = make([]byte, 5000) },
	} {
		s := offlineSale("s1")
		change(&s)
		_, err := q.Append(bg, s)
		var inv *InvalidError
		require.ErrorAs(t, err, &inv, field)
		require.Equal(t, field, inv.Field)
		require.NotContains(t, err.Error(), "4444")
	}
	require.Empty(t, all(t, q, Filter{}))
}

// The loop body of All may write, and what it reads is a page of synced states.
func TestAllLetsTheLoopWrite(t *testing.T) {
	q := openNew(t, fast)
	for i := range 2*readPage + 5 {
		_, err := q.Append(bg, cashSale(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	n := 0
	for e, err := range q.All(bg, Filter{}) {
		require.NoError(t, err)
		n++
		require.EqualValues(t, n, e.ID)
		if n%50 == 0 {
			_, err := q.Reverse(bg, e.ID)
			require.NoError(t, err)
		}
	}
	require.Equal(t, 2*readPage+5, n)
	require.Len(t, all(t, q, Filter{States: []State{Cancelled}}), n/50)
}

func TestCanonicalBytes(t *testing.T) {
	e := Entry{ID: 7, Kind: Advice, STAN: 42, MaskedPAN: "622155******0000", Transaction: offlineSale("order-1")}
	e.Time = e.Time.UTC()
	got := canonical(nil, [16]byte{1, 2, 3}, e)
	require.Equal(t, "54534531"+"01020300000000000000000000000000"+"0000000000000007"+"02010100"+"0000002a"+
		"00000000000004e2"+"009c"+"0000000000000000"+"ffffc77cedd32800"+"0000"+
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"+
		"0007"+hex.EncodeToString([]byte("order-1"))+"0008"+hex.EncodeToString([]byte("acquirer"))+
		"000f"+hex.EncodeToString([]byte("104110048161234"))+"0008"+hex.EncodeToString([]byte("10000001"))+
		"0002"+hex.EncodeToString([]byte("Y1"))+"0003"+hex.EncodeToString([]byte("051"))+"0000"+
		"0010"+hex.EncodeToString([]byte("622155******0000")), hex.EncodeToString(got))
	e.State, e.Attempts, e.HostBatch, e.Answer = Accepted, 3, 9, Answer{Code: "00"}
	require.Equal(t, got, canonical(nil, [16]byte{1, 2, 3}, e), "nothing that happens later changes them")
}
