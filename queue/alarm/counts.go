package alarm

import (
	"math"
	"slices"
	"time"
)

// counts are answers by duration: bucket i holds those of up to edges[i], the
// last one all that took longer. Neighbouring edges differ by a fifth, so that
// a percentile is never told more than a fifth too long.
type counts [len(edges) + 1]uint16

// edges are 1 ms, doubled at every fourth, up to 131 s.
var edges = func() (e [69]time.Duration) {
	for i := range e {
		e[i] = time.Duration(math.Round(float64(time.Millisecond) * math.Exp2(float64(i)/4)))
	}
	return e
}()

func (c *counts) add(took time.Duration) {
	i, _ := slices.BinarySearch(edges[:], took)
	if c[i] < math.MaxUint16 {
		c[i]++
	}
}

func (c *counts) total() (n int) {
	for _, k := range c {
		n += int(k)
	}
	return n
}

// sum adds up counts that may be nil.
func sum(all []*counts) (s [len(counts{})]int) {
	for _, c := range all {
		if c == nil {
			continue
		}
		for i, k := range c {
			s[i] += int(k)
		}
	}
	return s
}

// percentile returns the edge that p percent of the answers do not pass.
func percentile(s [len(counts{})]int, p int) time.Duration {
	total := 0
	for _, k := range s {
		total += k
	}
	seen := 0
	for i, k := range s {
		if seen += k; seen >= rank(total, p) && i < len(edges) {
			return edges[i]
		}
	}
	return 2 * edges[len(edges)-1]
}

// rank is which of n figures in ascending order is the p-th percentile, from 1.
func rank(n, p int) int { return max(1, (n*p+99)/100) }
