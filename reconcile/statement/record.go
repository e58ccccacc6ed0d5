package statement

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// keyKind is one of the ways to name a transaction, best first.
type keyKind int

const (
	byNumbers keyKind = iota // terminal, the host's batch number, STAN
	byRRN
	byRef
	byPair // of entries alone: a sale or refund, and its void
	keyKinds
)

// key is a name of a transaction: a hash under a salt of the one call, so that
// neither names nor card numbers hidden in them reach a temporary file. The zero
// key is none.
type key [16]byte

// namer makes keys.
type namer struct {
	salt [16]byte
	w    record.Writer
}

func (n *namer) key(kind keyKind, parts ...[]byte) (k key) {
	n.w.B = append(n.w.B[:0], n.salt[:]...)
	n.w.Byte(byte(kind))
	for _, p := range parts {
		n.w.Bytes(p)
	}
	sum := sha256.Sum256(n.w.B)
	return key(sum[:16])
}

func (n *namer) keys(terminal string, batch uint32, stan queue.STAN, rrn, ref [sha256.Size]byte, hasRRN, hasRef bool) (k [keyKinds]key) {
	if terminal != "" && batch != 0 && stan != 0 {
		numbers := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(make([]byte, 0, 8), batch), uint32(stan))
		k[byNumbers] = n.key(byNumbers, []byte(terminal), numbers)
	}
	if hasRRN {
		k[byRRN] = n.key(byRRN, rrn[:])
	}
	if hasRef {
		k[byRef] = n.key(byRef, ref[:])
	}
	return k
}

// The order of records of one key: by the amount's size, then its direction,
// then the currency, then what is rather to be paired, then the number of the
// entry or line, so that the result does not depend on chance.
const (
	rankReversal = 0 // a line that takes back the debit or credit behind it
	rankDebit    = 1
	rankCredit   = 2

	sortKey = len(key{}) + 8 + 1 + 2 + 1 + 8
)

// pairKey is what an entry and its void have in common.
func pairKey(id queue.ID) (k key) {
	binary.BigEndian.PutUint64(k[8:], uint64(id))
	return k
}

// expectation is what the statement should have of an entry.
type expectation byte

const (
	expected   expectation = iota // it must be there
	optional                      // it may be there: taken outside the statement's time
	unexpected                    // it must not: it does not stand here
)

// item is what is kept of an entry or a line while they are compared.
type item struct {
	keys   [keyKinds]key
	amount queue.Money // signed
	expect expectation // of an entry
	id     queue.ID    // of an entry
	state  queue.State
	line   Line // of a line
}

// cell is the place of an item among those of one key: equal ones pair.
type cell struct {
	size     uint64
	rank     byte
	currency queue.Currency
}

func (it *item) cell() cell {
	c := cell{uint64(it.amount.Minor), rankDebit, it.amount.Currency}
	if it.amount.Minor < 0 {
		c.size, c.rank = -c.size, rankCredit
	}
	if it.line.Reversal {
		c.rank = rankReversal
	}
	return c
}

// encode lays an item down for the pass by one kind of key.
func (it *item) encode(dst []byte, by keyKind) []byte {
	c := it.cell()
	w := record.Writer{B: append(dst, it.keys[by][:]...)}
	w.B = binary.BigEndian.AppendUint64(w.B, c.size)
	w.B = append(w.B, c.rank)
	w.B = binary.BigEndian.AppendUint16(w.B, uint16(c.currency))
	w.B = append(w.B, byte(it.expect))
	w.B = binary.BigEndian.AppendUint64(w.B, uint64(it.id)+uint64(it.line.Number)) // one of them is 0
	for k := by + 1; k < keyKinds; k++ {
		w.B = append(w.B, it.keys[k][:]...)
	}
	if it.id != 0 {
		w.Byte(byte(it.state))
		return w.B
	}
	l := &it.line
	w.Byte(byte(l.Op))
	w.Bool(l.Reversal)
	w.Int(l.Amount.Minor)
	w.Int(l.Fee)
	w.Uint(uint64(l.HostBatch))
	w.Uint(uint64(l.STAN))
	for _, s := range [...]string{l.Terminal, l.Merchant, l.RRN, l.Ref, l.Card} {
		w.String(s)
	}
	w.Time(l.Time)
	return w.B
}

var errTemporary = errors.New("a temporary file of the statement is not as it was written")

func decodeItem(rec []byte, by keyKind, ours bool) (it item, err error) {
	if len(rec) < sortKey+int(keyKinds-by-1)*len(key{}) {
		return it, errTemporary
	}
	it.keys[by] = key(rec)
	it.amount.Minor = int64(binary.BigEndian.Uint64(rec[16:]))
	if rec[24] == rankCredit {
		it.amount.Minor = -it.amount.Minor
	}
	it.amount.Currency = queue.Currency(binary.BigEndian.Uint16(rec[25:]))
	it.expect = expectation(rec[27])
	number := binary.BigEndian.Uint64(rec[28:])
	rec = rec[sortKey:]
	for k := by + 1; k < keyKinds; k++ {
		it.keys[k] = key(rec)
		rec = rec[len(key{}):]
	}
	r := record.NewReader(rec)
	if ours {
		it.id, it.state = queue.ID(number), queue.State(r.Byte())
		return it, temporary(r)
	}
	l := &it.line
	l.Number = int(number)
	l.Op = queue.Op(r.Byte())
	l.Reversal = r.Bool()
	l.Amount = queue.Money{Minor: r.Int(), Currency: it.amount.Currency}
	it.amount = l.Amount
	l.Fee = r.Int()
	l.HostBatch, l.STAN = uint32(r.Uint()), queue.STAN(r.Uint())
	for _, s := range [...]*string{&l.Terminal, &l.Merchant, &l.RRN, &l.Ref, &l.Card} {
		*s = r.String()
	}
	l.Time = r.Time()
	return it, temporary(r)
}

func temporary(r *record.Reader) error {
	if r.Done() != nil {
		return errTemporary
	}
	return nil
}
