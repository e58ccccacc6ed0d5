package handset

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallystick/tallystick/queue"
)

// KeyPath is where the key of a journal stands.
func KeyPath(journal string) string { return journal + ".key" }

// Keys reads the key of the journal at path from the file beside it, with mode
// 0600. For a journal that is not there yet it makes one. A real app takes the
// key from the platform's key store: whoever has both files reads the journal.
// Errors are *Problem.
func Keys(path string) (queue.Keys, error) {
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if _, err := os.Stat(path); err == nil {
		return nil, problem(nil, "the journal %s has no key beside it; put its file %s back",
			"日志 %s 旁边没有密钥文件；请把 %s 放回原处", path, KeyPath(path))
	}
	if err := makeKey(path); err != nil {
		return nil, blocked(path, err)
	}
	return readKey(path)
}

func readKey(path string) (queue.Keys, error) {
	text, err := os.ReadFile(KeyPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if err != nil {
		return nil, blocked(path, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, problem(nil, "%s is not a key file; put the one of the journal %s back",
			"%s 不是密钥文件；请放回日志 %s 的密钥文件", KeyPath(path), path)
	}
	digest := sha256.Sum256(key)
	return fileKey{hex.EncodeToString(digest[:8]), func() []byte { return key }}, nil
}

// makeKey puts a new key on the disk whole, or nothing, and never in place of
// another.
func makeKey(path string) error {
	key := make([]byte, 32)
	rand.Read(key)
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, hex.EncodeToString(key))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), KeyPath(path)); err == nil || errors.Is(err, fs.ErrExist) {
		return syncDir(path)
	}
	if err := os.Rename(f.Name(), KeyPath(path)); err != nil { // no links on this file system
		return err
	}
	return syncDir(path)
}

// syncDir makes a new name in the folder of path last, where the system can.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	_ = d.Sync() // not every system can sync a folder
	return d.Close()
}

// fileKey is a queue.Keys of one key. Its name is a digest of it, so that the
// key of another journal is told from a damaged journal. The key itself sits
// behind a closure, where no format verb shows it.
type fileKey struct {
	name string
	key  func() []byte
}

func (k fileKey) Current() (string, error) { return k.name, nil }

func (k fileKey) Key(name string) ([]byte, error) {
	if name != k.name {
		return nil, fmt.Errorf("the key file has no key %q", name)
	}
	return k.key(), nil
}
