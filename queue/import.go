package queue

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

	"github.com/tallystick/tallystick/internal/record"
)

// Imported says what an Import did.
type Imported struct {
	From    [16]byte // the journal that was exported
	Entries int      // taken over
	Known   int      // in this journal already
	// Conflicts are refs that this journal has for other transactions: those
	// entries were not taken over, and need a person.
	Conflicts []string
	// Shared are lanes that this journal used itself before the first import
	// into them: two devices sell under one terminal id (I10).
	Shared []Lane
}

// Import takes over what Export wrote on another device, under the same
// identities: ref, STAN, host batch number, kind, amount, time, card and
// canonical bytes. Ids are this journal's; Entry.Origin tells those of the
// other. Imported entries are in closed batches of their own, to be settled
// like others. A request that was under way, or waiting to be sent, is parked:
// the other device may have its answer. A lane that is new here is held back as
// after a Restore.
//
// open gives the export from its beginning and is called twice: all of it is
// checked before anything is journalled, in memory that one entry needs.
// Importing again, or where the entries are known, changes nothing; after a
// crash it goes on. An export proves that it is whole, not who wrote it.
//
// Errors: ErrFormat for what is no export; ErrDamaged for one that is cut short
// or changed; with both nothing was journalled. ErrConflict, with all else taken
// over, when there are Conflicts. ErrNotSynced, ErrClosed, ctx.Err(), and those
// of open and its reader.
func (q *Queue) Import(ctx context.Context, open func() (io.Reader, error)) (done Imported, err error) {
	r, err := open()
	if err != nil {
		return done, err
	}
	if err := readExport(r, &checker{}); err != nil {
		return done, err
	}
	if r, err = open(); err != nil {
		return done, err
	}
	im := &importer{ctx: ctx, q: q, done: &done}
	if err := readExport(r, im); err != nil {
		return done, err
	}
	if err := im.flush(); err != nil {
		return done, err
	}
	if n := len(done.Conflicts); n > 0 {
		return done, fmt.Errorf("%d entries were not imported: %w", n, ErrConflict)
	}
	return done, nil
}

// incoming is an entry of an export.
type incoming struct {
	entry  Entry
	flying bool
	card   Card
}

// exported is who takes the parts of an export.
type exported interface {
	journal(id [16]byte) error
	lane(l laneRecord) error
	batch(b batchRecord) error
	entry(in incoming) error
}

// exportReader reads frames and sums them.
type exportReader struct {
	r   *bufio.Reader
	sum hash.Hash
}

func (x *exportReader) ReadByte() (byte, error) {
	b, err := x.r.ReadByte()
	if err == nil {
		x.sum.Write([]byte{b})
	}
	return b, err
}

func (x *exportReader) exactly(n uint64) ([]byte, error) {
	var b bytes.Buffer
	if _, err := io.CopyN(&b, x.r, int64(n)); err != nil {
		return nil, err
	}
	x.sum.Write(b.Bytes())
	return b.Bytes(), nil
}

func readExport(r io.Reader, to exported) error {
	x := &exportReader{r: bufio.NewReader(r), sum: sha256.New()}
	head, err := x.exactly(uint64(len(exportMagic) + 16))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err != nil || string(head[:len(exportMagic)]) != exportMagic {
		return fmt.Errorf("%w: not an export", ErrFormat)
	}
	if err := to.journal([16]byte(head[len(exportMagic):])); err != nil {
		return err
	}
	for {
		end, err := x.next(to)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%w: the export is cut short", ErrDamaged)
		}
		if end || err != nil {
			return err
		}
	}
}

func (x *exportReader) next(to exported) (end bool, err error) {
	kind, err := x.ReadByte()
	if err != nil {
		return false, err
	}
	if kind == frameEnd {
		return true, x.end()
	}
	n, err := binary.ReadUvarint(x)
	if err != nil {
		return false, err
	}
	if n > maxFrame {
		return false, fmt.Errorf("%w: a frame of %d bytes, allowed are up to %d", ErrDamaged, n, maxFrame)
	}
	body, err := x.exactly(n)
	if err != nil {
		return false, err
	}
	r := record.NewReader(body)
	switch kind {
	case frameLane:
		l := laneRecord{name: decodeLaneName(r), lastSTAN: STAN(r.Uint()), hostBatch: uint32(r.Uint())}
		if r.Done() != nil || l.lastSTAN > maxSTAN {
			return false, fmt.Errorf("%w: a lane of the export", ErrDamaged)
		}
		return false, to.lane(l)
	case frameBatch:
		b, err := decodeBatch(body)
		if err != nil {
			return false, err
		}
		return false, to.batch(b)
	case frameEntry:
		in := incoming{entry: decodeEntry(r), flying: r.Bool()}
		in.entry.Of = decodeOf(r)
		in.card, err = decodeCard(r.Bytes())
		if err != nil || r.Done() != nil {
			return false, fmt.Errorf("%w: entry %d of the export", ErrDamaged, in.entry.ID)
		}
		return false, to.entry(in)
	}
	return false, fmt.Errorf("%w: a frame of kind %q", ErrDamaged, kind)
}

func (x *exportReader) end() error {
	want := x.sum.Sum(nil)
	got, err := x.exactly(sha256.Size)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: the export's sum is another", ErrDamaged)
	}
	if _, err := x.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes behind the export's end", ErrDamaged)
	}
	return nil
}

// checker holds an export to what an importer relies on.
type checker struct {
	in     Lane
	number uint32
	last   ID
	lanes  int
	inOne  bool
}

func (c *checker) journal([16]byte) error { return nil }

func (c *checker) lane(l laneRecord) error {
	for _, s := range []string{l.name.Host, l.name.Merchant, l.name.Terminal} {
		if len(s) < 1 || len(s) > 64 {
			return fmt.Errorf("%w: a lane's name in the export", ErrDamaged)
		}
	}
	c.in, c.inOne = l.name, false
	if c.lanes++; c.lanes > 10_000 {
		return fmt.Errorf("%w: too many lanes in the export", ErrDamaged)
	}
	return nil
}

func (c *checker) batch(b batchRecord) error {
	if c.lanes == 0 || b.n == 0 || b.stage < BatchOpen || b.stage > BatchClosed {
		return fmt.Errorf("%w: a batch of the export", ErrDamaged)
	}
	c.number, c.last, c.inOne = b.n, 0, true
	return nil
}

func (c *checker) entry(in incoming) error {
	e := in.entry
	ok := c.inOne && e.Lane == c.in && e.Batch.N == c.number && e.ID > c.last &&
		e.Kind >= Request && e.Kind <= Notice && e.Op >= Sale && e.Op <= Report &&
		e.State >= Pending && e.State <= Cancelled && e.STAN >= 1 && e.STAN <= maxSTAN &&
		e.Attempts >= 0 && e.Amount.Minor >= 0 && e.Amount.Minor <= maxAmount && !e.Pruned && len(e.Ref) >= 1 && len(e.Ref) <= 64 &&
		(e.Kind != Reversal || (e.Original > 0 && e.Original < e.ID))
	if !ok {
		return fmt.Errorf("%w: entry %d of the export cannot be", ErrDamaged, e.ID)
	}
	c.last = e.ID
	return nil
}
