package ledger

import (
	"context"
	"math"
	"sync"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// halves caches what the ledger holds of a journal in the form that is compared
// (package agree). A half is built from the bookings when it is first asked for
// and kept up by what is touched since.
type halves struct {
	mu     sync.Mutex
	cached map[[16]byte]*half
	clock  uint64 // counts uses
	sum    int64  // of the sizes
	// building bounds how many are built at once.
	building chan struct{}
}

type half struct {
	mu   sync.Mutex  // held while it is used
	half *agree.Half // nil: not built
	cost int64

	// Under the mutex of halves:
	touched map[uint64]struct{} // sequences to read again
	used    uint64
	size    int64
}

// Bounds of what halves take, in bytes as nodes are estimated to take: of all
// that are kept, and of the largest one. Only a journal whose sequences are
// strewn wide can reach the latter within a device's limits.
const (
	maxHalves   = 512 << 20
	maxHalf     = 512 << 20
	maxTouched  = 1 << 16
	blockCost   = 290 // sixteen leaves
	branchCost  = 160 // sixteen nodes
	branchCount = 10
)

// touch tells that bookings of these sequences may have changed. It is called
// after the commit and before the answer.
func (h *halves) touch(journal [16]byte, seqs ...uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.cached[journal]
	if c == nil {
		return
	}
	for _, s := range seqs {
		if s != 0 {
			c.touched[s] = struct{}{}
		}
	}
	if len(c.touched) > maxTouched {
		h.drop(journal)
	}
}

// get returns the journal's half, from now on told of what is touched.
func (h *halves) get(journal [16]byte) *half {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.cached[journal]
	if c == nil {
		c = &half{touched: map[uint64]struct{}{}}
		h.cached[journal] = c
	}
	h.clock++
	c.used = h.clock
	return c
}

// taken returns what was touched, and forgets it.
func (h *halves) taken(c *half) []uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []uint64
	for s := range c.touched {
		out = append(out, s)
	}
	clear(c.touched)
	return out
}

// settle takes note of what c takes, and drops what was used longest ago until
// the rest is within bounds; c itself where it failed.
func (h *halves) settle(journal [16]byte, c *half, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cached[journal] != c {
		return // dropped meanwhile
	}
	h.sum += c.cost - c.size
	c.size = c.cost
	if err != nil {
		h.drop(journal)
	}
	for h.sum > maxHalves && len(h.cached) > 0 {
		var oldest [16]byte
		used := uint64(math.MaxUint64)
		for j, x := range h.cached {
			if x.used < used {
				oldest, used = j, x.used
			}
		}
		h.drop(oldest)
	}
}

func (h *halves) drop(journal [16]byte) {
	h.sum -= h.cached[journal].size
	delete(h.cached, journal)
}

// withHalf runs fn with what the ledger holds of the journal: all that was
// answered before the call is in it. One fn runs at a time for a journal.
func (l *Ledger) withHalf(ctx context.Context, journal [16]byte, fn func(*agree.Half) error) error {
	c := l.halves.get(journal)
	c.mu.Lock()
	defer c.mu.Unlock()
	err := l.refresh(ctx, journal, c)
	l.halves.settle(journal, c, err)
	if err != nil {
		return err
	}
	return fn(c.half)
}

// refresh builds the half or brings it up to date. It is called under c.mu.
func (l *Ledger) refresh(ctx context.Context, journal [16]byte, c *half) error {
	if c.half == nil {
		fresh, cost, err := l.buildHalf(ctx, journal)
		if err != nil {
			return err
		}
		c.half, c.cost = fresh, cost
	}
	for _, s := range l.halves.taken(c) {
		err := l.engine.View(ctx, func(tx Tx) error {
			all, err := bookingsAt(tx, journal, queue.ID(s))
			if err != nil || len(all) == 0 {
				return err
			}
			if !c.half.Seen(s) {
				c.cost += blockCost / 8
			}
			return c.half.Set(s, leafOf(all))
		})
		if err != nil {
			c.half = nil // what was taken is lost to it
			return err
		}
	}
	return nil
}

func readBooking(_ Tx, k, v []byte) (Booking, error) {
	id, err := identityOf(k)
	if err != nil {
		return Booking{}, err
	}
	return decodeBooking(id, v)
}

func (l *Ledger) buildHalf(ctx context.Context, journal [16]byte) (*agree.Half, int64, error) {
	select {
	case l.halves.building <- struct{}{}:
		defer func() { <-l.halves.building }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	fresh := &agree.Half{}
	at := costs{}
	var same []Booking
	flush := func() error {
		if len(same) == 0 {
			return nil
		}
		seq := uint64(same[0].Sequence)
		if err := at.add(seq); err != nil {
			return err
		}
		return fresh.Set(seq, leafOf(same))
	}
	for b, err := range pages(ctx, l.engine, key(spaceBooking, journal[:]), nil, readBooking) {
		if err != nil {
			return nil, 0, err
		}
		if len(same) > 0 && same[0].Sequence != b.Sequence {
			if err := flush(); err != nil {
				return nil, 0, err
			}
			same = same[:0]
		}
		same = append(same, b)
	}
	return fresh, at.sum, flush()
}

// leafOf is the leaf of a sequence: of what stands there.
func leafOf(all []Booking) agree.Leaf {
	var digests [][32]byte
	for _, b := range all {
		if b.State == queue.Accepted {
			digests = append(digests, b.Digest)
		}
	}
	return agree.LeafOf(digests...)
}

// costs estimates the memory of a half whose sequences come in ascending order.
type costs struct{ last, sum int64 }

func (c *costs) add(seq uint64) error {
	if s := int64(seq); c.sum == 0 || s>>4 != c.last>>4 {
		c.sum += blockCost
		for level := 2; level < branchCount && (c.last == 0 || s>>(4*level) != c.last>>(4*level)); level++ {
			c.sum += branchCost
		}
	}
	c.last = int64(seq)
	if c.sum > maxHalf {
		return &LimitError{Limit: "bytes to compare a journal of wide gaps", Have: c.sum, Max: maxHalf}
	}
	return nil
}
