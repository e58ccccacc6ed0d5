package main

// cardNumbers calls hide for the parts of raw that may be a card number: 13 to
// 19 digits, in characters or two to a byte, behind their number or in front of
// a separator of track data. In a malformed message they may stand anywhere.
func cardNumbers(raw []byte, hide func(from, to int)) {
	characters, nibbles := 0, 0 // digits without a break in front of here
	for at, c := range raw {
		if c == '=' || c == 'D' {
			hideTrack(characters, 1, 1, at, hide)
		}
		if c>>4 == 0xD {
			hideTrack(nibbles, 2, 2, at, hide)
		}
		characters = streak(characters, c-'0')
		nibbles = streak(nibbles, c>>4)
		if c&15 == 0xD {
			hideTrack(nibbles, 1, 2, at, hide)
		}
		nibbles = streak(nibbles, c&15)

		rest := raw[at+1:]
		if n := int(c>>4)*10 + int(c&15); n >= 13 && n <= 19 && c&15 <= 9 && digitsIn(rest, 2) >= n {
			hide(at+1, at+1+(n+1)/2)
		}
		if c == '1' && len(rest) > 0 && rest[0] >= '3' && rest[0] <= '9' {
			if n := 10 + int(rest[0]-'0'); digitsIn(rest[1:], 1) >= n {
				hide(at+2, at+2+n)
			}
		}
	}
}

// streak is the number of digits without a break after one more that may be one.
func streak(n int, digit byte) int {
	if digit > 9 {
		return 0
	}
	return n + 1
}

// hideTrack hides as many digits as a card number has at most, and the rest of
// what the byte at the offset holds behind them.
func hideTrack(digits, rest, perByte, at int, hide func(from, to int)) {
	if digits >= 13 {
		hide(at+1-(min(digits, 19)+rest+perByte-1)/perByte, at+1)
	}
}

// digitsIn counts the digits that b begins with; none if the first is not one
// that card numbers begin with.
func digitsIn(b []byte, perByte int) int {
	n := 0
	for _, c := range b {
		if n >= 20 {
			break
		}
		digits := []byte{c - '0'}
		if perByte == 2 {
			digits = []byte{c >> 4, c & 15}
		}
		for _, d := range digits {
			if d > 9 || n == 0 && d < 2 {
				return n
			}
			n++
		}
	}
	return n
}
