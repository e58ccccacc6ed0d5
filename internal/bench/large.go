package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// large is what a journal with many entries costs.
type large struct {
	entries     int
	fileBytes   int64
	appendRate  float64 // per second, by 64, while it was filled
	drainRate   float64 // attempts and answers per second, window 64
	openClean   time.Duration
	readyClean  time.Duration // until the examination behind Open has ended
	openCrashed time.Duration
	heapFilled  int64 // in the process that appended them
	heapOpened  int64 // after a clean close and Open, examined
	fresh       int64 // bytes of the file changed by a commit of one entry, in a new file
	filled      int64 // the same when all are pending
	drained     int64 // the same after all were drained
}

// commitsMeasured is over how many commits the bytes of one are taken.
const commitsMeasured = 15

// measureLarge fills a journal with n entries and takes all figures of it.
func measureLarge(dir string, n, repeats int, log func(string, ...any)) (l large, err error) {
	own, err := os.MkdirTemp(dir, "large-")
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
	l.entries = n
	base := heap()
	j, err := openJournal(own)
	if err != nil {
		return l, err
	}
	defer func() {
		if j != nil {
			err = errors.Join(err, j.Close())
		}
	}()
	if l.fresh, err = bytesPerCommit(j, own, 0); err != nil {
		return l, err
	}
	began := time.Now()
	few := n - 2*commitsMeasured
	if err := eachWriter(lifeWriters, few, func(i int) error { return j.Append(commitsMeasured+i, nil) }); err != nil {
		return l, fmt.Errorf("fill with %d entries: %w", n, err)
	}
	l.appendRate = float64(few) / time.Since(began).Seconds()
	if l.filled, err = bytesPerCommit(j, own, n-commitsMeasured); err != nil {
		return l, err
	}
	l.heapFilled = heap() - base
	if err := j.tally(queue.Pending, n); err != nil {
		return l, err
	}
	log("filled with %d entries", n)
	if l.openCrashed, err = openCopies(own, n, repeats); err != nil {
		return l, err
	}
	log("opened after a crash")
	if err := j.Close(); err != nil {
		return l, err
	}
	j = nil
	base = heap()
	if j, err = l.openings(own, n, repeats); err != nil {
		return l, err
	}
	l.heapOpened = heap() - base
	log("opened after a clean close")
	began = time.Now()
	for _, ln := range lanes {
		if err := j.q.Drain(context.Background(), ln, approving{}); err != nil {
			return l, err
		}
	}
	l.drainRate = float64(n) / time.Since(began).Seconds()
	if err := j.answered(n); err != nil {
		return l, err
	}
	l.drained, err = bytesPerCommit(j, own, n)
	log("drained")
	return l, err
}

// openings opens the journal again and again after clean closes, and leaves it
// open.
func (l *large) openings(dir string, n, repeats int) (j *journal, err error) {
	info, err := os.Stat(journalPath(dir))
	if err != nil {
		return nil, err
	}
	l.fileBytes = info.Size()
	var opened, ready []float64
	for range repeats {
		if j != nil {
			if err := j.Close(); err != nil {
				return nil, err
			}
		}
		began := time.Now()
		if j, err = openJournal(dir); err != nil {
			return nil, err
		}
		opened = append(opened, float64(time.Since(began)))
		if err := j.tally(queue.Pending, n); err != nil {
			return j, err
		}
		ready = append(ready, float64(time.Since(began)))
	}
	l.openClean, l.readyClean = time.Duration(median(opened)), time.Duration(median(ready))
	return j, nil
}

// openCopies times Open on copies of the open journal's file: what a crash
// leaves. The copies are in the page cache.
func openCopies(dir string, n, repeats int) (time.Duration, error) {
	var took []float64
	for range repeats {
		d, err := openCopy(dir, n)
		if err != nil {
			return 0, err
		}
		took = append(took, float64(d))
	}
	return time.Duration(median(took)), nil
}

func openCopy(dir string, n int) (d time.Duration, err error) {
	crash, err := os.MkdirTemp(dir, "crash-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(crash)) }()
	if err := copyFile(journalPath(dir), journalPath(crash)); err != nil {
		return 0, err
	}
	runtime.GC()
	began := time.Now()
	j, err := openJournal(crash)
	if err != nil {
		return 0, err
	}
	d = time.Since(began)
	return d, errors.Join(j.tally(queue.Pending, n), j.Close())
}

func copyFile(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return dst.Sync()
}

// heapWith is the heap that a journal with n pending entries takes, in the
// process that appended them.
func heapWith(dir string, n int) (bytes int64, err error) {
	own, err := os.MkdirTemp(dir, "heap-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
	base := heap()
	j, err := openJournal(own)
	if err != nil {
		return 0, err
	}
	if err := eachWriter(lifeWriters, n, func(i int) error { return j.Append(i, nil) }); err != nil {
		return 0, errors.Join(err, j.Close())
	}
	bytes = heap() - base
	return bytes, j.Close()
}

// heap is what is alive on the heap.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// bytesPerCommit appends entries one by one, from number on, and counts the
// pages of the file that each commit changes. The system's own counters do
// not serve: they count other processes, or whole folios for one page.
func bytesPerCommit(j *journal, dir string, from int) (int64, error) {
	seed := maphash.MakeSeed()
	before, err := pageSums(journalPath(dir), seed)
	if err != nil {
		return 0, err
	}
	var each []float64
	for i := range commitsMeasured {
		if err := j.Append(from+i, nil); err != nil {
			return 0, err
		}
		after, err := pageSums(journalPath(dir), seed)
		if err != nil {
			return 0, err
		}
		each = append(each, float64(changedPages(before, after)*pageBytes))
		before = after
	}
	return int64(median(each)), nil
}

const pageBytes = 4096

// pageSums hashes each page of a file; a page of zeros, as the journal fills
// its file with ahead of use, has the sum 0.
func pageSums(path string, seed maphash.Seed) (sums []uint64, err error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zero := make([]byte, pageBytes)
	zeroSum := maphash.Bytes(seed, zero)
	buf := make([]byte, 256*pageBytes)
	for {
		n, err := io.ReadFull(f, buf)
		for b := buf[:n]; len(b) > 0; b = b[min(pageBytes, len(b)):] {
			sum := maphash.Bytes(seed, b[:min(pageBytes, len(b))])
			if sum == zeroSum {
				sum = 0
			}
			sums = append(sums, sum)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return sums, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// changedPages counts the pages that differ; pages behind the end count as
// zeros.
func changedPages(a, b []uint64) (n int) {
	at := func(s []uint64, i int) uint64 {
		if i < len(s) {
			return s[i]
		}
		return 0
	}
	for i := range max(len(a), len(b)) {
		if at(a, i) != at(b, i) {
			n++
		}
	}
	return n
}
