package agree

import "math/bits"

// prime is 2^61-1; values of the sketch are in its field, 0 to prime-1.
const prime = 1<<61 - 1

// fold brings a number below 2^62 into the field.
func fold(x uint64) uint64 {
	x = x&prime + x>>61
	if x >= prime {
		x -= prime
	}
	return x
}

func add(a, b uint64) uint64 {
	s := a + b
	if s >= prime {
		s -= prime
	}
	return s
}

func sub(a, b uint64) uint64 {
	if a >= b {
		return a - b
	}
	return a + prime - b
}

func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return fold(lo&prime + (hi<<3 | lo>>61))
}

// inverse is a^(prime-2), by Fermat; a is not 0.
func inverse(a uint64) uint64 {
	out, square := uint64(1), a
	for e := uint64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			out = mul(out, square)
		}
		square = mul(square, square)
	}
	return out
}
