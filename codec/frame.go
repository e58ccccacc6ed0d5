package codec

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
)

// LengthForm is how the length in front of a frame is written. It counts all
// that follows itself.
type LengthForm uint8

const (
	LengthBinary LengthForm = iota // two bytes, big-endian
	LengthBCD                      // two bytes, four decimal digits
	LengthASCII                    // four ASCII digits
	LengthNone                     // no length: the line itself delimits frames
)

func (l LengthForm) bytes() int {
	switch l {
	case LengthASCII:
		return 4
	case LengthNone:
		return 0
	}
	return 2
}

func (l LengthForm) limit() int {
	if l == LengthBinary {
		return 65535
	}
	if l == LengthNone {
		return maxMessage
	}
	return 9999
}

// DefaultMaxFrame bounds a frame, without its length prefix, if Framing.Max is
// zero.
const DefaultMaxFrame = 8192

// TPDU is the transport header: five bytes that hold an id ("60") and the
// addresses of destination and source, two bytes each, as decimal digits.
type TPDU [5]byte

// ParseTPDU reads ten hexadecimal digits such as "6000030000".
func ParseTPDU(s string) (t TPDU, err error) { return t, parseHead(t[:], s, "TPDU") }

// Swap exchanges destination and source, as the answering side does.
func (t TPDU) Swap() TPDU { return TPDU{t[0], t[3], t[4], t[1], t[2]} }

// String gives the ten digits.
func (t TPDU) String() string { return string(appendHex(nil, t[:])) }

// Header is the 6-byte message header of UnionPay: twelve decimal digits.
type Header [6]byte

// ParseHeader reads twelve hexadecimal digits such as "603100311300".
func ParseHeader(s string) (h Header, err error) { return h, parseHead(h[:], s, "header") }

// Application is the class of application: 60 magnetic stripe, 61 chip.
func (h Header) Application() int { return int(h[0]>>4)*10 + int(h[0]&15) }

// Version is the version of the specification, 31 or 32 today.
func (h Header) Version() int { return int(h[1]>>4)*10 + int(h[1]&15) }

// Testing reports whether the terminal is in test mode.
func (h Header) Testing() bool { return h[2]>>4 == 1 }

// Processing is what the host asks the terminal to do next.
func (h Header) Processing() Processing { return Processing(h[2] & 15) }

// WithProcessing is h with another processing request.
func (h Header) WithProcessing(p Processing) Header {
	h[2] = h[2]&0xF0 | byte(p)&15
	return h
}

// String gives the twelve digits.
func (h Header) String() string { return string(appendHex(nil, h[:])) }

// Processing is the processing request (处理要求) of a header.
type Processing uint8

const (
	ProcessNothing        Processing = 0 // nothing to do
	ProcessStripeParams   Processing = 1 // download the magnetic stripe parameters
	ProcessUploadStatus   Processing = 2 // upload the terminal's status
	ProcessSignIn         Processing = 3 // sign in again
	ProcessUpdateCAPK     Processing = 4 // update the public keys
	ProcessChipParams     Processing = 5 // download the chip parameters
	ProcessTMSParams      Processing = 6 // download parameters from the terminal management
	ProcessBlacklist      Processing = 7 // download the blacklist
	ProcessExchangeOrFees Processing = 8 // download exchange or fee rates
)

func parseHead(dst []byte, s, what string) error {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(dst) {
		return &FrameError{Offset: -1, Err: ErrFrame, Detail: what + " needs " + strconv.Itoa(2*len(dst)) + " digits"}
	}
	copy(dst, b)
	return nil
}

// FrameError says what is wrong with a frame. It wraps ErrFrame,
// ErrFrameTooBig or the error of the reader.
type FrameError struct {
	Offset int // byte of the frame, length prefix included; -1 if there is none
	Err    error
	Detail string
}

func (e *FrameError) Error() string {
	s := "iso8583 frame: " + e.Err.Error()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Offset >= 0 {
		s += " at offset " + strconv.Itoa(e.Offset)
	}
	return s
}

// Unwrap gives the cause.
func (e *FrameError) Unwrap() error { return e.Err }

// Frame is what stands around a message on a line, and the message's bytes. A
// part that the framing leaves out is zero.
type Frame struct {
	TPDU   TPDU
	Header Header
	Body   []byte // message type to last field
}

// Framing says how messages are wrapped on a line. The zero value is UnionPay's
// way: two bytes of length, TPDU, header.
type Framing struct {
	Length   LengthForm
	NoTPDU   bool // no 5-byte TPDU
	NoHeader bool // no 6-byte header
	Max      int  // largest frame without its length prefix; 0 means DefaultMaxFrame
}

func (f Framing) max() int {
	n := f.Max
	if n <= 0 {
		n = DefaultMaxFrame
	}
	return min(n, f.Length.limit())
}

// around is the number of bytes in front of the body, without the length.
func (f Framing) around() int {
	n := 0
	if !f.NoTPDU {
		n += len(TPDU{})
	}
	if !f.NoHeader {
		n += len(Header{})
	}
	return n
}

