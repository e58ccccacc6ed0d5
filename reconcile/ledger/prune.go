package ledger

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// UncoveredError names the entries of a batch that no receipt covers: the
// ledger may not have them.
type UncoveredError struct {
	Batch   queue.BatchID
	Entries []queue.ID // the first 20
	Count   int
}

func (e *UncoveredError) Error() string {
	return fmt.Sprintf("batch %s is not pruned: %d of its entries are covered by no receipt, the first ones %v", e.Batch, e.Count, e.Entries)
}

// place is an entry's identity without the epoch.
type place struct {
	journal [16]byte
	seq     queue.ID
}

func placeOf(q *queue.Queue, e queue.Entry) place {
	if e.Origin != (queue.Origin{}) {
		return place{e.Origin.Journal, e.Origin.ID}
	}
	return place{q.JournalID(), e.ID}
}

// Asks returns what a receipt has to be asked for so that the batch can be
// pruned: the ranges of its accepted entries, by journal, which is another one
// than q's for imported entries.
func Asks(ctx context.Context, q *queue.Queue, b queue.BatchID) (map[[16]byte][]agree.Range, error) {
	seqs := map[[16]byte][]uint64{}
	for e, err := range q.All(ctx, queue.Filter{Batch: b, Pruned: true}) {
		if err != nil {
			return nil, err
		}
		if e.State != queue.Accepted {
			continue
		}
		p := placeOf(q, e)
		seqs[p.journal] = append(seqs[p.journal], uint64(p.seq))
	}
	out := map[[16]byte][]agree.Range{}
	for journal, all := range seqs {
		slices.Sort(all)
		out[journal] = rangesOf(slices.Compact(all))
	}
	return out, nil
}

// rangesOf makes ranges of ascending sequences.
func rangesOf(seqs []uint64) (out []agree.Range) {
	for _, s := range seqs {
		if n := len(out); n > 0 && out[n-1].To+1 == s {
			out[n-1].To = s
		} else {
			out = append(out, agree.Range{From: s, To: s})
		}
	}
	return out
}

// Prune forgets the entries of a settled batch, as queue's Prune does, if signed
// receipts show that the ledger holds every one that was accepted; Asks tells
// what to ask the ledger for. What was declined, cancelled or reversed the
// ledger need not have: the reversal is an entry of its own.
//
// A receipt is believed if the owner of pub signed it, if its journal is that
// of the entries, and if its root follows from the journal's own entries.
//
// Errors: ErrReceipt, *UncoveredError, with nothing pruned; those of queue's
// Prune.
func Prune(ctx context.Context, q *queue.Queue, b queue.BatchID, pub ed25519.PublicKey, signed ...[]byte) error {
	held := map[place]bool{}
	for _, s := range signed {
		r, err := OpenReceipt(s, pub)
		if err != nil {
			return err
		}
		if err := r.fits(ctx, q, held); err != nil {
			return err
		}
	}
	missing := &UncoveredError{Batch: b}
	for e, err := range q.All(ctx, queue.Filter{Batch: b, Pruned: true}) {
		if err != nil {
			return err
		}
		if e.State == queue.Accepted && !held[placeOf(q, e)] {
			missing.Count++
			if len(missing.Entries) < 20 {
				missing.Entries = append(missing.Entries, e.ID)
			}
		}
	}
	if missing.Count > 0 {
		return missing
	}
	return q.Prune(ctx, b)
}

// fits checks the receipt's root against the journal's entries and adds what it
// covers of them to held.
func (r Receipt) fits(ctx context.Context, q *queue.Queue, held map[place]bool) error {
	if r.Journal == q.JournalID() && r.Epoch > q.Epoch() {
		return fmt.Errorf("%w: it is for epoch %d of the journal, which is in its epoch %d here: a restored copy is at work", ErrReceipt, r.Epoch, q.Epoch())
	}
	var tree agree.Half
	from := queue.ID(0)
	if r.Journal == q.JournalID() && len(r.Ranges) > 0 {
		from = queue.ID(r.Ranges[0].From)
	}
	for e, err := range q.All(ctx, queue.Filter{From: from, Pruned: true}) {
		if err != nil {
			return err
		}
		p := placeOf(q, e)
		if r.Journal == q.JournalID() && uint64(e.ID) > r.Last() {
			break
		}
		if p.journal != r.Journal || !r.Covers(p.seq) {
			continue
		}
		if err := tree.Set(uint64(p.seq), agree.LeafOf(q.Digest(e))); err != nil {
			return fmt.Errorf("%w: %w", ErrReceipt, err)
		}
		held[p] = true
	}
	if tree.Root(r.Last()) != r.Root {
		return fmt.Errorf("%w: its root is not that of this journal's entries", ErrReceipt)
	}
	return nil
}
