//go:build linux

// Package faultkit makes the disk under a journal fail, for tests: the n-th
// write with ENOSPC, EIO or cut short, the n-th sync; and it records every
// write and sync, so that the states that a power cut may leave can be built.
//
// bbolt has no seam for that in its interface. The kit therefore reaches into
// an open database with reflect and unsafe: it puts itself in the place of the
// unexported function that bbolt writes through, and exchanges the unexported
// file that bbolt syncs for a pipe, whose fdatasync fails, from the last write
// before the sync that is to fail. Nothing but tests may import it.
//
// What it takes for granted of bbolt, and what the tests of failing syncs would
// notice if it ceased to hold: a commit writes its pages, syncs, writes one
// meta page, syncs.
package faultkit

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"sync"
	"unsafe"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

const metaPages = 2 * 4096

// Op is one write or sync of the file.
type Op struct {
	Sync   bool
	Failed bool   // the sync: what was written since the last one may be lost for ever
	Off    int64  // of the write
	Data   []byte // what it wrote
}

// Short makes FailWrite cut the write in half.
var Short = io.ErrShortWrite

// Kit holds one journal's file. It is safe for concurrent use.
type Kit struct {
	mu     sync.Mutex
	field  **os.File // where the held database keeps its file
	real   *os.File
	meta   bool // the last write was a meta page: its sync follows unseen
	away   bool // the file was taken away: the sync that fails follows unseen
	writes int
	syncs  int

	failWrite int
	writeErr  error
	failAll   bool
	failSync  int
	recording bool
	ops       []Op
}

// Hold takes hold of a database; it is a journal's OnOpen.
func (k *Kit) Hold(db *bolt.DB) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	v := reflect.ValueOf(db).Elem()
	field := (**os.File)(unsafe.Pointer(v.FieldByName("file").UnsafeAddr()))
	if k.real != nil && *k.field != k.real {
		_ = k.real.Close() // what a failed sync took away from its database
	}
	k.field, k.real = field, *field
	real := k.real
	writeAt := (*func([]byte, int64) (int, error))(unsafe.Pointer(v.FieldByName("ops").FieldByName("writeAt").UnsafeAddr()))
	*writeAt = func(b []byte, off int64) (int, error) { return k.write(real, b, off) }
}

// write is a database's write.
func (k *Kit) write(real *os.File, b []byte, off int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.away {
		k.settle()
	}
	isMeta := off < metaPages
	if isMeta {
		k.synced(false) // the pages before it
	}
	if err := k.countWrite(); err != nil {
		n := 0
		if err == Short {
			n, _ = real.WriteAt(b[:len(b)/2], off)
			k.record(Op{Off: off, Data: bytes.Clone(b[:n])})
		}
		return n, err
	}
	n, err := real.WriteAt(b, off)
	if err != nil {
		return n, err
	}
	k.record(Op{Off: off, Data: bytes.Clone(b)})
	k.meta = isMeta && !k.away
	if k.failSync > 0 && k.syncs+1 == k.failSync && !k.away {
		k.takeFileAway()
	}
	return n, nil
}

// Raw is a journal's OnWrite: a write, or with nil a sync, beside the database.
func (k *Kit) Raw(b []byte, off int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	if b == nil {
		fails := k.failSync > 0 && k.syncs+1 == k.failSync
		k.synced(fails)
		if fails {
			return unix.EIO
		}
		return nil
	}
	if err := k.countWrite(); err != nil {
		return err
	}
	k.record(Op{Off: off, Data: bytes.Clone(b)})
	return nil
}

// settle notes the sync that followed unseen: that of a meta page, or the one
// that failed.
func (k *Kit) settle() {
	if k.meta || k.away {
		failed := k.away
		k.meta, k.away = false, false
		k.synced(failed)
	}
}

func (k *Kit) synced(failed bool) {
	k.syncs++
	k.record(Op{Sync: true, Failed: failed})
}

func (k *Kit) countWrite() error {
	k.writes++
	if k.writes == k.failWrite || (k.failAll && k.writes > k.failWrite) {
		return k.writeErr
	}
	return nil
}

func (k *Kit) record(op Op) {
	if k.recording {
		k.ops = append(k.ops, op)
	}
}

// takeFileAway makes the sync that comes next fail. The database closes the
// pipe in the end; its lock on the file is given back here.
func (k *Kit) takeFileAway() {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	_ = w.Close()
	_ = unix.Flock(int(k.real.Fd()), unix.LOCK_UN)
	*k.field = r
	k.meta, k.away = false, true
}

// FailWrite makes the n-th write from now fail, from 1; Short writes half.
func (k *Kit) FailWrite(n int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	k.failWrite, k.writeErr, k.failAll = k.writes+n, err, false
}

// FailWrites makes every write from now fail.
func (k *Kit) FailWrites(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	k.failWrite, k.writeErr, k.failAll = k.writes, err, true
}

// FailSync makes the n-th sync from now fail, from 1.
func (k *Kit) FailSync(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	k.failSync = k.syncs + n
}

// Heal lets all succeed again.
func (k *Kit) Heal() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failWrite, k.failSync, k.failAll = 0, 0, false
}

// Counts returns how many writes and syncs there were.
func (k *Kit) Counts() (writes, syncs int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	return k.writes, k.syncs
}

// Record begins a recording; Ops returns it so far.
func (k *Kit) Record() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	k.recording, k.ops = true, nil
}

// Ops returns what was recorded. The file is idle meanwhile.
func (k *Kit) Ops() []Op {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.settle()
	return k.ops[:len(k.ops):len(k.ops)]
}

// Into puts hold into the unexported field of that name in the struct that opts
// points to, for packages that keep their seam to themselves.
func Into(opts any, field string, hold func(*bolt.DB)) {
	f := reflect.ValueOf(opts).Elem().FieldByName(field)
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(hold))
}
