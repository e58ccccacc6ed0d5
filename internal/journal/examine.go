package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// examination reads a journal's file page by page, without bbolt.
type examination struct {
	f    *File
	disk *os.File
	info os.FileInfo
	file *boltfile.File
}

// inspect opens the file for an examination and reads its header, which it
// sets. Errors: ErrFormat, ErrDamaged, seal.ErrKey, those of the file system.
func (f *File) inspect() (*examination, error) {
	x, err := f.openExamination(boltfile.Open)
	if err != nil {
		return nil, err
	}
	if err := x.header(); err != nil {
		x.close()
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return x, nil
}

func (f *File) openExamination(open func(io.ReaderAt, int64) (*boltfile.File, error)) (*examination, error) {
	disk, err := os.Open(f.real)
	if err != nil {
		return nil, err
	}
	x := &examination{f: f, disk: disk}
	if x.info, err = disk.Stat(); err == nil {
		x.file, err = open(disk, x.info.Size())
	}
	if err != nil {
		_ = disk.Close()
		return nil, fmt.Errorf("%s: %w", f.path, translate(err))
	}
	return x, nil
}

func (x *examination) close() { _ = x.disk.Close() }

// translate gives an error of boltfile this package's sentinel.
func translate(err error) error {
	switch {
	case errors.Is(err, boltfile.ErrNotBolt):
		return fmt.Errorf("%w: %w", ErrFormat, err)
	case errors.Is(err, boltfile.ErrDamaged) && !errors.Is(err, ErrDamaged):
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

func (x *examination) header() error {
	names, err := x.file.Buckets()
	if err != nil {
		return translate(err)
	}
	has := func(b Bucket) bool {
		return slices.ContainsFunc(names, func(n []byte) bool { return bytes.Equal(n, []byte{byte(b)}) })
	}
	if !has(headers) {
		return fmt.Errorf("%w: it has no header", ErrFormat)
	}
	sealed, err := x.file.Get([]byte{byte(headers)}, []byte("header"))
	if err != nil {
		return translate(err)
	}
	h, err := openHeader(sealed)
	if err != nil {
		return err
	}
	want := x.f.known()
	if h.format > 1 {
		want = append(want, groups)
	}
	for _, want := range want {
		if !has(want) {
			return fmt.Errorf("%w: it lacks keyspace %q", ErrFormat, want)
		}
	}
	if x.f.box != nil && h == x.f.head {
		return nil // it is opened anew, and others read the header meanwhile
	}
	return x.f.setHeader(h)
}

// endedCleanly tells whether the newest commit was the one that closed the
// journal: no other writes the list of free pages.
func (x *examination) endedCleanly() bool { return x.file.Meta().HasFreelist() }

// examine walks the whole file: every page, every record's digest, and the log
// of events, which is dense and chained up to its end.
func (x *examination) examine(ctx context.Context) error {
	base := x.f.head.base
	log := logCheck{f: x.f, n: base.last, head: base.head}
	var at, plain []byte // used again for each record
	err := x.file.Walk(ctx, func(bucket, key, sealed []byte) error {
		if len(bucket) != 1 {
			return fmt.Errorf("%w: keyspace %q", ErrDamaged, bucket)
		}
		b := Bucket(bucket[0])
		if isHeader(b, key) {
			_, err := openHeader(sealed)
			return err
		}
		at = append(append(at[:0], bucket...), key...)
		opened, err := x.f.box.OpenTo(plain, sealed, at)
		if err != nil {
			return &DamageError{b, bytes.Clone(key), err}
		}
		plain = opened
		log.count(b, sealed)
		switch {
		case b == events:
			return log.event(key, plain)
		case b == groups:
			return log.group(key, plain)
		case b == headers && string(key) == "tail":
			return log.setTail(plain)
		}
		return nil
	})
	if err == nil {
		err = log.end()
	}
	if err != nil {
		return fmt.Errorf("examine %s: %w", x.f.path, translate(err))
	}
	return nil
}

// logCheck follows the chain of events in their order.
type logCheck struct {
	f       *File
	hash    hash.Hash // made for the first event
	n       uint64
	head    [chainSize]byte
	sum     checksum
	tail    tail
	hasTail bool
}

func (c *logCheck) count(b Bucket, sealed []byte) {
	if b != headers {
		c.sum.replace(nil, sealed)
	}
}

func (c *logCheck) setTail(plain []byte) (err error) {
	c.tail, err = decodeTail(plain)
	c.hasTail = true
	return err
}

func (c *logCheck) event(key, plain []byte) error {
	damage := func(what string) error {
		return &DamageError{events, bytes.Clone(key), fmt.Errorf("%w: %s", ErrDamaged, what)}
	}
	c.n++
	switch {
	case len(key) != 8 || len(plain) < chainSize:
		return damage("it is no event")
	case binary.BigEndian.Uint64(key) != c.n:
		return damage(fmt.Sprintf("event %d is missing before it", c.n))
	}
	if c.hash == nil {
		c.hash = c.f.link.newHash()
	}
	c.head = chain(c.hash, c.head, c.n, plain[chainSize:])
	if !bytes.Equal(c.head[:], plain[:chainSize]) {
		return damage("the chain does not reach it")
	}
	return nil
}

// group follows the events among what a commit changed.
func (c *logCheck) group(key, plain []byte) error {
	err := eachEvent(plain, c.f.known(), c.event)
	var damage *DamageError
	if err != nil && !errors.As(err, &damage) {
		err = &DamageError{groups, bytes.Clone(key), err}
	}
	return err
}

func (c *logCheck) end() error {
	if !c.hasTail || c.tail.last != c.n || c.tail.head != c.head {
		return &DamageError{headers, []byte("tail"), fmt.Errorf("%w: the log ends elsewhere, event %d is the last one there", ErrDamaged, c.n)}
	}
	if c.tail.sum != c.sum {
		return &DamageError{headers, []byte("tail"), fmt.Errorf("%w: records are missing, too many or older than it", ErrDamaged)}
	}
	return nil
}

// VerifyLog examines the whole file as Open does, while it is in use: what it
// looks at is the newest synced state. Errors: ErrDamaged, seal.ErrKey,
// ErrClosed, ctx.Err().
func (f *File) VerifyLog(ctx context.Context) error {
	for {
		done := false
		err := f.View(func(tx *Tx) error {
			// The open transaction keeps the pages of its state from reuse;
			// two commits later its meta page is gone all the same.
			x, err := f.openExamination(func(d io.ReaderAt, size int64) (*boltfile.File, error) {
				return boltfile.OpenAt(d, size, uint64(tx.tx.ID()))
			})
			if errors.Is(err, boltfile.ErrNoMeta) {
				return nil
			}
			done = true
			if err != nil {
				return err
			}
			defer x.close()
			return x.examine(ctx)
		})
		if done || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
