// Package lock keeps a journal to one opener: one in this process, one among
// all processes of the device.
//
// The lock is held on a file of its own beside the journal, because the lock
// that bbolt takes on the data file is a POSIX one on Android, which a second
// Open in the same process does not notice and any Close in it releases.
package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrHeld is wrapped by the error of Acquire when another opener has the lock.
var ErrHeld = errors.New("held by another opener")

// HeldError says who holds a lock.
type HeldError struct {
	Path string // the lock file
	PID  int    // the holder's process id; 0 when it cannot be told
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is held by another process", e.Path)
	}
	if e.PID == os.Getpid() {
		return fmt.Sprintf("%s is held by this process (pid %d) already", e.Path, e.PID)
	}
	return fmt.Sprintf("%s is held by process %d", e.Path, e.PID)
}

func (e *HeldError) Unwrap() error { return ErrHeld }

// open is the registry of paths locked in this process: OFD and flock locks
// already exclude a second open file description, LockFileEx and the
// registry together exclude the rest.
var open = struct {
	sync.Mutex
	paths map[string]bool
}{paths: map[string]bool{}}

// Lock is a held lock. Release it once.
type Lock struct {
	path string
	file *os.File
}

// Acquire takes the lock of the file at path, which it makes with mode 0600,
// trying again until ctx is done. The error is then a *HeldError.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	full, err := resolve(path)
	if err != nil {
		return nil, err
	}
	wait := time.Millisecond
	for {
		l, err := try(full)
		if !errors.Is(err, ErrHeld) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
		wait = min(2*wait, 50*time.Millisecond)
	}
}

// resolve names one file by one path, so that a symlinked folder cannot hide
// a second opener from the registry.
func resolve(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(full))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(full)), nil
}

func try(path string) (*Lock, error) {
	open.Lock()
	defer open.Unlock()
	if open.paths[path] {
		return nil, &HeldError{Path: path, PID: os.Getpid()}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	held, err := lockFile(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if held {
		pid := holder(f)
		_ = f.Close()
		return nil, &HeldError{Path: path, PID: pid}
	}
	// The pid is a hint for people: failing to write it (a full disk) does
	// not weaken the lock.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	open.paths[path] = true
	return &Lock{path: path, file: f}, nil
}

func holder(f *os.File) int {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// Release gives the lock back. The lock file stays: removing it would let two
// later openers lock two different files of one name.
func (l *Lock) Release() error {
	open.Lock()
	defer open.Unlock()
	delete(open.paths, l.path)
	// A process that is just being started has the file, too, until it runs its
	// own program: closing it here would not let go.
	return errors.Join(unlockFile(l.file), l.file.Close())
}