// Append appends the frame to dst. On an error dst is returned as it was.
func (f Framing) Append(dst []byte, fr Frame) ([]byte, error) {
	n := f.around() + len(fr.Body)
	if n > f.max() {
		return dst, &FrameError{Offset: -1, Err: ErrFrameTooBig, Detail: atMost(n, f.max()) + " bytes"}
	}
	switch f.Length {
	case LengthBinary:
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	case LengthBCD:
		dst = append(dst, byte(n/1000<<4|n/100%10), byte(n/10%10<<4|n%10))
	case LengthASCII:
		dst = appendNumber(dst, wireASCII, n, 4)
	}
	if !f.NoTPDU {
		dst = append(dst, fr.TPDU[:]...)
	}
	if !f.NoHeader {
		dst = append(dst, fr.Header[:]...)
	}
	return append(dst, fr.Body...), nil
}

// Read reads one frame. The body stands in buf if it fits there, else in new
// memory of at most the bound. Between frames the end of r is io.EOF; within
// one it is a *FrameError that wraps io.ErrUnexpectedEOF. With LengthNone the
// frame is all that r holds.
func (f Framing) Read(r io.Reader, buf []byte) (Frame, error) {
	if f.Length == LengthNone {
		return f.readAll(r, buf)
	}
	var prefix [4]byte
	p := prefix[:f.Length.bytes()]
	if n, err := io.ReadFull(r, p); err != nil {
		if n == 0 && errors.Is(err, io.EOF) {
			return Frame{}, io.EOF
		}
		return Frame{}, &FrameError{Offset: n, Err: err, Detail: "in the length"}
	}
	n, err := f.parseLength(p)
	if err != nil {
		return Frame{}, err
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if got, err := io.ReadFull(r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, &FrameError{Offset: len(p) + got, Err: err, Detail: exactly(got, n) + " bytes"}
	}
	return f.split(buf), nil
}

// readAll reads a frame that nothing but the end of r delimits.
func (f Framing) readAll(r io.Reader, buf []byte) (Frame, error) {
	limit := f.max() + 1 // one more shows that there is too much
	if cap(buf) < limit {
		buf = make([]byte, limit)
	}
	n, err := io.ReadFull(r, buf[:limit])
	switch {
	case err == nil:
		return Frame{}, &FrameError{Offset: f.max(), Err: ErrFrameTooBig, Detail: "more than " + strconv.Itoa(f.max()) + " bytes"}
	case errors.Is(err, io.EOF):
		return Frame{}, io.EOF
	case !errors.Is(err, io.ErrUnexpectedEOF):
		return Frame{}, &FrameError{Offset: n, Err: err}
	case n < f.around():
		return Frame{}, &FrameError{Offset: n, Err: ErrFrame, Detail: "shorter than TPDU and header"}
	}
	return f.split(buf[:n]), nil
}

// Decode reads the one frame that fills b to its last byte. The body is a part
// of b.
func (f Framing) Decode(b []byte) (Frame, error) {
	at := f.Length.bytes()
	if len(b) < at {
		return Frame{}, &FrameError{Offset: len(b), Err: io.ErrUnexpectedEOF, Detail: "in the length"}
	}
	n := len(b) - at
	if f.Length != LengthNone {
		var err error
		if n, err = f.parseLength(b[:at]); err != nil {
			return Frame{}, err
		}
	}
	switch {
	case n > f.max():
		return Frame{}, &FrameError{Offset: 0, Err: ErrFrameTooBig, Detail: atMost(n, f.max()) + " bytes"}
	case n < f.around():
		return Frame{}, &FrameError{Offset: 0, Err: ErrFrame, Detail: "shorter than TPDU and header"}
	case len(b)-at < n:
		return Frame{}, &FrameError{Offset: len(b), Err: io.ErrUnexpectedEOF, Detail: exactly(len(b)-at, n) + " bytes"}
	case len(b)-at > n:
		return Frame{}, &FrameError{Offset: at + n, Err: ErrFrame, Detail: count(len(b)-at-n, "byte") + " more than the length says"}
	}
	return f.split(b[at:]), nil
}

// parseLength reads and bounds a length prefix.
func (f Framing) parseLength(p []byte) (n int, err error) {
	ok := true
	switch f.Length {
	case LengthBinary:
		n = int(binary.BigEndian.Uint16(p))
	case LengthBCD:
		n = int(p[0]>>4)*1000 + int(p[0]&15)*100 + int(p[1]>>4)*10 + int(p[1]&15)
		ok = badNibble(p) < 0
	case LengthASCII:
		n, ok = readNumber(p, wireASCII)
	}
	switch {
	case !ok:
		return 0, &FrameError{Offset: 0, Err: ErrFrame, Detail: "the length is not made of digits"}
	case n > f.max():
		return 0, &FrameError{Offset: 0, Err: ErrFrameTooBig, Detail: atMost(n, f.max()) + " bytes"}
	case n < f.around():
		return 0, &FrameError{Offset: 0, Err: ErrFrame, Detail: "shorter than TPDU and header"}
	}
	return n, nil
}

// split takes a frame without its length apart; it is long enough.
func (f Framing) split(b []byte) (fr Frame) {
	if !f.NoTPDU {
		b = b[copy(fr.TPDU[:], b):]
	}
	if !f.NoHeader {
		b = b[copy(fr.Header[:], b):]
	}
	fr.Body = b
	return fr
}
