// Package attach keeps a device's attachments, such as the signature or the photo
// of a delivery, until its ledger has them, and sends them when nothing else
// waits: never ahead of money.
package attach

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tallystick/tallystick/internal/lock"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/internal/disk"
)

// Options of Open. The zero value, or nil, holds the defaults; Open does not
// write to it.
type Options struct {
	// MaxCount and MaxBytes bound what may wait. Defaults 1,000 and 256 MiB.
	MaxCount int
	MaxBytes int64
}

// Outbox is a folder of attachments that wait. It is safe for concurrent use.
// Its files have the mode 0600; they are not encrypted.
type Outbox struct {
	dir  string
	opts Options
	lock *lock.Lock
	mu   sync.Mutex    // over what is in the folder
	new  chan struct{} // filled when something was added
}

// Item is an attachment that waits.
type Item struct {
	Entry queue.ID // that it belongs to
	Hash  [sha256.Size]byte
	Size  int64
	Type  string // its media type
}

// FullError says which bound of the outbox refuses an attachment.
type FullError struct {
	Bound     string // "count", "bytes", "size"
	Have, Max int64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("the attachment does not fit: %s %d of %d", e.Bound, e.Have, e.Max)
}

// ErrDamaged means that a file in the outbox is not what was added: it is kept
// beside the others under a name that says so.
var ErrDamaged = errors.New("the attachment is damaged")

// A file is a header and the content: "TSA1", the length of the media type, and
// that type in 64 bytes with zeros behind it. Its name has the entry and the
// content's hash.
const (
	magic      = "TSA1"
	maxType    = 64
	headerSize = len(magic) + 1 + maxType
	suffix     = ".att"
)

