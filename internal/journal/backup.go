package journal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/tallystick/tallystick/internal/seal"
)

// A backup is a stream, numbers as unsigned varints, each text behind its
// length:
//
//	8 bytes "TALLYBK1"
//	'r'  keyspace byte   key   record as it is sealed in the file
//	'n'  what the caller adds
//	'z'  32 bytes, the HMAC of all before under the chain's key, or its SHA-256
//
// The first record is the header; the others come by keyspace, then by key, what
// is recent last.
const backupMagic = "TALLYBK1"

const (
	frameRecord = 'r'
	frameNote   = 'n'
	frameEnd    = 'z'

	maxKey = 1 << 10
	// maxSealed bounds a record as it is sealed, that of a group among them.
	maxSealed = 8 << 20
)

// Backup writes one synced state of the journal to w while it is in use. That
// state is first written to a file beside the journal, at the disk's speed, so
// that a slow w holds up nothing. note, called between two commits, gives up to
// MaxValue bytes that Restore returns.
//
// Errors: ErrDamaged for a record that fails its digest, seal.ErrKey, those of
// w and the file system, ErrClosed, ctx.Err(). What w got then is no backup:
// Restore refuses it.
func (f *File) Backup(ctx context.Context, w io.Writer, note func() []byte) (err error) {
	if err := f.Ready(ctx); err != nil {
		return err
	}
	f.copying.Lock()
	defer f.copying.Unlock()
	ctx, cancel := f.untilClosed(ctx)
	defer cancel()
	spool, err := os.OpenFile(f.real+backupSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(f.real+backupSuffix)) }()
	var tx *Tx
	var drop func()
	var added []byte
	err = f.exclusively(ctx, func() (err error) {
		if tx, drop, err = f.hold(); err == nil {
			added = note()
		}
		return err
	})
	if err != nil {
		return err
	}
	err = guard(func() error { return f.spool(ctx, tx, spool, added) })
	drop()
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrClosed) {
			err = ErrClosed
		}
		return fmt.Errorf("back up %s: %w", f.path, err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(w, spool)
	return err
}

// sink writes frames and sums them.
type sink struct {
	w   *bufio.Writer
	sum hash.Hash
	err error
}

func (s *sink) write(b ...[]byte) {
	for _, p := range b {
		if s.err != nil {
			return
		}
		s.sum.Write(p)
		_, s.err = s.w.Write(p)
	}
}

func size(b []byte) []byte { return binary.AppendUvarint(nil, uint64(len(b))) }

func (f *File) spool(ctx context.Context, tx *Tx, w io.Writer, note []byte) error {
	s := &sink{w: bufio.NewWriterSize(w, 64<<10), sum: f.link.newHash()}
	s.write([]byte(backupMagic))
	put := func(b Bucket, key, value []byte) {
		s.write([]byte{frameRecord, byte(b)}, size(key), key, size(value), value)
	}
	put(headers, []byte("header"), tx.bucket(headers).Get([]byte("header")))
	for _, b := range slices.Concat([]Bucket{headers}, f.known(), []Bucket{groups}) {
		err := tx.bucket(b).ForEach(func(k, v []byte) error {
			if isHeader(b, k) {
				return ctx.Err()
			}
			if _, err := tx.open(b, k, v); err != nil {
				return err
			}
			put(b, k, v)
			return errors.Join(s.err, ctx.Err())
		})
		if err != nil {
			return err
		}
	}
	s.write([]byte{frameNote}, size(note), note, []byte{frameEnd})
	end := s.sum.Sum(nil)
	s.write(end)
	return errors.Join(s.err, s.w.Flush())
}

// source reads frames and sums them.
type source struct {
	r   *bufio.Reader
	sum hash.Hash // nil before the header is known
	buf bytes.Buffer
}

func (s *source) take(p []byte) {
	if s.sum == nil {
		s.buf.Write(p)
		return
	}
	s.sum.Write(p)
}

func (s *source) ReadByte() (byte, error) {
	b, err := s.r.ReadByte()
	if err == nil {
		s.take([]byte{b})
	}
	return b, err
}

// bytes reads a text of up to limit bytes, taking memory as they come.
func (s *source) bytes(limit uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(s)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("a field of %d bytes, allowed are up to %d", n, limit)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, s.r, int64(n)); err != nil {
		return nil, err
	}
	s.take(b.Bytes())
	return b.Bytes(), nil
}

// restorer builds a journal from a backup.
type restorer struct {
	in   *source
	old  *File // opens the records of the backup
	to   *copier
	log  logCheck
	note []byte
	last struct {
		bucket Bucket
		key    []byte
	}
}

