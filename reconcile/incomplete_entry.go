package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// HostEntry is an entry as a host says that it has it: its word, of which
// nothing proves more than that it has the canonical bytes.
type HostEntry struct {
	// Same says that its canonical bytes are those of the journal's entry.
	Same bool
	// Stands says that it is in force there: accepted and not reversed.
	Stands bool
	// Epoch of the journal under which it was booked, and the host's clock then.
	Epoch  uint64
	Booked time.Time

	// What the canonical bytes say; zero where they are of another layout.
	Ref       string
	Lane      queue.Lane
	Kind      queue.Kind
	Op        queue.Op
	Tender    queue.Tender
	STAN      queue.STAN
	Amount    queue.Money
	Original  queue.ID
	Time      time.Time
	Operator  string
	MaskedPAN string
}

// hostEntry reads what a host told of one entry.
func hostEntry(h agree.Held) HostEntry {
	e, err := parseCanonical(h.Canonical)
	if err != nil {
		e = HostEntry{}
	}
	e.Stands, e.Epoch, e.Booked = h.Stands, h.Epoch, h.Booked
	return e
}

var errCanonical = errors.New("not canonical bytes of an entry")

// canonicalHead is how many bytes stand before the texts (package queue).
const canonicalHead = 96

func parseCanonical(b []byte) (HostEntry, error) {
	if len(b) < canonicalHead || string(b[:4]) != "TSE1" {
		return HostEntry{}, errCanonical
	}
	be := binary.BigEndian
	e := HostEntry{
		Kind: queue.Kind(b[28]), Op: queue.Op(b[29]), Tender: queue.Tender(b[30]),
		STAN:     queue.STAN(be.Uint32(b[32:])),
		Amount:   queue.Money{Minor: int64(be.Uint64(b[36:])), Currency: queue.Currency(be.Uint16(b[44:]))},
		Original: queue.ID(be.Uint64(b[46:])),
		Time:     time.UnixMilli(int64(be.Uint64(b[54:]))).In(time.FixedZone("", int(int16(be.Uint16(b[62:])))*60)),
	}
	texts := [8]string{}
	rest := b[canonicalHead:]
	for i := range texts {
		if len(rest) < 2 || len(rest)-2 < int(be.Uint16(rest)) {
			return HostEntry{}, errCanonical
		}
		n := 2 + int(be.Uint16(rest))
		texts[i], rest = string(rest[2:n]), rest[n:]
	}
	if len(rest) > 0 {
		return HostEntry{}, errCanonical
	}
	e.Ref, e.Lane = texts[0], queue.Lane{Host: texts[1], Merchant: texts[2], Terminal: texts[3]}
	e.Operator, e.MaskedPAN = texts[6], texts[7]
	return e, nil
}

// read reads what a host has at e's sequence and tells which of it is e.
func read(held []agree.Held, digest [sha256.Size]byte) (all []HostEntry, same, standing, others int) {
	for _, h := range held {
		e := hostEntry(h)
		e.Same = sha256.Sum256(h.Canonical) == digest
		switch {
		case e.Same && e.Stands:
			standing++
			same++
		case e.Same:
			same++
		case e.Stands:
			others++
		}
		all = append(all, e)
	}
	return all, same, standing, others
}
