package agree

// change is what a sketch finds at one sequence: what the other side has there
// is what we have, and delta.
type change struct{ seq, delta uint64 }

// solve finds the changes that make up a difference of cells, theirs less ours,
// or tells that these cells do not yield them. A right answer is not proven by
// that: the keyed root decides.
func solve(w way, s secret, diff []cell, upTo uint64) ([]change, bool) {
	if w == byPower {
		return solvePower(diff, upTo)
	}
	return peel(&keyed{secret: s}, diff, upTo)
}

// peel takes out of all cells what is alone in one, until nothing is left.
func peel(k *keyed, diff []cell, upTo uint64) ([]change, bool) {
	cells := append([]cell(nil), diff...)
	end := uint32(len(cells))
	work := make([]uint32, end)
	for i := range work {
		work[i] = end - 1 - uint32(i) // taken from the end: cell 0, which holds all, first
	}
	found := map[uint64]uint64{}
	for steps := 0; len(work) > 0 && steps <= 2*len(cells); {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		seq, ok := alone(k, cells[at], at, end, upTo)
		if !ok {
			continue
		}
		steps++
		delta := cells[at][0]
		found[seq] = add(found[seq], delta)
		weighted := mul(seq, delta)
		w := k.walk(seq)
		for i := uint32(0); i < end; i = w.next(i, end) {
			c := &cells[i]
			c[0], c[1] = sub(c[0], delta), sub(c[1], weighted)
			work = append(work, i)
		}
	}
	for _, c := range cells {
		if c != (cell{}) {
			return nil, false
		}
	}
	return changes(found), true
}

func changes(found map[uint64]uint64) []change {
	out := make([]change, 0, len(found))
	for seq, delta := range found {
		if delta != 0 {
			out = append(out, change{seq, delta})
		}
	}
	return out
}

// alone tells whether one sequence makes up a cell: the quotient of its sums is
// then that sequence, whose walk meets the cell.
func alone(k *keyed, c cell, at, end uint32, upTo uint64) (uint64, bool) {
	if c[0] == 0 {
		return 0, false
	}
	seq := mul(c[1], inverse(c[0]))
	if seq == 0 || seq > upTo {
		return 0, false
	}
	w := k.walk(seq)
	i := uint32(0)
	for i < at {
		i = w.next(i, end)
	}
	return seq, i == at
}

// solvePower finds the changes from sums by power as a decoder of Reed-Solomon
// codes does: the shortest recurrence of the sums has the sequences for roots,
// and the changes solve the linear equations of the first sums.
func solvePower(diff []cell, upTo uint64) ([]change, bool) {
	sums := make([]uint64, 0, 2*len(diff))
	for _, c := range diff {
		sums = append(sums, c[0], c[1])
	}
	rec := recurrence(sums)
	n := len(rec) - 1
	if n >= len(diff) && len(diff) > 1 {
		return nil, false // nothing over to tell a solution from none
	}
	seqs := roots(rec, upTo)
	if len(seqs) != n {
		return nil, false
	}
	deltas := weights(seqs, sums)
	out := make([]change, n)
	for i := range out {
		if deltas[i] == 0 {
			return nil, false
		}
		out[i] = change{seqs[i], deltas[i]}
	}
	return out, true
}

// recurrence is the shortest one that s obeys (Berlekamp, Massey): 1 and
// coefficients with s[i] + c[1]·s[i-1] + … + c[n]·s[i-n] = 0.
func recurrence(s []uint64) []uint64 {
	c, before := []uint64{1}, []uint64{1}
	length, gap, last := 0, 1, uint64(1)
	for i := range s {
		d := s[i]
		for j := 1; j <= length && j < len(c); j++ {
			d = add(d, mul(c[j], s[i-j]))
		}
		if d == 0 {
			gap++
			continue
		}
		next := append([]uint64(nil), c...)
		factor := mul(d, inverse(last))
		for len(next) < len(before)+gap {
			next = append(next, 0)
		}
		for j, b := range before {
			next[j+gap] = sub(next[j+gap], mul(factor, b))
		}
		if 2*length <= i {
			length, before, last, gap = i+1-length, c, d, 1
		} else {
			gap++
		}
		c = next
	}
	for len(c) < length+1 {
		c = append(c, 0)
	}
	return c[:length+1]
}

// roots are the sequences up to upTo that make s^n + c[1]·s^(n-1) + … + c[n] zero.
func roots(c []uint64, upTo uint64) (out []uint64) {
	for s := uint64(1); s <= upTo && len(out) < len(c)-1; s++ {
		v := c[0]
		for _, k := range c[1:] {
			v = add(mul(v, s), k)
		}
		if v == 0 {
			out = append(out, s)
		}
	}
	return out
}

// weights solves Σ seqs[i]^j·w[i] = sums[j] for j below len(seqs), by
// elimination. The sequences differ and are not 0: there is one solution.
func weights(seqs, sums []uint64) []uint64 {
	n := len(seqs)
	rows := make([][]uint64, n)
	powers := make([]uint64, n)
	for i := range powers {
		powers[i] = 1
	}
	for j := range rows {
		rows[j] = append(append([]uint64(nil), powers...), sums[j])
		for i := range powers {
			powers[i] = mul(powers[i], seqs[i])
		}
	}
	for col := range n {
		pivot := col
		for rows[pivot][col] == 0 {
			pivot++
		}
		rows[col], rows[pivot] = rows[pivot], rows[col]
		scale := inverse(rows[col][col])
		for i := col; i <= n; i++ {
			rows[col][i] = mul(rows[col][i], scale)
		}
		for j := range rows {
			if f := rows[j][col]; j != col && f != 0 {
				for i := col; i <= n; i++ {
					rows[j][i] = sub(rows[j][i], mul(f, rows[col][i]))
				}
			}
		}
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = rows[i][n]
	}
	return out
}
