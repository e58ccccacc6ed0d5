package main

import (
	"encoding/csv"
	"os"
	"strconv"

	"github.com/tallystick/tallystick/examples/courier/handset"
)

// list is what the handset has acknowledged, as the parent keeps it: in memory
// and, row by row, in a CSV file.
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
	return l, l.write("ref", "of", "op", "tender", "amount", "state", "entry", "terminal", "batch", "stan")
}

// add keeps an acknowledgement: the first of a ref is what the courier acted
// on, later ones tell how it went on.
func (l *list) add(a handset.Answer) error {
	if i, known := l.byRef[a.Ref]; known {
		l.rows[i].Now = a.State
	} else {
		l.byRef[a.Ref] = len(l.rows)
		l.rows = append(l.rows, told{a, a.State})
	}
	return l.write(a.Ref, a.Of, a.Op, a.Tender, handset.Yuan(a.Fen), string(a.State), strconv.FormatUint(a.Entry, 10),
		a.Terminal, strconv.FormatUint(uint64(a.Batch), 10), strconv.FormatUint(uint64(a.STAN), 10))
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
