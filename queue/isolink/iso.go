package isolink

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// The network messages of ISO 8583: 1987 names them in DE 70, 1993 in DE 24.
const (
	isoSignOn  = "001"
	isoSignOff = "002"
	isoEcho    = "301"
)

var functions93 = map[string]string{isoSignOn: "801", isoSignOff: "802", isoEcho: "831"}

// version is a message type of 1987 in the style's version.
func (l *Link) version(t codec.MTI) codec.MTI {
	if l.opts.Style == ISO1993 {
		return t | 0x1000
	}
	return t
}

// isoForm is the message type of 1987 and the processing code of an entry.
func isoForm(e queue.Entry, kind queue.Kind) (t codec.MTI, processing string, err error) {
	processing = map[queue.Op]string{queue.Sale: "000000", queue.Void: "020000", queue.Refund: "200000"}[e.Op]
	switch {
	case processing == "":
		return 0, "", missing("the dialect has no message for a report")
	case kind == queue.Reversal:
		t = 0x0420
	case kind == queue.Request && e.Tender == queue.Cash:
		return 0, "", missing("cash is told by an advice, never asked for")
	case e.Tender == queue.QR:
		return 0, "", missing("the dialect has no place for a payment code")
	case kind == queue.Request:
		t = 0x0200
	default:
		t = 0x0220
	}
	return t, processing, nil
}

// isoMessage builds an entry's message, as it is delivered, or by an advice, from
// nothing but the entry and the options. A repeat differs in its mark alone.
func (l *Link) isoMessage(e queue.Entry, kind queue.Kind) (*codec.Message, error) {
	t, processing, err := isoForm(e, kind)
	if err != nil {
		return nil, err
	}
	t = l.version(t)
	if e.Repeat && kind != queue.Request {
		t = t.Repeat()
	}
	f := &fields{m: codec.NewMessage(l.opts.Spec, t)}
	f.set(3, processing)
	f.set(4, fmt.Sprintf("%012d", e.Amount.Minor))
	l.isoStamp(f, e.Time, e.STAN)
	f.set(22, l.isoEntryMode(e))
	f.set(49, e.Amount.Currency.Numeric())
	l.isoCard(f, e, kind)
	l.isoOriginal(f, e, kind)
	if l.opts.Style == ISO1993 {
		f.set(24, map[bool]string{true: "400", false: "200"}[kind == queue.Reversal])
	} else {
		f.set(25, "00")
	}
	if f.err != nil && !errors.Is(f.err, queue.ErrUnsendable) {
		f.err = fmt.Errorf("%w: %w", queue.ErrUnsendable, f.err)
	}
	return f.m, f.err
}

// isoStamp adds what every message has: times, trace number, who we are.
func (l *Link) isoStamp(f *fields, at time.Time, stan queue.STAN) {
	f.set(7, at.UTC().Format("0102150405"))
	f.set(11, stan.String())
	local := at.In(l.opts.Zone)
	if l.opts.Style == ISO1993 {
		f.set(12, local.Format("060102150405"))
	} else {
		f.set(12, local.Format("150405"))
		f.set(13, local.Format("0102"))
	}
	f.set(32, l.opts.Institution)
	f.set(41, l.terminal)
	f.set(42, l.merchant)
}

// isoEntryMode is DE 22. That of 1993 says how the card was read in its seventh
// position, and whether it was there in its sixth.
func (l *Link) isoEntryMode(e queue.Entry) string {
	mode := entryMode(e)
	if l.opts.Style != ISO1993 {
		return mode
	}
	p := codec.PointOfService22{InputCapability: '5', CardPresent: '1', InputMode: '0'}
	switch mode[:min(2, len(mode))] {
	case "01":
		p.InputMode, p.CardPresent = '6', '0'
	case "02", "91", "95":
		p.InputMode = '2'
	case "05", "07", "98":
		p.InputMode = '5'
	case "00":
		p.CardPresent = '0'
	}
	if len(mode) == 3 && mode[2] == '1' {
		p.AuthMethod = '1'
	}
	text, _ := p.Append(nil) // each position is a digit
	return string(text)
}

