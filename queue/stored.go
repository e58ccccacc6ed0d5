package queue

import (
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/record"
)

// laneRecord is what is known of a lane.
type laneRecord struct {
	number    uint32 // in this journal, dense from 1
	name      Lane
	lastSTAN  STAN
	open      uint32   // N of the open batch
	closing   []uint32 // closed batches that the host still has to settle: later ones wait
	hostBatch uint32   // the number under which the host books now
	tallies   []Tally
	contact   time.Time // device time of the newest answer
	hostTime  time.Time // the latest time that the host has shown
	fenced    bool      // restored: new entries wait for a number that only we use (I10)
	pace      paceRecord
}

// Tally counts and sums entries that are alike.
type Tally struct {
	State    State
	Op       Op
	Kind     Kind
	Tender   Tender
	Currency Currency
	Count    int64
	Sum      int64 // minor units
}

func (t Tally) like(e Entry) bool {
	return t.State == e.State && t.Op == e.Op && t.Kind == e.Kind && t.Tender == e.Tender && t.Currency == e.Amount.Currency
}

// batchRecord is what is known of one of our batches.
type batchRecord struct {
	lane       uint32
	n          uint32
	stage      BatchState
	host       uint32 // host batch number, bound at the first attempt
	superseded bool   // closed because the host went on to another number
	entries    uint64
	unfinished uint64 // entries pending, in doubt or parked (I6)
	bound      uint64 // entries that were attempted: records of the host's batch
	progress   []byte
	closed     time.Time
	pruned     uint64 // entries of which a stub is left
}

// BatchState is how far a batch has come.
type BatchState uint8

// The states of a batch.
const (
	BatchOpen    BatchState = iota + 1 // new entries go here
	BatchClosed                        // fenced: no new entries
	BatchSettled                       // the host has settled it
)

var batchStateNames = [...]string{"", "open", "closed", "settled"}

func (s BatchState) String() string { return name(batchStateNames[:], int(s)) }

func encodeLaneName(w *record.Writer, l Lane) {
	w.String(l.Host)
	w.String(l.Merchant)
	w.String(l.Terminal)
}

func decodeLaneName(r *record.Reader) Lane {
	return Lane{Host: r.String(), Merchant: r.String(), Terminal: r.String()}
}

func encodeMoney(w *record.Writer, m Money) {
	w.Int(m.Minor)
	w.Uint(uint64(m.Currency))
}

func decodeMoney(r *record.Reader) Money {
	return Money{Minor: r.Int(), Currency: Currency(r.Uint())}
}

func encodeAnswer(w *record.Writer, a Answer) {
	w.Byte(byte(a.Verdict))
	w.String(a.Code)
	w.String(a.RRN)
	w.String(a.AuthCode)
	encodeMoney(w, a.Approved)
	w.Time(a.HostTime)
}

func decodeAnswer(r *record.Reader) Answer {
	return Answer{Verdict: Verdict(r.Byte()), Code: r.String(), RRN: r.String(), AuthCode: r.String(),
		Approved: decodeMoney(r), HostTime: r.Time()}
}

// encodeEntry writes all of e but its card and its Of, which are kept
// elsewhere.
func encodeEntry(w *record.Writer, e Entry) {
	w.Uint(uint64(e.ID))
	w.String(e.Ref)
	encodeLaneName(w, e.Lane)
	w.Byte(byte(e.Kind))
	w.Byte(byte(e.Op))
	w.Byte(byte(e.Tender))
	encodeMoney(w, e.Amount)
	w.Uint(uint64(e.Original))
	w.String(e.Approval)
	w.String(e.EntryMode)
	w.String(e.Operator)
	w.Time(e.Time)
	w.Bytes(e.Data)
	w.String(e.MaskedPAN)
	w.Bool(e.Deferred)
	w.Uint(uint64(e.STAN))
	w.Uint(uint64(e.Batch.N))
	w.Byte(byte(e.Reason))
	w.Uint(uint64(e.HostBatch))
	w.Byte(byte(e.State))
	w.Uint(uint64(e.Attempts))
	w.Bool(e.approvalSeen)
	encodeAnswer(w, e.Answer)
	w.Uint(uint64(e.Reversal))
	w.Uint(uint64(e.VoidedBy))
	w.String(e.ParkedWhy)
	w.Time(e.Changed)
	w.Time(e.first.wall)
	w.Uint(uint64(e.first.boot))
	w.Int(e.first.since.Milliseconds())
	w.Time(e.first.host)
	w.Bool(e.withdrawn)
	w.Int(e.Refunded)
	encodeStub(w, e)
}

func decodeEntry(r *record.Reader) Entry {
	var e Entry
	e.ID = ID(r.Uint())
	e.Ref = r.String()
	e.Lane = decodeLaneName(r)
	e.Kind, e.Op, e.Tender = Kind(r.Byte()), Op(r.Byte()), Tender(r.Byte())
	e.Amount = decodeMoney(r)
	e.Original = ID(r.Uint())
	e.Approval, e.EntryMode, e.Operator = r.String(), r.String(), r.String()
	e.Time = r.Time()
	if d := r.Bytes(); len(d) > 0 {
		e.Data = append([]byte(nil), d...)
	}
	e.MaskedPAN = r.String()
	e.Deferred = r.Bool()
	e.STAN = STAN(r.Uint())
	e.Batch = BatchID{e.Lane, uint32(r.Uint())}
	e.Reason = Reason(r.Byte())
	e.HostBatch = uint32(r.Uint())
	e.State = State(r.Byte())
	e.Attempts = int(r.Uint())
	e.approvalSeen = r.Bool()
	e.Answer = decodeAnswer(r)
	e.Reversal, e.VoidedBy = ID(r.Uint()), ID(r.Uint())
	e.ParkedWhy = r.String()
	e.Changed = r.Time()
	e.first = moment{wall: r.Time(), boot: uint32(r.Uint()), since: time.Duration(r.Int()) * time.Millisecond, host: r.Time()}
	e.withdrawn, e.Refunded = r.Bool(), r.Int()
	e.Repeat = e.Attempts > 0
	decodeStub(r, &e)
	return e
}