// Open opens the outbox in the folder dir, or makes it with the mode 0700. What
// a crash cut short while it was added is removed: it was never acknowledged.
//
// Errors: a held lock, those of the file system.
func Open(dir string, o *Options) (*Outbox, error) {
	b := &Outbox{dir: dir, new: make(chan struct{}, 1)}
	if o != nil {
		b.opts = *o
	}
	if b.opts.MaxCount <= 0 {
		b.opts.MaxCount = 1000
	}
	if b.opts.MaxBytes <= 0 {
		b.opts.MaxBytes = 256 << 20
	}
	err := errors.Join(os.MkdirAll(dir, 0o700), disk.SyncFolder(filepath.Dir(filepath.Clean(dir))))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no wait
	if b.lock, err = lock.Acquire(ctx, filepath.Join(dir, "lock")); err != nil {
		return nil, err
	}
	left, err := filepath.Glob(filepath.Join(dir, "new-*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return nil, errors.Join(err, b.lock.Release())
	}
	return b, nil
}

// Close gives the outbox's lock back.
func (b *Outbox) Close() error { return b.lock.Release() }

// Add keeps an attachment of the entry, of the media type given (1 to 64 bytes of
// printable ASCII). On a nil error it is synced. Adding the same content to the
// same entry again is no error.
//
// Errors: *FullError, those of content and of the file system; nothing was kept.
func (b *Outbox) Add(ctx context.Context, entry queue.ID, media string, content io.Reader) (Item, error) {
	it := Item{Entry: entry, Type: media}
	if err := checkType(media); err != nil {
		return it, err
	}
	data, err := io.ReadAll(io.LimitReader(content, ledger.MaxAttachment+1))
	if err != nil {
		return it, err
	}
	it.Size, it.Hash = int64(len(data)), sha256.Sum256(data)
	if it.Size < 1 || it.Size > ledger.MaxAttachment {
		return it, &FullError{"size", it.Size, ledger.MaxAttachment}
	}
	if err := ctx.Err(); err != nil {
		return it, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.items()
	if err != nil {
		return it, err
	}
	sum := it.Size
	for _, x := range all {
		if x.Entry == entry && x.Hash == it.Hash {
			return x, nil
		}
		sum += x.Size
	}
	switch {
	case len(all) >= b.opts.MaxCount:
		return it, &FullError{"count", int64(len(all) + 1), int64(b.opts.MaxCount)}
	case sum > b.opts.MaxBytes:
		return it, &FullError{"bytes", sum, b.opts.MaxBytes}
	}
	if err := b.write(it, data); err != nil {
		return it, err
	}
	select {
	case b.new <- struct{}{}:
	default:
	}
	return it, nil
}

func checkType(media string) error {
	if len(media) < 1 || len(media) > maxType {
		return errors.New("an attachment needs a media type of 1 to 64 bytes")
	}
	for _, c := range []byte(media) {
		if c <= ' ' || c > '~' {
			return errors.New("a media type is printable ASCII without spaces")
		}
	}
	return nil
}

func (b *Outbox) write(it Item, data []byte) error {
	header := make([]byte, headerSize)
	copy(header, magic)
	header[len(magic)] = byte(len(it.Type))
	copy(header[len(magic)+1:], it.Type)
	tmp := filepath.Join(b.dir, "new-"+rand.Text())
	err := writeSynced(tmp, header, data)
	if err == nil {
		err = os.Rename(tmp, b.path(it))
	}
	if err != nil {
		_ = os.Remove(tmp) // Open removes it otherwise
		return err
	}
	return disk.SyncFolder(b.dir)
}

func writeSynced(path string, parts ...[]byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, err = f.Write(p); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (b *Outbox) path(it Item) string {
	return filepath.Join(b.dir, fmt.Sprintf("%020d-%x%s", it.Entry, it.Hash, suffix))
}

// Items returns what waits, in the order of the entries.
func (b *Outbox) Items() ([]Item, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.items()
}

func (b *Outbox) items() ([]Item, error) {
	files, err := os.ReadDir(b.dir) // sorted by name
	if err != nil {
		return nil, err
	}
	var out []Item
	for _, f := range files {
		it, ok := parseName(f.Name())
		if !ok {
			continue
		}
		file, err := os.Open(filepath.Join(b.dir, f.Name()))
		if err != nil {
			return nil, err
		}
		err = readHeader(file, &it)
		if err = errors.Join(err, file.Close()); err != nil {
			if errors.Is(err, ErrDamaged) {
				err = b.aside(it)
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, it)
	}
	return out, nil
}

func parseName(name string) (it Item, ok bool) {
	rest, isOne := strings.CutSuffix(name, suffix)
	id, hash, cut := strings.Cut(rest, "-")
	n, err := strconv.ParseUint(id, 10, 64)
	raw, hexErr := hex.DecodeString(hash)
	if !isOne || !cut || err != nil || hexErr != nil || len(raw) != sha256.Size {
		return it, false
	}
	return Item{Entry: queue.ID(n), Hash: [sha256.Size]byte(raw)}, true
}

func readHeader(f *os.File, it *Item) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil || string(header[:4]) != magic || int(header[4]) > maxType {
		return fmt.Errorf("attachment of entry %d: %w", it.Entry, ErrDamaged)
	}
	it.Type = string(header[5 : 5+int(header[4])])
	it.Size = info.Size() - int64(headerSize)
	if checkType(it.Type) != nil || it.Size < 1 || it.Size > ledger.MaxAttachment {
		return fmt.Errorf("attachment of entry %d: %w", it.Entry, ErrDamaged)
	}
	return nil
}

// aside puts a damaged file out of the way, where a person finds it.
func (b *Outbox) aside(it Item) error {
	return errors.Join(os.Rename(b.path(it), b.path(it)+".damaged"), disk.SyncFolder(b.dir))
}

// read returns the content, which is checked against its hash.
func (b *Outbox) read(it Item) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, err := os.ReadFile(b.path(it))
	if err != nil {
		return nil, err
	}
	if len(data) < headerSize || sha256.Sum256(data[headerSize:]) != it.Hash {
		return nil, errors.Join(fmt.Errorf("attachment of entry %d: %w", it.Entry, ErrDamaged), b.aside(it))
	}
	return slices.Clip(data[headerSize:]), nil
}

// sent forgets an attachment that its ledger has.
func (b *Outbox) sent(it Item) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return errors.Join(os.Remove(b.path(it)), disk.SyncFolder(b.dir))
}
