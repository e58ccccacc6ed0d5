package agree

import "math"

// maxCells bounds a sketch; see spread.next for why it may not be raised at will.
const maxCells = 1 << 15

// spread walks the cells that hold one sequence: cell 0, and each later cell i
// with the probability 1/(1+i/2). Both sides take the same walk from the same
// seed, on every processor: no floating point decides.
type spread struct{ state uint64 }

// random is SplitMix64.
func (s *spread) random() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// next returns the first cell after i, or end when it is not below end. With r,
// 1 to 2^32, drawn at random it is the smallest j > i for which
// (j+1)(j+2)·r >= (i+1)(i+2)·2^32. Cells below 2^15 keep that within 64 bits.
func (s *spread) next(i, end uint32) uint32 {
	r := s.random()>>32 + 1
	t := (uint64(i+1)*uint64(i+2)<<32 + r - 1) / r
	if last := uint64(end); last*(last+1) < t {
		return end
	}
	// t is below 2^31, so that the root is exact enough to be one short at most.
	j := uint64(math.Sqrt(float64(t)))
	for j > uint64(i)+1 && j*(j+1) >= t {
		j--
	}
	for j <= uint64(i) || (j+1)*(j+2) < t {
		j++
	}
	return uint32(j)
}
