package statement

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// sorter sorts records by their first sortKey bytes in bounded memory: what does
// not fit goes to temporary files in sorted runs, which are merged as they are
// read. Records have up to 64 KiB.
type sorter struct {
	dir    string
	budget int
	arena  []byte // records behind their lengths
	index  []place
	runs   []*run
	out    *merged // set by sorted
}

// place is a record in the arena with the beginning of its key, by which most
// comparisons are decided.
type place struct {
	head uint64
	at   uint32
}

const (
	placeSize = 16
	lenSize   = 2
	// maxRuns is how many files are open at once; so many are merged into one.
	maxRuns   = 48
	runBuffer = 32 << 10
)

func newSorter(dir string, budget int) *sorter { return &sorter{dir: dir, budget: budget} }

func (s *sorter) add(rec []byte) error {
	if len(s.arena)+len(s.index)*placeSize+len(rec)+lenSize+placeSize > s.budget && len(s.index) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.index = append(s.index, place{binary.BigEndian.Uint64(rec), uint32(len(s.arena))})
	s.arena = binary.BigEndian.AppendUint16(s.arena, uint16(len(rec)))
	s.arena = append(s.arena, rec...)
	return nil
}

// at returns the record at a place of the arena; it aliases the arena.
func (s *sorter) at(p place) []byte {
	n := binary.BigEndian.Uint16(s.arena[p.at:])
	return s.arena[p.at+lenSize:][:n:n]
}

func (s *sorter) sort() {
	slices.SortFunc(s.index, func(a, b place) int {
		switch {
		case a.head < b.head:
			return -1
		case a.head > b.head:
			return 1
		}
		return bytes.Compare(s.at(a)[:sortKey], s.at(b)[:sortKey])
	})
}

// spill writes what is in memory as one more run.
func (s *sorter) spill() error {
	s.sort()
	r, err := newRun(s.dir)
	if err != nil {
		return err
	}
	s.runs = append(s.runs, r)
	for _, p := range s.index {
		if err := r.write(s.at(p)); err != nil {
			return err
		}
	}
	s.arena, s.index = s.arena[:0], s.index[:0]
	if len(s.runs) < maxRuns {
		return nil
	}
	return s.mergeRuns()
}

// mergeRuns makes one run of all.
func (s *sorter) mergeRuns() error {
	all, err := mergeOf(s.runs, nil)
	if err != nil {
		return err
	}
	r, err := newRun(s.dir)
	if err != nil {
		return err
	}
	old := s.runs
	s.runs = append(slices.Clone(old), r) // close knows all of them
	for {
		rec, err := all.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = r.write(rec)
		}
		if err != nil {
			return err
		}
	}
	s.runs = []*run{r}
	return closeRuns(old)
}

// sorted begins to read the records in order. Nothing may be added afterwards.
func (s *sorter) sorted() error {
	s.sort()
	var err error
	s.out, err = mergeOf(s.runs, s)
	return err
}

// next returns the next record, which stands until the next call, or io.EOF.
func (s *sorter) next() ([]byte, error) { return s.out.next() }

// close removes the files.
func (s *sorter) close() error {
	runs := s.runs
	*s = sorter{}
	return closeRuns(runs)
}

func closeRuns(runs []*run) (err error) {
	for _, r := range runs {
		err = errors.Join(err, r.close())
	}
	return err
}

// run is one sorted temporary file, readable by its owner alone. Where the
// system allows it has no name any more, so that nothing of it is left behind by
// a crash.
type run struct {
	f    *os.File
	name string // to be removed at the end
	w    *bufio.Writer
	r    *bufio.Reader
	rec  []byte
}

func newRun(dir string) (*run, error) {
	f, err := os.CreateTemp(dir, "tallystick-statement-")
	if err != nil {
		return nil, fmt.Errorf("sorting the statement needs room for temporary files: %w", err)
	}
	r := &run{f: f, w: bufio.NewWriterSize(f, runBuffer)}
	if os.Remove(f.Name()) != nil {
		r.name = f.Name()
	}
	return r, nil
}

func (r *run) write(rec []byte) error {
	var n [lenSize]byte
	binary.BigEndian.PutUint16(n[:], uint16(len(rec)))
	if _, err := r.w.Write(n[:]); err != nil {
		return fmt.Errorf("sorting the statement: %w", err)
	}
	if _, err := r.w.Write(rec); err != nil {
		return fmt.Errorf("sorting the statement: %w", err)
	}
	return nil
}

func (r *run) rewind() error {
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("sorting the statement: %w", err)
	}
	_, err := r.f.Seek(0, io.SeekStart)
	r.w, r.r = nil, bufio.NewReaderSize(r.f, runBuffer)
	return err
}

func (r *run) next() ([]byte, error) {
	var n [lenSize]byte
	if _, err := io.ReadFull(r.r, n[:]); err != nil {
		return nil, err // io.EOF between two records
	}
	size := int(binary.BigEndian.Uint16(n[:]))
	r.rec = slices.Grow(r.rec[:0], size)[:size]
	if _, err := io.ReadFull(r.r, r.rec); err != nil {
		return nil, fmt.Errorf("a temporary file of the statement is cut short: %w", io.ErrUnexpectedEOF)
	}
	return r.rec, nil
}

func (r *run) close() error {
	err := r.f.Close()
	if r.name != "" {
		err = errors.Join(err, os.Remove(r.name))
	}
	return err
}

// source gives records in order.
type source struct {
	head []byte
	next func() ([]byte, error)
}

// merged reads several sources as one.
type merged struct {
	sources []*source
	fresh   bool // the first source's head has been given
}

// mergeOf merges runs and, where there is one, what a sorter has in memory.
func mergeOf(runs []*run, memory *sorter) (*merged, error) {
	m := &merged{}
	add := func(next func() ([]byte, error)) error {
		head, err := next()
		if err == nil {
			m.sources = append(m.sources, &source{head, next})
		}
		if err == io.EOF {
			return nil
		}
		return err
	}
	for _, r := range runs {
		if err := r.rewind(); err != nil {
			return nil, err
		}
		if err := add(r.next); err != nil {
			return nil, err
		}
	}
	if memory != nil {
		i := 0
		err := add(func() ([]byte, error) {
			if i == len(memory.index) {
				return nil, io.EOF
			}
			i++
			return memory.at(memory.index[i-1]), nil
		})
		if err != nil {
			return nil, err
		}
	}
	heap.Init(m)
	return m, nil
}

func (m *merged) next() ([]byte, error) {
	if m.fresh {
		first := m.sources[0]
		head, err := first.next()
		switch {
		case err == io.EOF:
			heap.Pop(m)
		case err != nil:
			return nil, err
		default:
			first.head = head
			heap.Fix(m, 0)
		}
	}
	if m.fresh = len(m.sources) > 0; !m.fresh {
		return nil, io.EOF
	}
	return m.sources[0].head, nil
}

func (m *merged) Len() int      { return len(m.sources) }
func (m *merged) Swap(i, j int) { m.sources[i], m.sources[j] = m.sources[j], m.sources[i] }
func (m *merged) Push(any)      {}
func (m *merged) Less(i, j int) bool {
	return bytes.Compare(m.sources[i].head[:sortKey], m.sources[j].head[:sortKey]) < 0
}
func (m *merged) Pop() any {
	last := len(m.sources) - 1
	m.sources = m.sources[:last]
	return nil
}
