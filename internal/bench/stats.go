package main

import "slices"

// key names one figure of one contender.
type key struct{ who, what string }

// results keeps each figure of each round. Ratios are taken within a round,
// between what ran minutes apart at most, and only then is their median taken.
type results map[key][]float64

func (r results) add(k key, v float64) { r[k] = append(r[k], v) }

func (r results) median(k key) float64 { return median(r[k]) }

// ratio is the median over the rounds of a by b.
func (r results) ratio(a, b key) float64 {
	var each []float64
	for i := range min(len(r[a]), len(r[b])) {
		each = append(each, r[a][i]/r[b][i])
	}
	return median(each)
}

// spread is the lowest and the highest of a figure.
func (r results) spread(k key) (lo, hi float64) {
	if len(r[k]) == 0 {
		return 0, 0
	}
	return slices.Min(r[k]), slices.Max(r[k])
}

// median of none is 0.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
