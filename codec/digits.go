package codec

// digitReader takes numbers off a string of decimal digits. The first mistake
// sticks.
type digitReader struct {
	rest string
	at   int
	de   int
	err  error
}

// readDigits checks that s holds nothing but digits.
func readDigits(de int, s string) *digitReader {
	r := &digitReader{rest: s, de: de}
	if i := badChar(s, setDigit); i >= 0 {
		r.err = &FieldError{DE: de, Offset: i, Err: ErrContent}
	}
	return r
}

func (r *digitReader) fail(part string, err error) {
	if r.err == nil {
		r.err = &FieldError{DE: r.de, Offset: r.at, Part: part, Err: err}
	}
}

// text takes n digits as they are.
func (r *digitReader) text(n int, part string) string {
	if len(r.rest) < n {
		r.fail(part, ErrTruncated)
	}
	if r.err != nil {
		return ""
	}
	s := r.rest[:n]
	r.rest, r.at = r.rest[n:], r.at+n
	return s
}

// number takes n digits, at most 18, as a number.
func (r *digitReader) number(n int, part string) int64 {
	var v int64
	for _, c := range []byte(r.text(n, part)) {
		v = v*10 + int64(c-'0')
	}
	return v
}

// done gives the first mistake; digits that are left over are one.
func (r *digitReader) done() error {
	if r.err == nil && r.rest != "" {
		r.fail("", ErrTrailing)
	}
	return r.err
}

// digitWriter appends numbers as decimal digits. The first mistake sticks.
type digitWriter struct {
	out []byte
	de  int
	err error
}

func (w *digitWriter) fail(part string, err error) {
	if w.err == nil {
		w.err = &FieldError{DE: w.de, Offset: -1, Part: part, Err: err}
	}
}

// number appends v in n digits; what is negative or does not fit is a mistake.
func (w *digitWriter) number(v int64, n int, part string) {
	if v < 0 {
		w.fail(part, ErrContent)
		return
	}
	at := len(w.out)
	for range n {
		w.out = append(w.out, '0')
	}
	for i := len(w.out) - 1; i >= at; i-- {
		w.out[i] += byte(v % 10)
		v /= 10
	}
	if v != 0 {
		w.fail(part, ErrTooLong)
	}
}

// text appends the digits in s.
func (w *digitWriter) text(s, part string) {
	if badChar(s, setDigit) >= 0 {
		w.fail(part, ErrContent)
		return
	}
	w.out = append(w.out, s...)
}

// result gives what was written behind start, or dst as it was.
func (w *digitWriter) result(dst []byte) ([]byte, error) {
	if w.err != nil {
		return dst, w.err
	}
	return w.out, nil
}

// padded appends s, at most n digits, with zeros in front.
func (w *digitWriter) padded(s string, n int, part string) {
	if len(s) > n {
		w.fail(part, ErrTooLong)
		return
	}
	for range n - len(s) {
		w.out = append(w.out, '0')
	}
	w.text(s, part)
}