// isoCard adds what the card gave: tracks, chip and PIN only to what asks.
func (l *Link) isoCard(f *fields, e queue.Entry, kind queue.Kind) {
	if e.Tender == queue.Cash {
		return
	}
	c := e.Card
	pan := c.PAN.Reveal()
	if pan == "" && c.Track2.IsZero() && f.err == nil && e.Op == queue.Sale {
		f.err = missing("it has no card number")
	}
	f.set(2, pan)
	f.set(14, c.Expiry.Reveal())
	if c.Sequence != "" {
		f.set(23, strings.Repeat("0", max(0, 3-len(c.Sequence)))+c.Sequence)
	}
	if kind == queue.Request && e.Kind == queue.Request {
		f.set(35, c.Track2.Reveal())
		f.set(36, c.Track3.Reveal())
		if pin := c.PINBlock.Reveal(); pin != "" {
			f.bytes(52, pinBlock(pin))
		}
	}
	if e.Op == queue.Sale && kind != queue.Reversal {
		f.bytes(55, []byte(c.ICC.Reveal()))
	}
}

// isoOriginal says what the message is about, and who authorised what is told.
func (l *Link) isoOriginal(f *fields, e queue.Entry, kind queue.Kind) {
	switch {
	case kind == queue.Reversal:
		asked, _, _ := isoForm(e, queue.Request)
		l.refer(f, asked, e.STAN, e.Time)
		l.isoReason(f, e.Reason)
		return
	case e.Op == queue.Sale:
		f.set(38, pad(e.Approval, 6))
		if kind != e.Kind { // told anew, as a detail
			f.set(37, pad(e.Answer.RRN, 12))
			f.set(38, pad(e.Answer.AuthCode, 6))
		}
		return
	case e.Of.STAN == 0 && f.err == nil:
		f.err = missing("what it is about is not known")
		return
	}
	f.set(37, pad(e.Of.RRN, 12))
	f.set(38, pad(e.Of.AuthCode, 6))
	l.refer(f, 0x0200, e.Of.STAN, e.Of.Time)
}

// refer names another message: DE 90 of 1987, DE 56 of 1993.
func (l *Link) refer(f *fields, t codec.MTI, stan queue.STAN, at time.Time) {
	if l.opts.Style == ISO1993 {
		f.value(56, codec.Original56{MTI: l.version(t), STAN: int(stan), Local: at.In(l.opts.Zone).Format("060102150405"), Acquirer: l.opts.Institution})
		return
	}
	f.value(90, codec.Original90{MTI: t, STAN: int(stan), Sent: at.UTC().Format("0102150405"), Acquirer: l.opts.Institution})
}

// isoReason is why a reversal goes out: DE 39 of 1987, DE 25 of 1993.
func (l *Link) isoReason(f *fields, r queue.Reason) {
	if l.opts.Style == ISO1993 {
		f.set(25, map[queue.Reason]string{queue.NoAnswer: "4021", queue.BadMAC: "4002", queue.Fault: "4007", queue.Other: "4000"}[r])
		return
	}
	f.set(39, map[queue.Reason]string{queue.NoAnswer: "68", queue.BadMAC: "96", queue.Fault: "22", queue.Other: "17"}[r])
}

// isoNetwork is a network message. An echo has no number of the lane's.
func (l *Link) isoNetwork(code string, stan queue.STAN) *fields {
	f := &fields{m: codec.NewMessage(l.opts.Spec, 0x0800)}
	if l.opts.Style == ISO1993 {
		f.m.SetType(0x1804)
		f.set(24, functions93[code])
	} else {
		f.set(70, code)
	}
	l.isoStamp(f, time.Now(), stan)
	return f
}
