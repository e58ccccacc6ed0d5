package main

import (
	"encoding/csv"
	"os"
	"strconv"

	"github.com/tallystick/tallystick/examples/courier/handset"
)

// asked is what the parent asked the handset for: its own words, whatever the
// handset makes of them.
type asked struct {
	Ref, Of  string // Of: the ref of the sale that a void or refund undoes
	Parcel   string // what a sale is for, as nameOf calls it; empty for a void or refund
	Op       string // sale, void, refund
	Tender   string // card, qr, cash
	Terminal string
	Fen      int64
}

// told is a row of the parent's own list: what it asked for, and of the answers
// only how that went and under which numbers.
type told struct {
	asked
	State     handset.State // the first acknowledgement: it is what the courier acted on
	Now       handset.State // the newest
	Entry     uint64        // in the journal, 0: none
	STAN      uint32
	Batch     uint32 // the host's number, 0: never attempted
	Offline   bool
	Otherwise bool // an answer spoke of something else than was asked
}

// answered tells whether a is about what was asked. An answer about no entry
// says only that nothing was taken.
func (q asked) answered(a handset.Answer) bool {
	if a.Entry == 0 {
		return a.Ref == q.Ref && !a.State.Taken()
	}
	return a.Ref == q.Ref && a.Of == q.Of && a.Op == q.Op && a.Tender == q.Tender && a.Terminal == q.Terminal && a.Fen == q.Fen
}

// list is what was asked and what the handset has acknowledged, as the parent
// keeps it: in memory and, row by row, in a CSV file.
type list struct {
	rows  []told
	byRef map[string]int
	file  *os.File
	csv   *csv.Writer
}

func newList(path string) (*list, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l := &list{byRef: map[string]int{}, file: f, csv: csv.NewWriter(f)}
	return l, l.write("ref", "of", "parcel", "op", "tender", "amount", "state", "entry", "terminal", "batch", "stan", "answered")
}

// add keeps the answer to what was asked: the first of a ref is what the courier
// acted on, later ones tell how it went on.
func (l *list) add(q asked, a handset.Answer) error {
	i, known := l.byRef[q.Ref]
	if known {
		l.rows[i].Now = a.State
	} else {
		i = len(l.rows)
		l.byRef[q.Ref] = i
		l.rows = append(l.rows, told{asked: q, State: a.State, Now: a.State, Entry: a.Entry, STAN: a.STAN, Batch: a.Batch, Offline: a.Offline})
	}
	answer := "as asked"
	if !q.answered(a) {
		l.rows[i].Otherwise = true
		answer = a.Line().String()
	}
	return l.write(q.Ref, q.Of, q.Parcel, q.Op, q.Tender, handset.Yuan(q.Fen), string(a.State), strconv.FormatUint(a.Entry, 10),
		q.Terminal, strconv.FormatUint(uint64(a.Batch), 10), strconv.FormatUint(uint64(a.STAN), 10), answer)
}

// now notes a newer state of a ref.
func (l *list) now(ref string, s handset.State) {
	if i, known := l.byRef[ref]; known {
		l.rows[i].Now = s
	}
}

func (l *list) write(cells ...string) error {
	if err := l.csv.Write(cells); err != nil {
		return err
	}
	l.csv.Flush()
	return l.csv.Error()
}

func (l *list) close() error { return l.file.Close() }
