package codec

import (
	"encoding/binary"
	"encoding/hex"
)

// sale is the message of the benchmarks: a sale of 16 fields.
type sale struct {
	pan, proc, amount, sent, stan, time, date, expiry, mode, cond, rrn, term, merch, cur string

	icc, mac []byte
}

var benchSale = sale{
	"6221558812340000", "000000", "000000012345", "1122020346", "000123", "020346", "1122", "3012",
	"051", "00", "032612000123", "22003600", "104512541110001", "156",
	mustHex("9F26089C0A057796D091E39F2701809F1013070F0103A00000010A010000005959BAF31C349F37042AE9F9B49F36020FCD950500000000009A031802099C01009F02060000000000015F2A02015682027C009F1A0201569F03060000000000009F330390C8C0840101"),
	mustHex("4433374345464536"),
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// flatSale is the message of a straight-line codec: each field's characters in
// an array of its own.
type flatSale struct {
	panLen, iccLen int

	pan    [19]byte
	proc   [6]byte
	amount [12]byte
	sent   [10]byte
	stan   [6]byte
	time   [6]byte
	date   [4]byte
	expiry [4]byte
	mode   [3]byte
	cond   [2]byte
	rrn    [12]byte
	term   [8]byte
	merch  [15]byte
	cur    [3]byte
	icc    [255]byte
	mac    [8]byte
}

// The straight-line codec is the limit that a table-driven one is measured
// against: no table, no validation, no allocation.

func (s *flatSale) set(v *sale) {
	s.panLen = copy(s.pan[:], v.pan)
	copy(s.proc[:], v.proc)
	copy(s.amount[:], v.amount)
	copy(s.sent[:], v.sent)
	copy(s.stan[:], v.stan)
	copy(s.time[:], v.time)
	copy(s.date[:], v.date)
	copy(s.expiry[:], v.expiry)
	copy(s.mode[:], v.mode)
	copy(s.cond[:], v.cond)
	copy(s.rrn[:], v.rrn)
	copy(s.term[:], v.term)
	copy(s.merch[:], v.merch)
	copy(s.cur[:], v.cur)
	s.iccLen = copy(s.icc[:], v.icc)
	copy(s.mac[:], v.mac)
}

// read appends the characters of every field to dst.
func (s *flatSale) read(dst []byte) []byte {
	dst = append(dst, s.pan[:s.panLen]...)
	dst = append(dst, s.proc[:]...)
	dst = append(dst, s.amount[:]...)
	dst = append(dst, s.sent[:]...)
	dst = append(dst, s.stan[:]...)
	dst = append(dst, s.time[:]...)
	dst = append(dst, s.date[:]...)
	dst = append(dst, s.expiry[:]...)
	dst = append(dst, s.mode[:]...)
	dst = append(dst, s.cond[:]...)
	dst = append(dst, s.rrn[:]...)
	dst = append(dst, s.term[:]...)
	dst = append(dst, s.merch[:]...)
	dst = append(dst, s.cur[:]...)
	dst = append(dst, s.icc[:s.iccLen]...)
	return append(dst, s.mac[:]...)
}

func (s *flatSale) encodeASCII(dst []byte) []byte {
	dst = append(dst, "0200723C048008C08201"...)
	dst = append(dst, byte('0'+s.panLen/10), byte('0'+s.panLen%10))
	dst = append(dst, s.pan[:s.panLen]...)
	dst = append(dst, s.proc[:]...)
	dst = append(dst, s.amount[:]...)
	dst = append(dst, s.sent[:]...)
	dst = append(dst, s.stan[:]...)
	dst = append(dst, s.time[:]...)
	dst = append(dst, s.date[:]...)
	dst = append(dst, s.expiry[:]...)
	dst = append(dst, s.mode[:]...)
	dst = append(dst, s.cond[:]...)
	dst = append(dst, s.rrn[:]...)
	dst = append(dst, s.term[:]...)
	dst = append(dst, s.merch[:]...)
	dst = append(dst, s.cur[:]...)
	n := 2 * s.iccLen
	dst = append(dst, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	dst = straightHex(dst, s.icc[:s.iccLen])
	return straightHex(dst, s.mac[:])
}

func (s *flatSale) decodeASCII(b []byte) {
	b = b[20:]
	s.panLen = int(b[0]-'0')*10 + int(b[1]-'0')
	copy(s.pan[:], b[2:2+s.panLen])
	b = b[2+s.panLen:]
	copy(s.proc[:], b[0:])
	copy(s.amount[:], b[6:])
	copy(s.sent[:], b[18:])
	copy(s.stan[:], b[28:])
	copy(s.time[:], b[34:])
	copy(s.date[:], b[40:])
	copy(s.expiry[:], b[44:])
	copy(s.mode[:], b[48:])
	copy(s.cond[:], b[51:])
	copy(s.rrn[:], b[53:])
	copy(s.term[:], b[65:])
	copy(s.merch[:], b[73:])
	copy(s.cur[:], b[88:])
	n := int(b[91]-'0')*100 + int(b[92]-'0')*10 + int(b[93]-'0')
	s.iccLen = straightUnhex(s.icc[:], b[94:94+n])
	straightUnhex(s.mac[:], b[94+n:])
}

const straightDigits = "0123456789ABCDEF"

func straightHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, straightDigits[c>>4], straightDigits[c&15])
	}
	return dst
}

