package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/reconcile/ledger/internal/disk"
)

// files are the contents of attachments, in a folder for each device: NAME.part
// until all of it is here, NAME afterwards, where NAME is the hash in hex.
type files struct{ root string }

func (f *files) open(root string) error {
	f.root = root
	if root == "" {
		return nil
	}
	return errors.Join(os.MkdirAll(root, 0o700), disk.SyncFolder(filepath.Dir(filepath.Clean(root))))
}

func (f *files) check(a Attachment) error {
	switch {
	case f.root == "":
		return fmt.Errorf("this ledger takes no attachments: %w", ErrNotFound)
	case a.Size < 1 || a.Size > MaxAttachment:
		return &LimitError{Limit: "attachment size", Have: a.Size, Max: MaxAttachment}
	case len(a.Type) < 1 || len(a.Type) > 64:
		return &InvalidError{"type", "has to be a media type of 1 to 64 bytes"}
	}
	for _, c := range []byte(a.Type) {
		if c <= ' ' || c > '~' {
			return &InvalidError{"type", "has to be printable ASCII without spaces"}
		}
	}
	return nil
}

func (f *files) path(a Attachment) string {
	d := sha256.Sum256([]byte(a.Device))
	return filepath.Join(f.root, hex.EncodeToString(d[:16]), hex.EncodeToString(a.Hash[:]))
}

// have tells how many bytes are here, and whether the file was finished.
func (f *files) have(a Attachment) (n int64, whole bool, err error) {
	if _, err := os.Stat(f.path(a)); err == nil {
		return a.Size, true, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return 0, false, err
	}
	info, err := os.Stat(f.path(a) + ".part")
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	return info.Size(), false, nil
}

// append puts the bytes of r behind those that are here, syncs them, and returns
// how many there are then. Bytes beyond the attachment's size are not taken.
func (f *files) append(a Attachment, r io.Reader) (have int64, err error) {
	path := f.path(a) + ".part"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return a.Have, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return a.Have, err
	}
	if a.Have == 0 { // its name is new
		if err := errors.Join(disk.SyncFolder(filepath.Dir(path)), disk.SyncFolder(f.root)); err != nil {
			return a.Have, errors.Join(err, file.Close())
		}
	}
	n, copyErr := io.Copy(file, io.LimitReader(r, a.Size-a.Have))
	if copyErr == nil && a.Have+n == a.Size {
		copyErr = atEnd(r)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return a.Have, err
	}
	return a.Have + n, copyErr
}

// atEnd tells whether nothing follows.
func atEnd(r io.Reader) error {
	n, err := io.ReadFull(r, make([]byte, 1))
	if n > 0 {
		return &InvalidError{"content", "goes on behind the announced size"}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// finish checks the file and gives it its name. One that is not what its hash
// says is removed.
func (f *files) finish(a Attachment) error {
	path := f.path(a)
	b, err := readSmall(path+".part", a.Size)
	if err != nil {
		return err
	}
	if sha256.Sum256(b) != a.Hash {
		return errors.Join(ErrDigest, os.Remove(path+".part"))
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	return errors.Join(disk.SyncFolder(filepath.Dir(path)), disk.SyncFolder(f.root))
}

func readSmall(path string, size int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, size+1))
}

func (f *files) read(a Attachment) ([]byte, error) {
	b, err := readSmall(f.path(a), a.Size)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(b) != a.Hash {
		return nil, fmt.Errorf("attachment %x: %w", a.Hash, ErrDamaged)
	}
	return b, nil
}

func (f *files) remove(a Attachment) error {
	for _, path := range []string{f.path(a), f.path(a) + ".part"} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
