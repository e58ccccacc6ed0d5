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
// although another journal holds what it is about. It needs a person: Dismiss.
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

// maxAside bounds how many conflicts are kept of one journal until they are
// dismissed; those beyond are refused all the same and not listed.
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
	return putAsides(tx, s.Journal, n+1)
}

// Dismiss takes a conflict off the list when a person has dealt with it: what is
// booked stays as it is. Dismissing it again is no error; the same entry submitted
// once more is listed once more.
func (l *Ledger) Dismiss(ctx context.Context, c Conflict) error {
	at := asideKey(c.Entry, c.Digest)
	return l.engine.Update(ctx, func(tx Tx) error {
		v, err := tx.Get(at)
		if err != nil || v == nil {
			return err
		}
		n, err := countAside(tx, c.Entry.Journal)
		if err != nil {
			return err
		}
		if err := putAsides(tx, c.Entry.Journal, max(n, 1)-1); err != nil {
			return err
		}
		return tx.Delete(at)
	})
}

func putAsides(tx Tx, journal [16]byte, n uint64) error {
	w := &record.Writer{}
	w.Uint(n)
	return tx.Put(asideCount(journal), w.B)
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
