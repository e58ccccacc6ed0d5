package isolink

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// addCard adds what the card or the payment code gave, as far as the message
// may carry it.
func (l *Link) addCard(f *fields, e queue.Entry) {
	c := e.Card
	if e.Tender == queue.Cash {
		return
	}
	if e.Tender == queue.QR {
		if e.Op == queue.Sale && e.Kind != queue.Reversal {
			f.set(59, payCode(f, c.PayCode.Reveal()))
		}
		return
	}
	asks := e.Kind == queue.Request
	pan, mode := c.PAN.Reveal(), entryMode(e)
	if !(asks && mode[:1] == "0" && mode[1:2] == "2" && !c.Track2.IsZero()) {
		f.set(2, pan) // of a stripe, track 2 has it
	}
	f.set(14, c.Expiry.Reveal())
	if c.Sequence != "" {
		f.set(23, strings.Repeat("0", max(0, 3-len(c.Sequence)))+c.Sequence)
	}
	if asks {
		l.addTracks(f, c)
	}
	switch {
	case e.Op != queue.Sale || e.Kind == queue.Reversal || f.err != nil:
	case pan == "" && (!asks || c.Track2.IsZero()):
		f.err = missing("it has no card number")
	}
	switch {
	case e.Op != queue.Sale:
	case e.Kind == queue.Reversal:
		f.bytes(55, reversalTags([]byte(c.ICC.Reveal())))
	default:
		f.bytes(55, []byte(c.ICC.Reveal()))
	}
}

// addTracks adds tracks and PIN block, which only requests carry, and what DE 53
// says of them.
func (l *Link) addTracks(f *fields, c queue.Card) {
	f.set(35, c.Track2.Reveal())
	f.set(36, c.Track3.Reveal())
	pin := c.PINBlock.Reveal()
	if pin == "" && c.Track2.IsZero() && c.Track3.IsZero() {
		return
	}
	security := []byte("0600000000000000")
	if l.opts.SignIn == codec.NetSignInSingle {
		security[1] = '0'
	}
	if pin != "" {
		security[0] = '2'
		f.set(26, "12")
		f.bytes(52, pinBlock(pin))
	}
	f.set(53, string(security))
}

// pinBlock takes 8 bytes, or 16 hexadecimal digits.
func pinBlock(s string) []byte {
	if b, err := hex.DecodeString(s); err == nil && len(b) == 8 {
		return b
	}
	return []byte(s)
}

// payCode is DE 59 of a scanned code: tag A3, three digits of length, the code.
func payCode(f *fields, code string) string {
	if code == "" && f.err == nil {
		f.err = missing("it has no payment code")
	}
	return fmt.Sprintf("A3%03d%s", len(code), code)
}

// entryMode is DE 22: what the app gave, else what follows from the card's data
// that every attempt has.
func entryMode(e queue.Entry) string {
	c := e.Card
	switch {
	case e.Tender == queue.Cash:
		return "000"
	case e.EntryMode != "":
		return e.EntryMode
	case e.Tender == queue.QR:
		return "032"
	case !c.ICC.IsZero():
		return "050"
	case !c.Track2.IsZero():
		return "020"
	}
	return "010"
}

// organisation is 63.1 of the entry's card; what is no card has none.
func organisation(e queue.Entry) string {
	pan := e.Card.PAN.Reveal()
	if pan == "" {
		pan = e.MaskedPAN
	}
	if e.Tender != queue.CardTender {
		pan = ""
	}
	return codec.Organisation(pan)
}

// Foreign tells whether the host counts the entry's card among the foreign ones
// in the totals of a batch. The masked card number is enough to tell.
func (l *Link) Foreign(e queue.Entry) bool { return codec.ForeignOrg(organisation(e)) }

// reversalTags gives the parts of DE 55 that a reversal carries: 95, 9F1E, 9F10,
// 9F36 and DF31. What is not well-formed BER-TLV gives none.
func reversalTags(icc []byte) []byte {
	var out []byte
	for rest := icc; len(rest) > 0; {
		n := 1
		if rest[0]&0x1F == 0x1F {
			for n < len(rest) && rest[n]&0x80 != 0 {
				n++
			}
			n++
		}
		if n >= len(rest) || n > 3 {
			return nil
		}
		tag, size, head := string(rest[:n]), int(rest[n]), n+1
		if size == 0x81 && head < len(rest) {
			size, head = int(rest[head]), head+1
		} else if size >= 0x80 {
			return nil
		}
		if head+size > len(rest) {
			return nil
		}
		switch tag {
		case "\x95", "\x9F\x1E", "\x9F\x10", "\x9F\x36", "\xDF\x31":
			out = append(out, rest[:head+size]...)
		}
		rest = rest[head+size:]
	}
	return out
}
