package reconcile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// ErrMirror means that what was to be loaded is no saved Mirror, is damaged, or
// is not of this journal as it is: make a NewMirror, which reads the journal.
var ErrMirror = errors.New("not a mirror of this journal")

// A saved Mirror, integers big-endian: "TSM1", 16 bytes of journal id, 8 of
// epoch, 2 and the host's name, 8 of next, 8 of how many entries are not final
// and 8 for each of them; then 16 bytes for each sequence below next, its leaf;
// then SHA-256 of all that.
const mirrorMagic = "TSM1"

// Save writes to w what the Mirror knows, 16 bytes an entry, for LoadMirror in a
// later process. It holds no payment, only digests of them. It is a cache: keep
// it where the app keeps such, and lose it without harm.
func (m *Mirror) Save(w io.Writer) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	be := binary.BigEndian
	b := m.identity()
	b = be.AppendUint64(b, uint64(m.next))
	b = be.AppendUint64(b, uint64(len(m.open)))
	for _, id := range slices.Sorted(maps.Keys(m.open)) {
		b = be.AppendUint64(b, uint64(id))
	}
	if _, err := buffered.Write(b); err != nil {
		return err
	}
	last := uint64(0)
	for seq, l := range m.half.All() {
		for last++; last <= seq; last++ {
			kept := l
			if last < seq {
				kept = agree.Leaf{} // lost with a damaged part of the journal
			}
			if _, err := buffered.Write(kept[:]); err != nil {
				return err
			}
		}
		last = seq
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

// identity is how a saved Mirror begins.
func (m *Mirror) identity() []byte {
	id := m.q.JournalID()
	b := append([]byte(mirrorMagic), id[:]...)
	b = binary.BigEndian.AppendUint64(b, m.q.Epoch())
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.host)))
	return append(b, m.host...)
}

// LoadMirror returns the Mirror that Save wrote. What was journalled or decided
// since is read by the next Incomplete. A journal that was exchanged for an
// older copy of itself is noticed by its newest entries. After queue.Salvage, which
// may have lost or parked older ones, make a NewMirror.
//
// Errors: ErrMirror, those of r and of the journal.
func LoadMirror(ctx context.Context, q *queue.Queue, host string, r io.Reader) (*Mirror, error) {
	m := NewMirror(q, host)
	if err := m.load(&summing{r: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}); err != nil {
		return nil, err
	}
	if err := m.check(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// summing reads, and sums what was read.
type summing struct {
	r   *bufio.Reader
	sum hash.Hash
}

func (s *summing) take(b []byte) error {
	_, err := io.ReadFull(s.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short", ErrMirror)
	}
	s.sum.Write(b)
	return err
}

func (s *summing) number() (uint64, error) {
	var b [8]byte
	err := s.take(b[:])
	return binary.BigEndian.Uint64(b[:]), err
}

func (m *Mirror) load(r *summing) error {
	want := m.identity()
	got := make([]byte, len(want))
	if err := r.take(got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: it is another's, or of another epoch", ErrMirror)
	}
	next, err := r.number()
	if err != nil {
		return err
	}
	open, err := r.number()
	if err != nil {
		return err
	}
	if next == 0 || next > agree.MaxSequence || open >= next {
		return fmt.Errorf("%w: it is damaged", ErrMirror)
	}
	m.next = queue.ID(next)
	for range open {
		id, err := r.number()
		if err != nil {
			return err
		}
		m.open[queue.ID(id)] = true
	}
	for seq := uint64(1); seq < next; seq++ {
		var l agree.Leaf
		if err := r.take(l[:]); err != nil {
			return err
		}
		if err := m.half.Set(seq, l); err != nil {
			return err
		}
	}
	sum := r.sum.Sum(nil)
	end := make([]byte, len(sum))
	if err := r.take(end); err != nil {
		return err
	}
	if _, err := r.r.ReadByte(); !bytes.Equal(end, sum) || err != io.EOF {
		return fmt.Errorf("%w: it is damaged", ErrMirror)
	}
	return nil
}

// checked is how many of the newest entries a loaded Mirror is held to.
const checked = 16

// check holds the Mirror to the journal's newest entries: where two copies of a
// journal went apart, all that came later differs.
func (m *Mirror) check(ctx context.Context) error {
	looked := 0
	for id := m.next - 1; id > 0 && looked < checked; id-- {
		l := m.half.Leaf(uint64(id))
		if l == (agree.Leaf{}) && id != m.next-1 {
			continue
		}
		looked++
		e, err := m.q.Get(ctx, id)
		if errors.Is(err, queue.ErrNotFound) {
			return fmt.Errorf("%w: entry %d is not in it", ErrMirror, id)
		} else if err != nil {
			return err
		}
		if l != (agree.Leaf{}) && (!m.stands(e) || l != agree.LeafOf(m.q.Digest(e))) {
			return fmt.Errorf("%w: entry %d differs", ErrMirror, id)
		}
	}
	for id := range m.open {
		if id == 0 || id >= m.next {
			return fmt.Errorf("%w: it is damaged", ErrMirror)
		}
		if _, err := m.q.Get(ctx, id); errors.Is(err, queue.ErrNotFound) {
			return fmt.Errorf("%w: entry %d is not in it", ErrMirror, id)
		} else if err != nil {
			return err
		}
	}
	return nil
}
