package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

// report writes what was read.
type report struct {
	lang
	out   io.Writer
	clear bool // card data too
}

// line writes a line in the language; a line break in front of it is free.
func (r report) line(format string, args ...any) {
	bare := strings.TrimPrefix(format, "\n")
	fmt.Fprintf(r.out, format[:len(format)-len(bare)]+r.say(bare)+"\n", args...)
}

// show writes the whole report and gives the exit status.
func (r report) show(g reading, raw, key []byte) int {
	r.line("dialect  %s", g.spec.Name())
	r.frame(g)
	if g.err != nil {
		r.wrong(g, raw)
		return statusWrong
	}
	m, err := g.spec.Decode(g.frame.Body)
	if err != nil {
		r.line("\n%s", r.problem(err))
		return statusWrong
	}
	r.line("type     %s  %s", m.Type(), r.typeInWords(m.Type()))
	r.line("")
	for de := range m.Fields {
		r.field(m, de)
	}
	if status := r.mac(g, m, key); g.says == 0 {
		return status
	}
	return statusWrong
}

var lengthWords = map[codec.LengthForm]string{
	codec.LengthBinary: "2 bytes, binary", codec.LengthBCD: "2 bytes, BCD", codec.LengthASCII: "4 ASCII digits",
}

// frame writes what stands around the message.
func (r report) frame(g reading) {
	if words, ok := lengthWords[g.framing.Length]; ok {
		r.line("length   %s", r.say(words))
		if g.says != 0 {
			r.line("the length says %d bytes, %d follow", g.says, g.follow())
		}
	}
	if !g.framing.NoTPDU {
		r.line("TPDU     %s", g.frame.TPDU)
	}
	if !g.framing.NoHeader {
		h := g.frame.Header
		r.line("header   %s  application %d, version %d, processing request: %s", h, h.Application(), h.Version(), r.say(processingInWords(h.Processing())))
	}
}

// field writes one field and what it is made of.
func (r report) field(m *codec.Message, de int) {
	value, _ := m.Masked(de)
	if r.clear {
		value, _ = m.Text(de)
	}
	r.line("%4d  %s %s", de, padded(r.say(m.Spec().FieldName(de)), 44), value)
	for _, p := range parts(m, de, r.clear) {
		r.line("      %s %s", padded("  "+r.words(p.name), 44), r.words(p.value))
	}
}

// mac checks the MAC if there is a key.
func (r report) mac(g reading, m *codec.Message, key []byte) int {
	if key == nil {
		return statusFine
	}
	alg, err := g.spec.NewMAC(key)
	if errors.Is(err, codec.ErrNoMAC) {
		if len(key) == 8 {
			alg, err = codec.NewX99MAC(key, codec.MACOptions{})
		} else {
			alg, err = codec.NewX919MAC(key, codec.MACOptions{})
		}
	}
	if err == nil {
		err = codec.VerifyMAC(g.frame.Body, m, alg)
	}
	if err != nil {
		r.line("\nMAC      %v", r.problem(err))
		return statusWrong
	}
	r.line("\nMAC      right")
	return statusFine
}

// wrong writes the dump with a caret under the byte that is to blame.
func (r report) wrong(g reading, raw []byte) {
	at := g.from + offsetOf(g.err, len(g.frame.Body))
	r.line("\n%s", r.problem(g.err))
	var fe *codec.FieldError
	if errors.As(g.err, &fe) && fe.DE > 1 && g.spec.Defines(fe.DE) {
		r.line("field %d is %s", fe.DE, r.say(g.spec.FieldName(fe.DE)))
	}
	if n := len(g.spans); n > 0 && g.spans[n-1].DE > 1 {
		last := g.spans[n-1]
		r.line("the last good field is %d, %s", last.DE, r.say(g.spec.FieldName(last.DE)))
	}
	r.line("")
	shown := r.shown(g, raw)
	for line := 0; line <= len(raw); line += 16 {
		var b strings.Builder
		for i := line; i < min(line+16, len(raw)); i++ {
			if shown[i] {
				fmt.Fprintf(&b, " %02X", raw[i])
			} else {
				b.WriteString(" **")
			}
		}
		if b.Len() > 0 {
			r.line("%04X %s", line, b.String())
		}
		if at >= line && at < line+16 {
			r.line("%s^^ byte %d", strings.Repeat(" ", 6+3*(at-line)), at)
			break
		}
	}
	if !r.clear {
		r.line("\nBytes of hidden fields, of what may be a card number, and all from the mistake on, show as **; -clear shows them.")
	}
}

// shown tells of each byte whether it may be seen: what stands around the
// message, and the fields before the mistake that are no card data. What may be
// a card number is hidden wherever it stands, for what is wrong may be in front
// of the mistake that was noticed.
func (r report) shown(g reading, raw []byte) []bool {
	shown := make([]bool, len(raw))
	for i := range raw {
		shown[i] = r.clear || i < g.from
	}
	for _, s := range g.spans {
		for i := g.from + s.Start; i < g.from+s.End; i++ {
			shown[i] = shown[i] || !s.Hidden
		}
	}
	cardNumbers(raw, func(from, to int) {
		for i := max(from, 0); i < min(to, len(raw)); i++ {
			shown[i] = r.clear
		}
	})
	return shown
}