func encodeCard(c Card) []byte {
	var w record.Writer
	for _, s := range []Secret{c.PAN, c.Expiry, c.Track2, c.Track3, c.ICC, c.PayCode} {
		w.String(s.Reveal())
	}
	w.String(c.Sequence)
	return w.B
}

func decodeCard(b []byte) (Card, error) {
	r := record.NewReader(b)
	var c Card
	for _, s := range []*Secret{&c.PAN, &c.Expiry, &c.Track2, &c.Track3, &c.ICC, &c.PayCode} {
		*s = NewSecret(r.String())
	}
	c.Sequence = r.String()
	if err := r.Done(); err != nil {
		return Card{}, fmt.Errorf("%w: card data: %w", ErrDamaged, err)
	}
	return c, nil
}

func (l laneRecord) Encode() []byte {
	var w record.Writer
	w.Uint(uint64(l.number))
	encodeLaneName(&w, l.name)
	w.Uint(uint64(l.lastSTAN))
	w.Uint(uint64(l.open))
	w.Uint(uint64(len(l.closing)))
	for _, n := range l.closing {
		w.Uint(uint64(n))
	}
	w.Uint(uint64(l.hostBatch))
	w.Time(l.contact)
	w.Time(l.hostTime)
	w.Bool(l.fenced)
	w.Uint(uint64(len(l.tallies)))
	for _, t := range l.tallies {
		w.Byte(byte(t.State))
		w.Byte(byte(t.Op))
		w.Byte(byte(t.Kind))
		w.Byte(byte(t.Tender))
		w.Uint(uint64(t.Currency))
		w.Int(t.Count)
		w.Int(t.Sum)
	}
	l.pace.encode(&w)
	return w.B
}

func decodeLane(b []byte) (laneRecord, error) {
	r := record.NewReader(b)
	l := laneRecord{number: uint32(r.Uint()), name: decodeLaneName(r), lastSTAN: STAN(r.Uint()), open: uint32(r.Uint())}
	for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
		l.closing = append(l.closing, uint32(r.Uint()))
	}
	l.hostBatch = uint32(r.Uint())
	l.contact, l.hostTime = r.Time(), r.Time()
	l.fenced = r.Bool()
	for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
		l.tallies = append(l.tallies, Tally{State: State(r.Byte()), Op: Op(r.Byte()), Kind: Kind(r.Byte()), Tender: Tender(r.Byte()),
			Currency: Currency(r.Uint()), Count: r.Int(), Sum: r.Int()})
	}
	l.pace = decodePace(r)
	if err := r.Done(); err != nil {
		return laneRecord{}, fmt.Errorf("%w: lane: %w", ErrDamaged, err)
	}
	return l, nil
}

// tally moves one entry from its old state's tally to its new one's.
func (l *laneRecord) tally(e Entry, by int64) {
	i := slices.IndexFunc(l.tallies, func(t Tally) bool { return t.like(e) })
	if i < 0 {
		i = len(l.tallies)
		l.tallies = append(l.tallies, Tally{State: e.State, Op: e.Op, Kind: e.Kind, Tender: e.Tender, Currency: e.Amount.Currency})
	}
	l.tallies[i].Count += by
	l.tallies[i].Sum += by * e.Amount.Minor
	if l.tallies[i].Count == 0 {
		l.tallies = slices.Delete(l.tallies, i, i+1)
	}
}

func (c clockRecord) encode() []byte {
	var w record.Writer
	w.Uint(uint64(c.boot))
	w.Bytes(c.id[:])
	w.Int(c.offset.Milliseconds())
	return w.B
}

func decodeClock(b []byte) (clockRecord, error) {
	r := record.NewReader(b)
	c := clockRecord{boot: uint32(r.Uint())}
	copy(c.id[:], r.Bytes())
	c.offset = time.Duration(r.Int()) * time.Millisecond
	if err := r.Done(); err != nil {
		return clockRecord{}, fmt.Errorf("%w: clock: %w", ErrDamaged, err)
	}
	return c, nil
}

func (b batchRecord) Encode() []byte {
	var w record.Writer
	w.Uint(uint64(b.lane))
	w.Uint(uint64(b.n))
	w.Byte(byte(b.stage))
	w.Uint(uint64(b.host))
	w.Bool(b.superseded)
	w.Uint(b.entries)
	w.Uint(b.unfinished)
	w.Uint(b.bound)
	w.Time(b.closed)
	w.Bytes(b.progress)
	w.Uint(b.pruned)
	return w.B
}

func decodeBatch(b []byte) (batchRecord, error) {
	r := record.NewReader(b)
	v := batchRecord{lane: uint32(r.Uint()), n: uint32(r.Uint()), stage: BatchState(r.Byte()), host: uint32(r.Uint()),
		superseded: r.Bool(), entries: r.Uint(), unfinished: r.Uint(), bound: r.Uint(), closed: r.Time()}
	v.progress = append([]byte(nil), r.Bytes()...)
	v.pruned = r.Uint()
	if err := r.Done(); err != nil {
		return batchRecord{}, fmt.Errorf("%w: batch: %w", ErrDamaged, err)
	}
	return v, nil
}
