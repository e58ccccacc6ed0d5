//go:build linux

package faultkit

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
)

const sector = 512

// Image is a state that the disk may hold after a power cut.
type Image struct {
	Name string
	Data []byte
}

// Disk replays a recording. What a successful sync covered is on the disk; the
// rest may be there or not, sector by sector and in any order.
type Disk struct {
	durable []byte
	loose   []Op // written and not synced
	doomed  []Op // a sync of it failed: a later one does not cover it
}

// NewDisk returns a disk with the file's bytes at the recording's beginning.
func NewDisk(base []byte) *Disk { return &Disk{durable: slices.Clone(base)} }

// Apply replays one op.
func (d *Disk) Apply(op Op) {
	switch {
	case !op.Sync:
		d.loose = append(d.loose, op)
	case op.Failed:
		d.doomed = append(d.doomed, d.loose...)
		d.loose = nil
	default:
		for _, w := range d.loose {
			d.durable = write(d.durable, w.Off, w.Data)
			d.doomed = slices.DeleteFunc(d.doomed, func(x Op) bool {
				return x.Off >= w.Off && x.Off+int64(len(x.Data)) <= w.Off+int64(len(w.Data))
			})
		}
		d.loose = nil
	}
}

func write(b []byte, off int64, data []byte) []byte {
	if end := off + int64(len(data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[off:], data)
	return b
}

// maybe are the writes that may be missing, oldest first.
func (d *Disk) maybe() []Op { return append(slices.Clone(d.doomed), d.loose...) }

// Durable is the state in which nothing came through that was not synced.
func (d *Disk) Durable() []byte { return slices.Clone(d.durable) }

// Images yields the states that a power cut now may leave: every prefix of
// what was not synced, each write left out, each alone, each torn at a sector
// of rng's choice, each garbled (a flash page that lost its power), and n
// random subsets, by sectors.
func (d *Disk) Images(rng *rand.Rand, n int) iter.Seq[Image] {
	return func(yield func(Image) bool) {
		w := d.maybe()
		build := func(name string, keep func(i, sector int) bool) bool {
			return yield(Image{name, d.build(w, keep)})
		}
		for i := range len(w) + 1 {
			if !build(fmt.Sprintf("the first %d of %d writes", i, len(w)), func(j, _ int) bool { return j < i }) {
				return
			}
		}
		for i := range w {
			at := 1 + rng.IntN(max(1, (len(w[i].Data)-1)/sector))
			if !build(fmt.Sprintf("without write %d", i), func(j, _ int) bool { return j != i }) ||
				!build(fmt.Sprintf("write %d alone", i), func(j, _ int) bool { return j == i }) ||
				!build(fmt.Sprintf("write %d torn at %d", i, at), func(j, s int) bool { return j < i || (j == i && s < at) }) ||
				!build(fmt.Sprintf("write %d torn before %d", i, at), func(j, s int) bool { return j < i || (j == i && s >= at) }) {
				return
			}
			if !yield(Image{fmt.Sprintf("write %d garbled", i), d.garbled(w[:i], w[i], rng)}) ||
				!yield(Image{fmt.Sprintf("write %d garbled, alone", i), d.garbled(nil, w[i], rng)}) {
				return
			}
		}
		if len(w) == 0 {
			return
		}
		for i := range n {
			whole := rng.IntN(2) == 0
			pick := map[[2]int]bool{}
			keep := func(j, s int) bool {
				if whole {
					s = 0
				}
				v, ok := pick[[2]int{j, s}]
				if !ok {
					v = rng.IntN(2) == 0
					pick[[2]int{j, s}] = v
				}
				return v
			}
			if !build(fmt.Sprintf("random subset %d", i), keep) {
				return
			}
		}
	}
}

// garbled has the writes before, and noise in the place of op.
func (d *Disk) garbled(before []Op, op Op, rng *rand.Rand) []byte {
	b := d.build(before, func(_, _ int) bool { return true })
	noise := make([]byte, len(op.Data))
	for n := range noise {
		noise[n] = byte(rng.Uint32())
	}
	return write(b, op.Off, noise)
}

func (d *Disk) build(w []Op, keep func(i, sector int) bool) []byte {
	b := slices.Clone(d.durable)
	for i, op := range w {
		for s := 0; s*sector < len(op.Data); s++ {
			if keep(i, s) {
				end := min(len(op.Data), (s+1)*sector)
				b = write(b, op.Off+int64(s*sector), op.Data[s*sector:end])
			}
		}
	}
	return b
}
