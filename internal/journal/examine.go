package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/seal"
)

// examination reads a journal's file page by page, without bbolt.
type examination struct {
	f    *File
	disk *os.File
	info os.FileInfo
	file *boltfile.File
	free boltfile.Free // of a file that has passed
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
// journal: no other writes the list of free pages, but the one of listFree, which
// says so.
func (x *examination) endedCleanly() bool {
	m := x.file.Meta()
	return m.HasFreelist() && !m.Listed
}

// maxWorkers bounds how many goroutines examine a file, and with it the memory
// that this takes where records are large.
const maxWorkers = 4

// examine walks the whole file: every page, every record's digest, and the log
// of events, which is dense and chained up to its end. It takes all processors;
// where it finds damage it walks once more, one record after the other, so that
// what it names is what stands first in the file.
func (x *examination) examine(ctx context.Context) error {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	if workers > 1 && x.inParts(ctx, workers) == nil {
		return nil
	}
	return x.inOrder(ctx)
}

// inOrder examines with one goroutine.
func (x *examination) inOrder(ctx context.Context) error {
	v := x.visitor()
	v.log.begin(x.f.head.base)
	free, err := x.file.WalkFree(ctx, v.Visit)
	if err == nil {
		err = v.log.end()
	}
	x.free = free
	if err != nil {
		return fmt.Errorf("examine %s: %w", x.f.path, translate(err))
	}
	return nil
}

// inParts examines with several.
func (x *examination) inParts(ctx context.Context, workers int) error {
	log := x.f.logCheck()
	log.begin(x.f.head.base)
	free, err := boltfile.WalkParts(ctx, x.file, workers, x.visitor, func(v *visitor) error { return log.join(&v.log) })
	if err == nil {
		err = log.end()
	}
	x.free = free
	return err
}

// visitor checks the records of a file, or of a part of it.
type visitor struct {
	opener *seal.Opener
	at     []byte // place of the newest record
	log    logCheck
}

func (x *examination) visitor() *visitor {
	return &visitor{opener: x.f.box.Opener(), log: x.f.logCheck()}
}

// Visit checks one record.
func (v *visitor) Visit(bucket, key, sealed []byte) error {
	if len(bucket) != 1 {
		return fmt.Errorf("%w: keyspace %q", ErrDamaged, bucket)
	}
	b := Bucket(bucket[0])
	if isHeader(b, key) {
		_, err := openHeader(sealed)
		return err
	}
	v.at = append(append(v.at[:0], bucket...), key...)
	plain, err := v.opener.Open(sealed, v.at)
	if err != nil && b == groups { // more than one event may be in it
		err = fmt.Errorf("%w: it holds what came behind event %d", err, v.log.n)
	}
	if err != nil {
		return &DamageError{b, bytes.Clone(key), err}
	}
	v.log.count(b, sealed)
	switch {
	case b == events:
		return v.log.event(key, plain)
	case b == groups:
		return v.log.group(key, plain)
	case b == headers && string(key) == "tail":
		return v.log.setTail(plain)
	}
	return nil
}

// logCheck follows the chain of events in their order. What is seen of the log
// may be a part in the midst of it: what comes before is known when it is joined.
type logCheck struct {
	f       *File
	links   chainer
	begun   bool // n and head are of the event before the next one
	n       uint64
	head    [chainSize]byte
	first   *foundEvent // of a part: it is held to the event before it by join
	sum     checksum
	tail    tail
	hasTail bool
}

func (f *File) logCheck() logCheck {
	return logCheck{f: f, links: f.link.chainer()}
}

// begin tells of the event before the first one.
func (c *logCheck) begin(before tail) {
	c.begun, c.n, c.head = true, before.last, before.head
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

// event follows the chain to an event, with its key and what is stored there.
func (c *logCheck) event(key, plain []byte) error {
	if len(key) != 8 || len(plain) < chainSize {
		return noLink(key, "it is no event")
	}
	e := newFoundEvent(key, plain)
	if !c.begun {
		c.begun, c.n, c.head = true, e.n, e.chain
		c.first = &foundEvent{e.n, e.chain, bytes.Clone(e.body)}
		return nil
	}
	return c.follow(e)
}

// follow has e be the next event.
func (c *logCheck) follow(e foundEvent) error {
	c.n++
	if e.n != c.n {
		return noLink(eventKey(e.n), fmt.Sprintf("event %d is missing before it", c.n))
	}
	c.head = c.links.next(c.head, e.n, e.body)
	if c.head != e.chain {
		return noLink(eventKey(e.n), "the chain does not reach it")
	}
	return nil
}

func noLink(key []byte, what string) error {
	return &DamageError{events, bytes.Clone(key), fmt.Errorf("%w: %s", ErrDamaged, what)}
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

// join adds the check of the part that lies behind what c has.
func (c *logCheck) join(p *logCheck) error {
	if p.first != nil {
		if err := c.follow(*p.first); err != nil {
			return err
		}
		c.n, c.head = p.n, p.head
	}
	for i := range c.sum {
		c.sum[i] += p.sum[i]
	}
	if p.hasTail {
		c.tail, c.hasTail = p.tail, true
	}
	return nil
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
			return x.inOrder(ctx)
		})
		if done || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