func straightUnhex(dst, b []byte) int {
	for i := 0; i+1 < len(b); i += 2 {
		h, l := b[i]-'0', b[i+1]-'0'
		if h > 9 {
			h -= 7
		}
		if l > 9 {
			l -= 7
		}
		dst[i/2] = h<<4 | l
	}
	return len(b) / 2
}

func straightPack(dst, s []byte) []byte {
	for i := 0; i+1 < len(s); i += 2 {
		dst = append(dst, s[i]<<4|s[i+1]&15)
	}
	return dst
}

func straightUnpack(dst, b []byte) int {
	for i, c := range b {
		dst[2*i], dst[2*i+1] = '0'|c>>4, '0'|c&15
	}
	return 2 * len(b)
}

func (s *flatSale) encodeBCD(dst []byte) []byte {
	dst = append(dst, "\x02\x00\x72\x3C\x04\x80\x08\xC0\x82\x01"...)
	dst = append(dst, byte(s.panLen/10<<4|s.panLen%10))
	dst = straightPack(dst, s.pan[:s.panLen])
	dst = straightPack(dst, s.proc[:])
	dst = straightPack(dst, s.amount[:])
	dst = straightPack(dst, s.sent[:])
	dst = straightPack(dst, s.stan[:])
	dst = straightPack(dst, s.time[:])
	dst = straightPack(dst, s.date[:])
	dst = straightPack(dst, s.expiry[:])
	dst = append(dst, s.mode[0]&15)
	dst = straightPack(dst, s.mode[1:])
	dst = straightPack(dst, s.cond[:])
	dst = append(dst, s.rrn[:]...)
	dst = append(dst, s.term[:]...)
	dst = append(dst, s.merch[:]...)
	dst = append(dst, s.cur[:]...)
	n := s.iccLen
	dst = binary.BigEndian.AppendUint16(dst, uint16(n/100<<8|n/10%10<<4|n%10))
	dst = append(dst, s.icc[:n]...)
	return append(dst, s.mac[:]...)
}

func (s *flatSale) decodeBCD(b []byte) {
	b = b[10:]
	n := (int(b[0]>>4)*10 + int(b[0]&15)) / 2
	s.panLen = straightUnpack(s.pan[:], b[1:1+n])
	b = b[1+n:]
	straightUnpack(s.proc[:], b[:3])
	straightUnpack(s.amount[:], b[3:9])
	straightUnpack(s.sent[:], b[9:14])
	straightUnpack(s.stan[:], b[14:17])
	straightUnpack(s.time[:], b[17:20])
	straightUnpack(s.date[:], b[20:22])
	straightUnpack(s.expiry[:], b[22:24])
	s.mode[0] = '0' | b[24]&15
	straightUnpack(s.mode[1:], b[25:26])
	straightUnpack(s.cond[:], b[26:27])
	copy(s.rrn[:], b[27:])
	copy(s.term[:], b[39:])
	copy(s.merch[:], b[47:])
	copy(s.cur[:], b[62:])
	n = int(b[65])*100 + int(b[66]>>4)*10 + int(b[66]&15)
	s.iccLen = copy(s.icc[:], b[67:67+n])
	copy(s.mac[:], b[67+n:])
}
