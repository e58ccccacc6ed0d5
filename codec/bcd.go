package codec

import "encoding/binary"

const (
	eachHigh   = 0xF0F0F0F0F0F0F0F0
	eachZero   = 0x3030303030303030
	eachSix    = 0x0606060606060606
	eachNibble = 0x1111111111111111
)

// grow gives b with memory for at least n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	more := make([]byte, len(b), len(b)+max(n, len(b)))
	copy(more, b)
	return more
}

func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}

// packDigits appends the even number of decimal digits in s, two to a byte. It
// reports false, with dst unspecified, if s holds anything else.
func packDigits(dst []byte, s string) ([]byte, bool) {
	for len(s) >= 8 {
		x := load8(s) ^ eachZero
		if (x|(x+eachSix))&eachHigh != 0 {
			return dst, false
		}
		dst = binary.BigEndian.AppendUint32(dst, gather(x))
		s = s[8:]
	}
	for len(s) >= 2 {
		h, l := s[0]-'0', s[1]-'0'
		if h > 9 || l > 9 {
			return dst, false
		}
		dst = append(dst, h<<4|l)
		s = s[2:]
	}
	return dst, true
}

// packFixed writes the decimal digits in s, an even number, two to a byte, and
// up to four bytes of nothing behind them. It reports false if s holds anything
// else.
func packFixed(dst []byte, s string) bool {
	for len(s) >= 8 {
		x := load8(s) ^ eachZero
		if (x|(x+eachSix))&eachHigh != 0 {
			return false
		}
		binary.BigEndian.PutUint32(dst, gather(x))
		s, dst = s[8:], dst[4:]
	}
	var x uint64
	switch len(s) {
	case 0:
		return true
	case 2:
		x = load2(s) ^ eachZero&0xFFFF
	case 4:
		x = load4(s) ^ eachZero&0xFFFFFFFF
	case 6:
		x = (load4(s)<<16 | load2(s[4:])) ^ eachZero&0xFFFFFFFFFFFF
	default:
		return false
	}
	binary.BigEndian.PutUint32(dst, gather(x)<<(32-4*len(s)))
	return (x|(x+eachSix))&eachHigh == 0
}

func load4(s string) uint64 {
	_ = s[3]
	return uint64(s[3]) | uint64(s[2])<<8 | uint64(s[1])<<16 | uint64(s[0])<<24
}

func load2(s string) uint64 { return uint64(s[1]) | uint64(s[0])<<8 }

// unpackNibbles appends each nibble of b as the character 0x30 plus its value,
// which makes "=" of nibble D, as track data wants it.
func unpackNibbles(dst, b []byte) []byte {
	at := len(dst)
	if cap(dst)-at < 2*len(b) {
		dst = grow(dst, 2*len(b))
	}
	dst = dst[:at+2*len(b)]
	out := dst[at:]
	for len(b) >= 4 {
		binary.BigEndian.PutUint64(out, spread(binary.BigEndian.Uint32(b))|eachZero)
		b, out = b[4:], out[8:]
	}
	if len(b) >= 2 {
		x := uint32(b[0])<<16 | uint32(b[1])
		binary.BigEndian.PutUint32(out, (x|x<<4)&0x0F0F0F0F|eachZero&0xFFFFFFFF)
		b, out = b[2:], out[4:]
	}
	if len(b) == 1 {
		out[0], out[1] = '0'|b[0]>>4, '0'|b[0]&15
	}
	return dst
}

// badNibble gives the index of the first byte of b with a nibble above 9, or -1.
func badNibble(b []byte) int {
	if len(b) >= 8 && !anyBadNibble(b) {
		return -1
	}
	for i, c := range b {
		if c > 0x99 || c&0xF > 9 {
			return i
		}
	}
	return -1
}

// anyBadNibble looks at 8 bytes at a time of at least as many, at the end at
// some of them twice.
func anyBadNibble(b []byte) bool {
	for i := 0; i+8 < len(b); i += 8 {
		if x := binary.BigEndian.Uint64(b[i:]); x>>3&(x>>2|x>>1)&eachNibble != 0 {
			return true
		}
	}
	x := binary.BigEndian.Uint64(b[len(b)-8:])
	return x>>3&(x>>2|x>>1)&eachNibble != 0
}

