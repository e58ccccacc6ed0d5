package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// Conflict is an entry that was set aside: refused, or, TwiceClaimed, booked
// although another journal holds what it is about. It needs a person.
type Conflict struct {
	Why     Why
	Entry   Identity
	Against Identity // what is booked; for OlderEpoch the journal and its epoch
	Device  string   // that delivered Entry
	Ref     string   // of Entry
	// AgainstRef and Held, for TwiceClaimed, are the other's ref and the key
	// that both claim.
	AgainstRef, Held string
	Amount           queue.Money
	Digest           [sha256.Size]byte // of Entry's canonical bytes
	Seen             time.Time         // the ledger's clock at the first submission
}

// maxAside bounds how many conflicts are kept of one journal; those beyond are
// refused all the same and not listed.
const maxAside = 10_000

func asideKey(id Identity, digest [sha256.Size]byte) []byte {
	return key(spaceAside, id.Journal[:], u64(uint64(id.Sequence)), u64(id.Epoch), digest[:8])
}

func (c Conflict) encode() []byte {
	w := &record.Writer{}
	w.Byte(byte(c.Why))
	w.Bytes(c.Against.Journal[:])
	w.Uint(c.Against.Epoch)
	w.Uint(uint64(c.Against.Sequence))
	w.String(c.Device)
	w.String(c.Ref)
	w.String(c.AgainstRef)
	w.String(c.Held)
	encodeMoney(w, c.Amount)
	w.Bytes(c.Digest[:])
	w.Time(c.Seen)
	return w.B
}

func decodeConflict(k, v []byte) (Conflict, error) {
	if len(k) != 41 {
		return Conflict{}, fmt.Errorf("%w: a conflict's key has %d bytes", ErrDamaged, len(k))
	}
	id, err := identityOf(k[:33])
	if err != nil {
		return Conflict{}, err
	}
	c := Conflict{Entry: id}
	r := record.NewReader(v)
	c.Why = Why(r.Byte())
	takeArray(r, c.Against.Journal[:])
	c.Against.Epoch, c.Against.Sequence = r.Uint(), queue.ID(r.Uint())
	c.Device, c.Ref, c.AgainstRef, c.Held = r.String(), r.String(), r.String(), r.String()
	c.Amount = decodeMoney(r)
	takeArray(r, c.Digest[:])
	c.Seen = r.Time()
	if err := r.Done(); err != nil {
		return Conflict{}, fmt.Errorf("%w: conflict of entry %s: %w", ErrDamaged, id, err)
	}
	return c, nil
}

// setAside refuses the submission and keeps it for the office, once.
func (s submission) setAside(tx Tx, why Why, against Identity) (Result, error) {
	err := s.keepAside(tx, Conflict{Why: why, Against: against})
	return Result{Err: &ConflictError{Why: why, Entry: s.Identity, Against: against}}, err
}

func (s submission) keepAside(tx Tx, c Conflict) error {
	at := asideKey(s.Identity, s.digest)
	old, err := tx.Get(at)
	if err != nil || old != nil {
		return err
	}
	n, err := countAside(tx, s.Journal)
	if err != nil || n >= maxAside {
		return err
	}
	c.Device, c.Ref, c.Amount, c.Digest, c.Seen = s.device, s.entry.Ref, s.entry.Amount, s.digest, s.now
	if err := tx.Put(at, c.encode()); err != nil {
		return err
	}
	w := &record.Writer{}
	w.Uint(n + 1)
	return tx.Put(asideCount(s.Journal), w.B)
}

func asideCount(journal [16]byte) []byte {
	return key(spaceMeta, []byte("aside "), journal[:])
}

func countAside(tx Tx, journal [16]byte) (uint64, error) {
	v, err := tx.Get(asideCount(journal))
	if err != nil || v == nil {
		return 0, err
	}
	r := record.NewReader(v)
	n := r.Uint()
	return n, r.Done()
}

// Conflicts yields what was set aside, by journal and sequence; the zero
// journal stands for all. The loop body may call any method of l. An error is
// yielded once and last.
func (l *Ledger) Conflicts(ctx context.Context, journal [16]byte) iter.Seq2[Conflict, error] {
	prefix := key(spaceAside)
	if journal != [16]byte{} {
		prefix = key(spaceAside, journal[:])
	}
	return pages(ctx, l.engine, prefix, nil, func(_ Tx, k, v []byte) (Conflict, error) { return decodeConflict(k, v) })
}
