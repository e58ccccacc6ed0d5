package main

import (
	"encoding/hex"
	"io"
	"strconv"
	"strings"
)

// maxInput bounds what is read: far more than the dump of any message.
const maxInput = 1 << 20

// input gives the bytes from the arguments or, if there are none, from in.
func input(words lang, args []string, in io.Reader, text bool) ([]byte, error) {
	s := strings.Join(args, " ")
	if len(args) == 0 {
		b, err := io.ReadAll(io.LimitReader(in, maxInput+1))
		if err != nil {
			return nil, words.errorf("reading the input: %w", err)
		}
		s = string(b)
	}
	if len(s) > maxInput {
		return nil, words.errorf("the input is larger than 1 MiB")
	}
	if text {
		return []byte(strings.TrimRight(s, "\r\n")), nil
	}
	b, err := fromDump(words, s)
	if err == nil && len(b) == 0 {
		err = words.errorf("the input is empty: give the message as hexadecimal digits")
	}
	return b, err
}

// fromDump reads hexadecimal digits, with or without spaces, "0x" and colons,
// and the dumps of xxd, hexdump -C and Wireshark.
func fromDump(words lang, s string) ([]byte, error) {
	var digits []byte
	lines := strings.Split(strings.TrimRight(s, " \t\r\n"), "\n")
	offsets := hasOffsets(lines)
	for at, line := range lines {
		line = strings.TrimRight(line, "\r")
		if offsets && at == len(lines)-1 && isEnd(line, lines[0], len(digits)/2) {
			break
		}
		body, skipped := dumpBody(line, offsets)
		for i := 0; i < len(body); i++ {
			c := body[i]
			switch {
			case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
				if c == '0' && i+1 < len(body) && body[i+1]|0x20 == 'x' {
					i++
					continue
				}
				digits = append(digits, c)
			case strings.IndexByte(" \t:,-", c) >= 0:
			default:
				return nil, words.errorf("line %d, column %d: not a hexadecimal digit (-text takes the message's own characters)", at+1, skipped+i+1)
			}
		}
	}
	if len(digits)%2 != 0 {
		return nil, words.errorf("an odd number of hexadecimal digits: %d", len(digits))
	}
	return hex.AppendDecode(nil, digits)
}

// hasOffsets reports whether each line begins with an offset without a colon,
// above that of the line before. A single line whose offset is not zero begins
// with a message type.
func hasOffsets(lines []string) bool {
	last := -1
	for at, line := range lines {
		offset, rest, _ := strings.Cut(strings.TrimRight(line, "\r"), " ")
		next := strings.Fields(rest)
		n, err := strconv.ParseUint(offset, 16, 31)
		switch {
		case offset == "" && len(next) == 0:
		case len(offset) < 4 || err != nil || int(n) <= last:
			return false
		case len(next) == 0:
			return at > 0 && at == len(lines)-1 // where the dump ends
		case len(next[0]) != 2 || len(lines) == 1 && n != 0:
			return false
		default:
			last = int(n)
		}
	}
	return true
}

// isEnd reports whether line is but the offset behind the n bytes of a dump that
// begins with the line first.
func isEnd(line, first string, n int) bool {
	offset, _, _ := strings.Cut(first, " ")
	from, err := strconv.ParseUint(offset, 16, 64)
	if err != nil {
		return false
	}
	to, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return err == nil && to == from+uint64(n)
}

// dumpBody cuts off the offset in front of a line of a dump, which ends with a
// colon unless all lines have one, and the characters behind it; skipped is
// what was cut off in front.
func dumpBody(line string, offsets bool) (body string, skipped int) {
	if at := strings.IndexByte(line, '|'); at >= 0 {
		line = line[:at]
	}
	first, rest, ok := strings.Cut(line, " ")
	offset := strings.TrimSuffix(first, ":")
	if !ok || len(offset) < 4 || !isHex(offset) {
		return line, 0
	}
	next := strings.Fields(rest)
	if len(next) == 0 || offset == first && !offsets {
		return line, 0
	}
	skipped = len(first) + 1
	gap := "   "
	if offset != first {
		gap = "  "
	}
	if at := strings.Index(strings.TrimLeft(rest, " "), gap); at >= 0 {
		rest = rest[:len(rest)-len(strings.TrimLeft(rest, " "))+at]
	}
	return rest, skipped
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// parseKey reads a MAC key; nil if there is none.
func parseKey(words lang, s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(s)
	if err != nil || len(key) != 8 && len(key) != 16 {
		return nil, words.errorf("the MAC key needs 16 or 32 hexadecimal digits")
	}
	return key, nil
}