// badDigit gives the index of the first byte of b that is no ASCII digit, or -1.
func badDigit(b []byte) int { return badIn(b, setDigit) }

const hexDigits = "0123456789ABCDEF"

// spread gives the 8 nibbles of x, a byte each.
func spread(x uint32) uint64 {
	y := uint64(x)
	y = (y | y<<16) & 0x0000FFFF0000FFFF
	y = (y | y<<8) & 0x00FF00FF00FF00FF
	return (y | y<<4) & 0x0F0F0F0F0F0F0F0F
}

// gather is the reverse of spread.
func gather(y uint64) uint32 {
	y = (y | y>>4) & 0x00FF00FF00FF00FF
	y = (y | y>>8) & 0x0000FFFF0000FFFF
	return uint32(y | y>>16)
}

// hexChars gives the upper-case hexadecimal character of each of 8 nibbles.
func hexChars(y uint64) uint64 {
	letters := (y + eachSix) >> 4 & eachOne
	return y + eachZero + 7*letters
}

// hexNibbles gives the value of each of 8 upper-case hexadecimal characters;
// what is none gives something whose hexChars differ.
func hexNibbles(x uint64) uint64 {
	letters := x >> 6 & eachOne
	return (x&^eachHigh + 9*letters) &^ eachHigh
}

// hexPairs are the two upper-case hexadecimal digits of each byte, the first of
// them the lower byte.
var hexPairs = func() (t [256]uint16) {
	for i := range t {
		t[i] = uint16(hexDigits[i>>4]) | uint16(hexDigits[i&15])<<8
	}
	return t
}()

func appendHex(dst, b []byte) []byte {
	at := len(dst)
	dst = grow(dst, 2*len(b))[:at+2*len(b)]
	for len(b) >= 4 {
		x := uint64(hexPairs[b[0]]) | uint64(hexPairs[b[1]])<<16 | uint64(hexPairs[b[2]])<<32 | uint64(hexPairs[b[3]])<<48
		binary.LittleEndian.PutUint64(dst[at:at+8:at+8], x)
		at, b = at+8, b[4:]
	}
	for _, c := range b {
		binary.LittleEndian.PutUint16(dst[at:at+2:at+2], hexPairs[c])
		at += 2
	}
	return dst
}

// badHex gives the index of the first byte of b that is no upper-case
// hexadecimal digit, or -1.
func badHex(b []byte) int {
	i := 0
	for ; len(b)-i >= 8; i += 8 {
		x := binary.BigEndian.Uint64(b[i:])
		if hexChars(hexNibbles(x)) != x {
			break
		}
	}
	if at := badChar(b[i:], setUpperHex); at >= 0 {
		return i + at
	}
	return -1
}

// appendUnhex appends what hexadecimal digits that were checked before stand
// for.
func appendUnhex(dst, b []byte) []byte {
	for len(b) >= 8 {
		dst = binary.BigEndian.AppendUint32(dst, gather(hexNibbles(binary.BigEndian.Uint64(b))))
		b = b[8:]
	}
	for i := 0; i+1 < len(b); i += 2 {
		dst = append(dst, hexValue(b[i])<<4|hexValue(b[i+1]))
	}
	return dst
}

// hexValue is the value of an upper- or lower-case hexadecimal digit, 0xFF if c
// is none.
func hexValue(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'A' <= 5:
		return c - 'A' + 10
	case c-'a' <= 5:
		return c - 'a' + 10
	}
	return 0xFF
}

// unhex appends the bytes that the even number of hexadecimal digits in s
// stand for; bad is the index of the first that is none, or -1.
func unhex(dst []byte, s string) (out []byte, bad int) {
	for i := 0; i+1 < len(s); i += 2 {
		h, l := hexValue(s[i]), hexValue(s[i+1])
		if h > 15 {
			return dst, i
		}
		if l > 15 {
			return dst, i + 1
		}
		dst = append(dst, h<<4|l)
	}
	return dst, -1
}
