package isolink

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// The message types of this link.
const (
	mtiRequest  codec.MTI = 0x0200
	mtiAdvice   codec.MTI = 0x0220
	mtiUpload   codec.MTI = 0x0320
	mtiReversal codec.MTI = 0x0400
	mtiSettle   codec.MTI = 0x0500
	mtiSignIn   codec.MTI = 0x0800
	mtiNetwork  codec.MTI = 0x0820

	mtiSettleAdvice codec.MTI = 0x0520
)

// form is what an entry looks like on the wire.
type form struct {
	mti        codec.MTI
	kind       int    // 60.1
	processing string // DE 3
}

func formOf(e queue.Entry) (form, error) {
	var f form
	switch {
	case e.Op == queue.Sale && e.Kind == queue.Advice:
		f = form{mtiAdvice, codec.TypeOfflineSale, "000000"}
	case e.Op == queue.Sale && e.Tender == queue.Cash:
		return f, missing("cash is told by an advice, never asked for")
	case e.Op == queue.Sale:
		f = form{mtiRequest, codec.TypeSale, "000000"}
	case e.Op == queue.Void:
		f = form{mtiRequest, codec.TypeSaleVoid, "200000"}
	case e.Op == queue.Refund:
		f = form{mtiAdvice, codec.TypeRefund, "200000"}
	default:
		return f, missing("the dialect has no message for a report")
	}
	if e.Kind == queue.Reversal {
		if f.mti != mtiRequest {
			return f, missing("only a sale or a void is reversed")
		}
		f.mti = mtiReversal
	}
	return f, nil
}

// missing says why an entry has no message, without any field's content.
func missing(why string) error { return fmt.Errorf("%w: %s", queue.ErrUnsendable, why) }

// fields sets fields of a message and keeps the first error.
type fields struct {
	m   *codec.Message
	err error
}

func (f *fields) set(de int, v string) {
	if f.err == nil && v != "" {
		f.err = f.m.Set(de, v)
	}
}

func (f *fields) bytes(de int, v []byte) {
	if f.err == nil && len(v) > 0 {
		f.err = f.m.SetBytes(de, v)
	}
}

func (f *fields) value(de int, v codec.Value) {
	if f.err == nil {
		f.err = f.m.SetValue(de, v)
	}
}

// entryMessage builds an entry's message without its MAC, from nothing but the
// entry and the options.
func (l *Link) entryMessage(e queue.Entry) (*codec.Message, error) {
	if l.opts.Style != UnionPay {
		return l.isoMessage(e, e.Kind)
	}
	form, err := formOf(e)
	if err != nil {
		return nil, err
	}
	f := fields{m: codec.NewMessage(l.opts.Spec, form.mti)}
	f.set(3, form.processing)
	f.set(4, fmt.Sprintf("%012d", e.Amount.Minor))
	f.set(11, e.STAN.String())
	f.set(22, entryMode(e))
	f.set(25, "00")
	f.set(41, l.terminal)
	f.set(42, l.merchant)
	f.set(49, e.Amount.Currency.Numeric())
	f.value(60, codec.Private60{Type: form.kind, Batch: int(e.HostBatch), Capability: l.opts.Capability, Digits: 13})
	l.addCard(&f, e)
	l.addOriginal(&f, e)
	switch {
	case form.mti == mtiReversal:
		f.set(39, reasonCode(e.Reason))
	case form.mti == mtiAdvice:
		f.value(63, codec.Private63{Code: organisation(e)})
	}
	if f.err != nil && !errors.Is(f.err, queue.ErrUnsendable) {
		f.err = fmt.Errorf("%w: %w", queue.ErrUnsendable, f.err)
	}
	return f.m, f.err
}

