package alarm

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// The file of answer times: "TSA1", the lanes with their days, each day's cells
// and each cell's counts, then the SHA-256 of all that.
const magic = "TSA1"

// Bounds of the file: it is read before anything in it is believed.
const (
	maxLanes = 64
	maxFile  = 32 << 20
)

var errDamaged = errors.New("the file of answer times is damaged")

func encodeHistories(all map[queue.Lane]*history) []byte {
	w := record.Writer{B: []byte(magic)}
	w.Uint(uint64(len(all)))
	lanes := slices.SortedFunc(maps.Keys(all), func(a, b queue.Lane) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Terminal, b.Terminal))
	})
	for _, l := range lanes {
		w.String(l.Host)
		w.String(l.Merchant)
		w.String(l.Terminal)
		w.Uint(uint64(len(all[l].days)))
		for _, d := range all[l].days {
			d.encode(&w)
		}
	}
	sum := sha256.Sum256(w.B)
	return append(w.B, sum[:]...)
}

// encode writes a day: per hour and class the number of buckets that are not
// empty, then each one's distance from the one before, and its count.
func (d day) encode(w *record.Writer) {
	w.Int(d.n)
	for _, classes := range d.hours {
		for _, c := range classes {
			if c == nil {
				w.Uint(0)
				continue
			}
			filled := 0
			for _, k := range c {
				if k > 0 {
					filled++
				}
			}
			w.Uint(uint64(filled))
			last := 0
			for i, k := range c {
				if k > 0 {
					w.Uint(uint64(i - last))
					w.Uint(uint64(k))
					last = i
				}
			}
		}
	}
}

func decodeHistories(b []byte) (map[queue.Lane]*history, error) {
	if len(b) < len(magic)+sha256.Size || !bytes.HasPrefix(b, []byte(magic)) {
		return nil, errDamaged
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if have := sha256.Sum256(body); !bytes.Equal(have[:], sum) {
		return nil, errDamaged
	}
	r := record.NewReader(body[len(magic):])
	all := map[queue.Lane]*history{}
	lanes := r.Uint()
	for range min(lanes, maxLanes) {
		l := queue.Lane{Host: r.String(), Merchant: r.String(), Terminal: r.String()}
		h := new(history)
		days := r.Uint()
		for range min(days, maxDays+1) {
			d := decodeDay(r)
			if len(h.days) > 0 && d.n <= h.days[len(h.days)-1].n {
				r.Fail()
			}
			if r.Err() != nil {
				return nil, fmt.Errorf("%w: lane %d", errDamaged, len(all)+1)
			}
			h.days = append(h.days, d)
		}
		if days > maxDays+1 {
			r.Fail()
		}
		all[l] = h
	}
	if lanes > maxLanes || r.Done() != nil {
		return nil, errDamaged
	}
	return all, nil
}

func decodeDay(r *record.Reader) (d day) {
	d.n = r.Int()
	for h := range d.hours {
		for c := range d.hours[h] {
			filled := r.Uint()
			if filled == 0 {
				continue
			}
			cell := new(counts)
			at := uint64(0)
			for range min(filled, uint64(len(cell))) {
				step, k := r.Uint(), r.Uint()
				if at += step; step > uint64(len(cell)) || at >= uint64(len(cell)) || k > 1<<16-1 {
					r.Fail()
					return d
				}
				cell[at] = uint16(k)
			}
			if r.Err() != nil || filled > uint64(len(cell)) {
				r.Fail()
				return d
			}
			d.hours[h][c] = cell
		}
	}
	return d
}

// readHistories reads the file; where there is none, or a damaged one, with
// errDamaged, there are no answer times yet.
func readHistories(path string) (map[queue.Lane]*history, error) {
	none := map[queue.Lane]*history{}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	} else if err != nil {
		return none, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return none, err
	}
	if len(b) > maxFile {
		return none, fmt.Errorf("%w: it has more than %d bytes", errDamaged, maxFile)
	}
	all, err := decodeHistories(b)
	if err != nil {
		return none, err
	}
	return all, nil
}

// replaceFile exchanges the file as a whole: a crash leaves the old one or the
// new one.
func replaceFile(path string, content []byte) (err error) {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
