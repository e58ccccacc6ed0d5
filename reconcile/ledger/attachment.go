package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// MaxAttachment bounds an attachment in bytes.
const MaxAttachment = 5 << 20

// Attachment is a file that belongs to an entry: a signature, a photo of the
// delivery. It is known by its content, for each device by itself.
type Attachment struct {
	Device string
	Hash   [sha256.Size]byte // SHA-256 of all of it
	Size   int64             // 1 to MaxAttachment
	Type   string            // its media type, 1 to 64 bytes of printable ASCII
	// Have is how many bytes of it are here and synced; Complete tells that all
	// are, and that they have its Hash.
	Have     int64
	Complete bool
	Begun    time.Time
}

// OffsetError says that a part does not begin where the last one ended.
type OffsetError struct{ Have int64 }

func (e *OffsetError) Error() string {
	return fmt.Sprintf("%d bytes are here: go on from there", e.Have)
}

// ErrDigest means that all bytes of an attachment are here and are not those
// of its hash: they were thrown away, and it begins anew.
var ErrDigest = errors.New("the content does not have its hash")

func attachKey(device string, hash [sha256.Size]byte) []byte {
	d := sha256.Sum256([]byte(device))
	return key(spaceAttach, d[:16], hash[:])
}

func (a Attachment) encode() []byte {
	w := &record.Writer{}
	w.String(a.Device)
	w.Int(a.Size)
	w.String(a.Type)
	w.Bool(a.Complete)
	w.Time(a.Begun)
	return w.B
}

func decodeAttachment(k, v []byte) (a Attachment, err error) {
	r := record.NewReader(v)
	a.Device, a.Size, a.Type, a.Complete, a.Begun = r.String(), r.Int(), r.String(), r.Bool(), r.Time()
	if len(k) != 1+16+sha256.Size {
		r.Fail()
	} else {
		copy(a.Hash[:], k[17:])
	}
	if err := r.Done(); err != nil {
		return a, fmt.Errorf("%w: an attachment: %w", ErrDamaged, err)
	}
	return a, nil
}

func (l *Ledger) loadAttachment(tx Tx, device string, hash [sha256.Size]byte) (a Attachment, err error) {
	k := attachKey(device, hash)
	v, err := tx.Get(k)
	if err == nil && v == nil {
		err = fmt.Errorf("attachment %x: %w", hash, ErrNotFound)
	}
	if err != nil {
		return a, err
	}
	return decodeAttachment(k, v)
}

// Announce says that the device has an attachment for the entry at a sequence of
// its journal, and returns what is here of it. Announcing it again is no error;
// for another entry, it belongs to both.
//
// Errors: *InvalidError, ErrForeign, *LimitError, ErrNotFound where
// Options.Attachments is not set, those of the engine.
func (l *Ledger) Announce(ctx context.Context, journal [16]byte, seq queue.ID, a Attachment) (Attachment, error) {
	if err := l.files.check(a); err != nil {
		return a, err
	}
	var out Attachment
	err := l.engine.Update(ctx, func(tx Tx) error {
		bk, err := ownBook(tx, journal, a.Device, l.opts)
		if err != nil {
			return err
		}
		if out, err = l.loadAttachment(tx, a.Device, a.Hash); errors.Is(err, ErrNotFound) {
			out = Attachment{Device: a.Device, Hash: a.Hash, Size: a.Size, Type: a.Type, Begun: l.now()}
			if err := l.takeAttachment(tx, bk, out); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if out.Size != a.Size {
			return &InvalidError{"size", "is another one than was announced before"}
		}
		link := key(spaceLink, journal[:], u64(uint64(seq)), a.Hash[:])
		if old, err := tx.Get(link); err != nil || old != nil {
			return err
		}
		return tx.Put(link, []byte(a.Device))
	})
	if err != nil {
		return a, err
	}
	return l.stand(ctx, out)
}

// takeAttachment counts a new attachment against the device's limits.
func (l *Ledger) takeAttachment(tx Tx, bk journalBook, a Attachment) error {
	limits, err := l.opts.limits(tx, a.Device)
	if err != nil {
		return err
	}
	use, err := loadUsage(tx, a.Device)
	if err != nil {
		return err
	}
	switch {
	case use.Attachments+1 > limits.Attachments:
		return &LimitError{Limit: "attachments", Have: use.Attachments + 1, Max: limits.Attachments}
	case use.AttachmentBytes+a.Size > limits.AttachmentBytes:
		return &LimitError{Limit: "attachment bytes", Have: use.AttachmentBytes + a.Size, Max: limits.AttachmentBytes}
	}
	if err := tx.Admit(); err != nil {
		return err
	}
	if err := bk.bind(tx, a.Device); err != nil {
		return err
	}
	if use, err = loadUsage(tx, a.Device); err != nil { // bind counts, too
		return err
	}
	use.Attachments++
	use.AttachmentBytes += a.Size
	if err := tx.Put(usageKey(a.Device), use.encode()); err != nil {
		return err
	}
	return tx.Put(attachKey(a.Device, a.Hash), a.encode())
}

// Attachment returns what is here of the device's attachment, or ErrNotFound.
func (l *Ledger) Attachment(ctx context.Context, device string, hash [sha256.Size]byte) (a Attachment, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		a, err = l.loadAttachment(tx, device, hash)
		return err
	})
	if err != nil {
		return a, err
	}
	return l.stand(ctx, a)
}

