package agree

import "github.com/tallystick/tallystick/internal/record"

// Range is the sequences From to To, both among them.
type Range struct{ From, To uint64 }

// Len is how many sequences the range has.
func (r Range) Len() uint64 { return r.To - r.From + 1 }

// ranges are the sequences from..to that were seen, or that were not, in
// ascending order; at most room bytes of them on the wire. cut says that there
// are more.
func (h *Half) ranges(from, to uint64, seen bool, room int) (out []Range, cut bool) {
	last := from - 1
	put := func(r Range) bool {
		if r.From > r.To {
			return true
		}
		room -= rangeSize(last, r)
		if cut = room < 0; cut {
			return false
		}
		last = r.To
		out = append(out, r)
		return true
	}
	open := Range{From: from} // the run under way begins here
	h.runs(from, to, func(r Range) bool {
		if seen {
			return put(r)
		}
		ok := put(Range{open.From, r.From - 1})
		open.From = r.To + 1
		return ok
	})
	if !seen && !cut {
		put(Range{open.From, to})
	}
	return out, cut
}

// runs yields the longest runs of seen sequences within from..to.
func (h *Half) runs(from, to uint64, yield func(Range) bool) {
	var run Range
	more := true
	h.pages(func(first uint64, n *node) bool {
		if first > to {
			return false
		}
		if first+fan-1 < from {
			return true
		}
		for i := range uint64(fan) {
			seq := first + i
			if n.seen&(1<<i) == 0 || seq < from || seq > to {
				continue
			}
			if run.To != 0 && run.To+1 == seq {
				run.To = seq
				continue
			}
			if run.To != 0 {
				if more = yield(run); !more {
					return false
				}
			}
			run = Range{seq, seq}
		}
		return true
	})
	if more && run.To != 0 {
		yield(run)
	}
}

func uintSize(v uint64) (n int) {
	for n = 1; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// rangeSize is what a range takes on the wire: the sequences between it and the
// end of the one before, doubled, plus one when it has more than one sequence;
// how many it has, less two, follows in that case.
func rangeSize(last uint64, r Range) int {
	if r.Len() == 1 {
		return uintSize((r.From - last - 1) << 1)
	}
	return uintSize((r.From-last-1)<<1|1) + uintSize(r.Len()-2)
}

func writeRanges(w *record.Writer, last uint64, rs []Range) {
	w.Uint(uint64(len(rs)))
	for _, r := range rs {
		d := (r.From - last - 1) << 1
		if r.Len() == 1 {
			w.Uint(d)
		} else {
			w.Uint(d | 1)
			w.Uint(r.Len() - 2)
		}
		last = r.To
	}
}

// readRanges reads ranges behind last and up to end; two never touch.
func readRanges(r *record.Reader, last, end uint64) (out []Range) {
	for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
		d := r.Uint()
		var more uint64 // sequences behind the first
		if d&1 == 1 {
			if more = r.Uint() + 1; more == 0 {
				more = MaxSequence + 1
			}
		}
		d >>= 1
		from := last + 1 + d
		if d > MaxSequence || more > MaxSequence || from+more > end || (len(out) > 0 && d == 0) {
			r.Fail()
			return nil
		}
		last = from + more
		out = append(out, Range{from, last})
	}
	return out
}
