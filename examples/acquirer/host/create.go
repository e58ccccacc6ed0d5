package host

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
)

// createLedger makes an empty ledger. A power cut while a file is being made can
// leave it half made, so it is made under a name of its own and takes its place
// whole. Of two processes that create the same ledger one wins; the other finds
// the winner's.
func createLedger(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".new-*")
	if err != nil {
		return err
	}
	temp := f.Name()
	defer os.Remove(temp)
	if err := f.Close(); err != nil {
		return err
	}
	if err := fillLedger(temp); err != nil {
		return err
	}
	if err := takePlace(temp, path); err != nil {
		return err
	}
	return syncDir(dir)
}

func fillLedger(path string) error {
	db, err := bbolt.Open(path, syncedMode, &bbolt.Options{PageSize: 4096})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		content := make([]byte, 32)
		if _, err := rand.Read(content); err != nil {
			return err
		}
		return errors.Join(meta.Put(keyContent, content), meta.Put(keyFormat, []byte(ledgerFormat)))
	})
	return errors.Join(err, db.Close())
}

// takePlace gives temp the name path, without replacing what already has it.
// Where the file system has no links it renames.
func takePlace(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	return os.Rename(temp, path)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be opened for syncing there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