// stand adds to a what its file tells. A file that is whole without the engine
// knowing was finished in the moment of a crash.
func (l *Ledger) stand(ctx context.Context, a Attachment) (Attachment, error) {
	if a.Complete {
		a.Have = a.Size
		return a, nil
	}
	have, whole, err := l.files.have(a)
	if err != nil {
		return a, err
	}
	if whole {
		return l.complete(ctx, a)
	}
	a.Have = have
	return a, nil
}

func (l *Ledger) complete(ctx context.Context, a Attachment) (Attachment, error) {
	a.Complete, a.Have = true, a.Size
	return a, l.engine.Update(ctx, func(tx Tx) error { return tx.Put(attachKey(a.Device, a.Hash), a.encode()) })
}

// Receive takes the bytes of r as those of the attachment from offset on, which
// must be where it stands, and returns how it stands then. What came is kept and
// synced whatever error ends it, so that the device goes on from there, to the
// byte, after a lost line or a restart of either side.
//
// Errors: ErrNotFound for what was not announced; *OffsetError; ErrBusy while
// another call receives it; *InvalidError for bytes beyond its size; ErrDigest;
// those of r, of the file system and the engine.
func (l *Ledger) Receive(ctx context.Context, device string, hash [sha256.Size]byte, offset int64, r io.Reader) (Attachment, error) {
	name := string(attachKey(device, hash))
	if !l.busy.take([]string{name}) {
		return Attachment{}, ErrBusy
	}
	defer l.busy.give([]string{name})
	a, err := l.Attachment(ctx, device, hash)
	if err != nil {
		return a, err
	}
	if a.Have != offset {
		return a, &OffsetError{a.Have}
	}
	if a.Complete {
		return a, nil
	}
	if a.Have, err = l.files.append(a, r); err != nil || a.Have < a.Size {
		return a, err
	}
	if err := l.files.finish(a); err != nil {
		a.Have = 0
		return a, err
	}
	return l.complete(ctx, a)
}

// Read returns the content of a complete attachment. It is checked against its
// hash.
//
// Errors: ErrNotFound, also while it is not complete; ErrDamaged; those of the
// file system and the engine.
func (l *Ledger) Read(ctx context.Context, device string, hash [sha256.Size]byte) ([]byte, error) {
	a, err := l.Attachment(ctx, device, hash)
	if err != nil {
		return nil, err
	}
	if !a.Complete {
		return nil, fmt.Errorf("attachment %x: %d of %d bytes are here: %w", hash, a.Have, a.Size, ErrNotFound)
	}
	return l.files.read(a)
}

// Drop forgets an attachment and what is here of it, which frees the device's
// limits. Its links to entries stay.
func (l *Ledger) Drop(ctx context.Context, device string, hash [sha256.Size]byte) error {
	name := string(attachKey(device, hash))
	if !l.busy.take([]string{name}) {
		return ErrBusy
	}
	defer l.busy.give([]string{name})
	var a Attachment
	err := l.engine.Update(ctx, func(tx Tx) (err error) {
		if a, err = l.loadAttachment(tx, device, hash); err != nil {
			return err
		}
		use, err := loadUsage(tx, device)
		if err != nil {
			return err
		}
		use.Attachments = max(0, use.Attachments-1)
		use.AttachmentBytes = max(0, use.AttachmentBytes-a.Size)
		if err := tx.Put(usageKey(device), use.encode()); err != nil {
			return err
		}
		return tx.Delete(attachKey(device, hash))
	})
	if err != nil {
		return err
	}
	return l.files.remove(a)
}

// Attachments yields all attachments, complete or not: one that is not, and was
// begun long ago, is one that its device still owes. An error is yielded once
// and last.
func (l *Ledger) Attachments(ctx context.Context) iter.Seq2[Attachment, error] {
	return func(yield func(Attachment, error) bool) {
		load := func(_ Tx, k, v []byte) (Attachment, error) { return decodeAttachment(k, v) }
		for a, err := range pages(ctx, l.engine, key(spaceAttach), nil, load) {
			if err == nil {
				a, err = l.stand(ctx, a)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// AttachmentsOf returns the attachments of an entry. One that was dropped is left
// out.
func (l *Ledger) AttachmentsOf(ctx context.Context, journal [16]byte, seq queue.ID) ([]Attachment, error) {
	var out []Attachment
	links := pages(ctx, l.engine, key(spaceLink, journal[:], u64(uint64(seq))), nil, func(_ Tx, k, v []byte) (pair, error) { return pair{k, v}, nil })
	for p, err := range links {
		if err != nil {
			return nil, err
		}
		a, err := l.Attachment(ctx, string(p.value), [sha256.Size]byte(p.key[25:]))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