// Restore makes a journal at path from a backup: the same journal of the next
// epoch, each record sealed anew, the chain continued under the current key.
// It returns what Backup was given as a note. Nothing is left at path unless
// all of the backup was read and holds: a backup that is cut short, changed or
// of other keys is ErrDamaged, ErrFormat or seal.ErrKey. path must not exist.
// Memory is bounded by the largest record.
func Restore(ctx context.Context, path string, r io.Reader, o Options) (note []byte, err error) {
	real, err := resolve(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(real); err == nil {
		return nil, fmt.Errorf("restore to %s: %w", path, os.ErrExist)
	}
	old := newFile(path, real, o)
	x := &restorer{in: &source{r: bufio.NewReaderSize(r, 64<<10)}, old: old, to: &copier{from: old}}
	err = x.restore(ctx)
	if x.to.to != nil {
		if err == nil {
			err = x.to.close()
		}
		if err != nil {
			_ = x.to.discard()
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: the backup is cut short", ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("restore to %s: %w", path, err)
	}
	return x.note, nil
}

func (x *restorer) restore(ctx context.Context) error {
	magic := make([]byte, len(backupMagic))
	if _, err := io.ReadFull(x.in.r, magic); err != nil {
		return fmt.Errorf("%w: not a backup", ErrFormat)
	}
	if string(magic) != backupMagic {
		return fmt.Errorf("%w: not a backup", ErrFormat)
	}
	x.in.take(magic)
	for {
		kind, err := x.in.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case frameRecord:
			err = x.record(ctx)
		case frameNote:
			x.note, err = x.in.bytes(MaxValue)
		case frameEnd:
			return x.end(ctx)
		default:
			err = fmt.Errorf("%w: a frame of kind %q", ErrDamaged, kind)
		}
		if err != nil {
			return err
		}
	}
}

func (x *restorer) record(ctx context.Context) error {
	b, err := x.in.ReadByte()
	if err != nil {
		return err
	}
	key, err := x.in.bytes(maxKey)
	if err != nil {
		return err
	}
	sealed, err := x.in.bytes(maxSealed)
	if err != nil {
		return err
	}
	bucket := Bucket(b)
	if x.to.to == nil {
		if !isHeader(bucket, key) {
			return fmt.Errorf("%w: the header does not come first", ErrDamaged)
		}
		return x.header(ctx, sealed)
	}
	known := bucket == headers || bucket == groups || slices.Contains(x.old.known(), bucket)
	if !known || isHeader(bucket, key) {
		return fmt.Errorf("%w: a record %c/%x", ErrDamaged, b, key)
	}
	if bucket == x.last.bucket && bytes.Compare(key, x.last.key) <= 0 {
		return fmt.Errorf("%w: records out of order", ErrDamaged)
	}
	x.last.bucket, x.last.key = bucket, key
	plain, err := x.old.box.Open(sealed, place(bucket, key))
	if err != nil {
		return &DamageError{bucket, key, err}
	}
	x.log.count(bucket, sealed)
	switch bucket {
	case headers:
		return x.log.setTail(plain)
	case groups:
		return eachChange(plain, x.old.known(), func(ch change) error { return x.change(ctx, ch) })
	}
	return x.change(ctx, change{bucket: bucket, key: key, value: plain})
}

// change writes a record to the fresh journal.
func (x *restorer) change(ctx context.Context, ch change) error {
	if ch.bucket != events {
		return x.to.add(ctx, ch)
	}
	if err := x.log.event(ch.key, ch.value); err != nil {
		return err
	}
	return x.to.add(ctx, change{bucket: events, value: ch.value[chainSize:]})
}

// header makes the fresh journal, of the next epoch.
func (x *restorer) header(ctx context.Context, sealed []byte) error {
	h, err := openHeader(sealed)
	if err != nil {
		return err
	}
	if err := x.old.setHeader(h); err != nil {
		return err
	}
	x.in.sum = x.old.link.newHash()
	x.in.sum.Write(x.in.buf.Bytes())
	x.log = x.old.logCheck()
	x.log.begin(h.base)
	if x.old.opts.Keys != nil {
		if h.chain, err = x.old.opts.Keys.Current(); err != nil {
			return fmt.Errorf("%w: %w", seal.ErrKey, err)
		}
	}
	h.epoch++
	rand.Read(h.copy[:])
	return x.to.makeAt(ctx, x.old.path, x.old.real, h)
}

// end checks that the backup is whole.
func (x *restorer) end(ctx context.Context) error {
	if x.to.to == nil {
		return fmt.Errorf("%w: the backup has no header", ErrDamaged)
	}
	want := x.in.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(x.in.r, got); err != nil {
		return err
	}
	if !hmac.Equal(got, want) {
		return fmt.Errorf("%w: the backup's sum is another", ErrDamaged)
	}
	if _, err := x.in.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: bytes behind the backup's end", ErrDamaged)
	}
	if err := x.log.end(); err != nil {
		return err
	}
	if err := x.to.flush(ctx); err != nil {
		return err
	}
	return x.to.to.VerifyLog(ctx)
}

// Epoch is 1, and one more in each journal that was restored from a backup.
func (f *File) Epoch() uint64 { return f.head.epoch }

// Place gives a journal that is closed, at tmp, the name path, which must not
// be in use. The lock file of tmp goes.
func Place(tmp, path string, o Options) error {
	real, err := resolve(path)
	if err != nil {
		return err
	}
	l, err := acquire(real, o)
	if err != nil {
		return err
	}
	defer releaseQuietly(l)
	if _, err := os.Lstat(real); err == nil {
		return fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	if err := os.Rename(tmp, real); err != nil {
		return err
	}
	_ = os.Remove(tmp + ".lock")
	return syncDir(filepath.Dir(real))
}
