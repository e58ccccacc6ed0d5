package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

// create makes a fresh journal under a temporary name, closes it, gives it its
// own name and syncs the folder: a power cut leaves all of it or nothing.
func (f *File) create() error {
	h := header{format: Format, epoch: 1}
	rand.Read(h.journal[:])
	if f.opts.Keys != nil {
		name, err := f.opts.Keys.Current()
		if err != nil {
			return fmt.Errorf("%w: %w", seal.ErrKey, err)
		}
		h.chain = name
	}
	tmp := f.real + ".new"
	if err := f.createAt(tmp, h); err != nil {
		return err
	}
	if err := os.Rename(tmp, f.real); err != nil {
		return err
	}
	return f.syncFolder()
}

// createAt makes a journal with header h at path, closed cleanly and synced; on
// an error nothing is left there.
func (f *File) createAt(path string, h header) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	h.check = [checkSize]byte{} // of the keys that this file is made with
	if err := f.setHeader(h); err != nil {
		return err
	}
	db, err := f.openDB(path)
	if err != nil {
		return err
	}
	db.NoFreelistSync = false
	var pages int64
	err = guard(func() error {
		if err := f.initialise(db); err != nil {
			return err
		}
		return db.View(func(btx *bolt.Tx) error {
			pages = btx.Size()
			return nil
		})
	})
	err = errors.Join(err, closeDB(db))
	if err == nil {
		_, err = f.fill(path, pages, min(firstSize, f.opts.maxSize()-allocStep-pageSize))
	}
	return err
}

func (f *File) initialise(db *bolt.DB) error {
	return db.Update(func(btx *bolt.Tx) error {
		for _, b := range append([]Bucket{headers, groups}, f.known()...) {
			if _, err := btx.CreateBucket([]byte{byte(b)}); err != nil {
				return err
			}
		}
		sealed, err := sealHeader(f.head)
		if err != nil {
			return err
		}
		if err := btx.Bucket([]byte{byte(headers)}).Put([]byte("header"), sealed); err != nil {
			return err
		}
		if err := btx.Bucket([]byte{byte(events)}).Put([]byte(headerCopy), sealed); err != nil {
			return err
		}
		tx := &Tx{f: f, tx: btx}
		return tx.putTail(f.head.base)
	})
}

// headerCopy is the key of the header's second copy. It stands before the first
// event, on a page that once full is never written again, far from the first
// copy, which moves with each commit: no record opens without the header.
const headerCopy = "\x00"

func isHeader(b Bucket, key []byte) bool {
	return (b == headers && string(key) == "header") || (b == events && string(key) == headerCopy)
}

// headerBox guards the header, which must be readable before any key is known.
func headerBox() *seal.Box { return seal.New(nil, [16]byte{}) }

func sealHeader(h header) ([]byte, error) {
	var w record.Writer
	w.Uint(h.format)
	w.Bytes(h.journal[:])
	w.String(h.chain)
	w.Uint(h.epoch)
	w.Bytes(h.copy[:])
	w.Bytes(h.check[:])
	w.Uint(h.base.last)
	w.Bytes(h.base.head[:])
	return headerBox().Seal(nil, w.B, []byte("header"))
}

// openHeader reads a header. Errors: ErrDamaged, ErrFormat for another format.
func openHeader(sealed []byte) (h header, err error) {
	plain, err := headerBox().Open(sealed, []byte("header"))
	if err != nil {
		return h, fmt.Errorf("header: %w", ErrDamaged) // no key is asked for here
	}
	r := record.NewReader(plain)
	h.format = r.Uint()
	if r.Err() == nil && (h.format == 0 || h.format > Format) {
		return h, fmt.Errorf("%w: it has format %d, this version reads up to %d", ErrFormat, h.format, Format)
	}
	id := r.Bytes()
	h.chain = r.String()
	h.epoch = r.Uint()
	copied, check := r.Bytes(), r.Bytes()
	h.base.last = r.Uint()
	head := r.Bytes()
	if r.Done() != nil || len(id) != len(h.journal) || h.epoch == 0 || len(copied) != len(h.copy) || len(check) != checkSize || len(head) != chainSize {
		return h, fmt.Errorf("header: %w", ErrDamaged)
	}
	copy(h.journal[:], id)
	copy(h.copy[:], copied)
	copy(h.check[:], check)
	copy(h.base.head[:], head)
	return h, nil
}

func (f *File) setHeader(h header) error {
	f.head = h
	f.box = seal.New(f.opts.Keys, h.sealedAs())
	newHash, err := f.box.Chain(h.chain)
	if err != nil {
		return err
	}
	f.link = linker{newHash}
	sum := newHash()
	sum.Write([]byte("key check"))
	var check [checkSize]byte
	copy(check[:], sum.Sum(nil))
	if h.check == [checkSize]byte{} {
		f.head.check = check
	} else if check != h.check {
		return fmt.Errorf("%w: the key named %q is not the one that this journal was sealed with", seal.ErrKey, h.chain)
	}
	return nil
}

// checkSize is the size of the header's key check value, which tells another
// key from damage.
const checkSize = 8

// syncFolder makes the journal's name durable.
func (f *File) syncFolder() error {
	if f.opts.OnFolder != nil {
		if err := f.opts.OnFolder(); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(f.real))
}

// syncDir makes a rename in dir durable, where the system has a way to ask.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
