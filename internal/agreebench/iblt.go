package main

import (
	"math"
	"math/rand/v2"
)

// A coded symbol of a rateless IBLT over (sequence, digest): the exclusive or of
// sequences of 4 bytes, of keyed digests of 8 and of check words of 4, and a
// count of 2. Nothing is added for a head, for a key or for telling how many.
const symbolBytes = 4 + 8 + 4 + 2

// ibltBytes is what it takes until as many items as differ are decoded. Which
// items both sides have makes no difference to that, so that only those that
// differ are put into symbols; a content that is another is two items.
func ibltBytes(r *rand.Rand, items int) int {
	seeds := make([]uint64, items)
	for i := range seeds {
		seeds[i] = r.Uint64()
	}
	symbols := max(items, 1)
	for !decodes(seeds, symbols) {
		symbols += max(1, symbols/100)
	}
	return symbols * symbolBytes
}

// decodes tells whether the items of these seeds come out of so many symbols.
func decodes(seeds []uint64, symbols int) bool {
	count, which := make([]int, symbols), make([]int, symbols)
	walks := make([][]int, len(seeds))
	for k, s := range seeds {
		r := rand.New(rand.NewPCG(s, 0))
		for i := 0; i < symbols; i += gap(i, 1-r.Float64()) {
			walks[k] = append(walks[k], i)
			count[i]++
			which[i] ^= k
		}
	}
	var alone []int
	for i, c := range count {
		if c == 1 {
			alone = append(alone, i)
		}
	}
	left := len(seeds)
	for len(alone) > 0 {
		i := alone[len(alone)-1]
		alone = alone[:len(alone)-1]
		if count[i] != 1 {
			continue
		}
		left--
		k := which[i]
		for _, j := range walks[k] {
			count[j]--
			which[j] ^= k
			if count[j] == 1 {
				alone = append(alone, j)
			}
		}
	}
	return left == 0
}

// gap is the smallest g >= 1 with (i+1)(i+2)/((i+g+1)(i+g+2)) <= u: an item
// stands in symbol i with the probability 1/(1+i/2).
func gap(i int, u float64) int {
	t := float64(i+1) * float64(i+2) / u
	g := max(1, int(math.Sqrt(t+0.25)-1.5)-i)
	for float64(i+g+1)*float64(i+g+2) < t {
		g++
	}
	return g
}