// addOriginal says what the entry is about: of a void or refund the sale, of a
// sale told afterwards who authorised it.
func (l *Link) addOriginal(f *fields, e queue.Entry) {
	o := codec.Original61{Batch: int(e.Of.HostBatch), STAN: int(e.Of.STAN)}
	switch {
	case e.Op == queue.Sale && e.Kind == queue.Advice:
		o = codec.Original61{Date: e.Time.In(l.opts.Zone).Format("0102"), Digits: 18}
		f.set(38, pad(e.Approval, 6))
	case e.Op == queue.Sale:
		return
	case e.Op == queue.Refund:
		o.Date = e.Of.Time.In(l.opts.Zone).Format("0102")
	}
	if e.Op != queue.Sale && e.Of.STAN == 0 && f.err == nil {
		f.err = missing("what it is about is not known")
		return
	}
	f.value(61, o)
	if e.Op == queue.Sale || e.Kind == queue.Reversal {
		return
	}
	if e.Of.RRN == "" && f.err == nil {
		f.err = missing("its original has no reference number of the host (DE 37)")
		return
	}
	f.set(37, pad(e.Of.RRN, 12))
	f.set(38, pad(e.Of.AuthCode, 6))
}

// pad fills text up with spaces; "" stays.
func pad(s string, n int) string {
	if s == "" || len(s) >= n {
		return s
	}
	return s + strings.Repeat(" ", n-len(s))
}

func reasonCode(r queue.Reason) string {
	switch r {
	case queue.NoAnswer:
		return "98"
	case queue.BadMAC:
		return "A0"
	case queue.Fault:
		return "96"
	}
	return "06"
}

// signInMessage asks for a session.
func (l *Link) signInMessage(stan queue.STAN, batch uint32) *fields {
	if l.opts.Style != UnionPay {
		return l.isoNetwork(isoSignOn, stan)
	}
	f := l.networkMessage(mtiSignIn, stan, batch, l.opts.SignIn)
	f.value(63, codec.Private63{Code: pad(l.opts.Operator, 3)})
	return f
}

// signOffMessage ends a session.
func (l *Link) signOffMessage(stan queue.STAN) *fields {
	if l.opts.Style != UnionPay {
		return l.isoNetwork(isoSignOff, stan)
	}
	return l.networkMessage(mtiNetwork, stan, l.current().line.HostBatch, codec.NetSignOff)
}

// echo asks for a sign of life. The styles of ISO have a trace number in it,
// which need not be durable: nothing is booked by it.
func (l *Link) echo() *fields {
	if l.opts.Style != UnionPay {
		return l.isoNetwork(isoEcho, 0)
	}
	return l.managementMessage(mtiNetwork, codec.NetEcho)
}

// networkMessage begins a message of the session or the settlement.
func (l *Link) networkMessage(t codec.MTI, stan queue.STAN, batch uint32, code int) *fields {
	f := &fields{m: codec.NewMessage(l.opts.Spec, t)}
	f.set(11, stan.String())
	f.set(41, l.terminal)
	f.set(42, l.merchant)
	f.value(60, codec.Private60{Batch: int(batch), Network: code})
	return f
}

// managementMessage is networkMessage for what takes no trace number.
func (l *Link) managementMessage(t codec.MTI, code int) *fields {
	f := &fields{m: codec.NewMessage(l.opts.Spec, t)}
	f.set(41, l.terminal)
	f.set(42, l.merchant)
	f.value(60, codec.Private60{Batch: int(l.current().line.HostBatch), Network: code})
	return f
}

// frame encodes a message, with a MAC where mac is given, and wraps it.
func (l *Link) frame(m *codec.Message, mac codec.MAC) ([]byte, error) {
	var body []byte
	var err error
	if mac != nil {
		l.maccing.Lock()
		body, err = l.opts.Spec.AppendMAC(nil, m, mac)
		l.maccing.Unlock()
	} else {
		body, err = l.opts.Spec.Append(nil, m)
	}
	if err != nil {
		return nil, err
	}
	return l.opts.Framing.Append(nil, codec.Frame{TPDU: l.opts.TPDU, Header: l.opts.Header, Body: body})
}
