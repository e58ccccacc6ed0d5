package main

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

// part is a part of a field in words.
type part struct{ name, value string }

// parts takes a field apart; nothing if it has no known parts, or if they do
// not parse. Card data in them is shown only if clear is set.
func parts(m *codec.Message, de int, clear bool) []part {
	text, _ := m.Text(de)
	raw, _ := m.Bytes(de)
	dialect := m.Spec().Name()
	version := m.Type() >> 12
	switch {
	case de == 39:
		return response(dialect, version, text)
	case de == 55:
		return chip(raw, clear)
	case dialect == "unionpay":
		return unionPay(m, de, text, raw, clear)
	case version == 0:
		return iso1987(de, text)
	case version == 1:
		return iso1993(de, text)
	}
	return nil
}

// response explains a response code: with the dialect's own table, in a dialect
// of one's own only a code that the version's table has.
func response(dialect string, version codec.MTI, code string) []part {
	var r codec.Response
	switch {
	case dialect == "unionpay":
		r = codec.UnionPayCode(code)
	case version == 0 && len(code) == 2:
		r = codec.ISO1987Code(code)
	case version == 1 && len(code) == 3:
		r = codec.ISO1993Code(code)
	case version == 2 && len(code) == 4:
		r = codec.ISO2003Code(code)
	}
	if own := dialect != "unionpay" && !strings.HasPrefix(dialect, "iso"); r.Code == "" || own && !r.Known {
		return nil
	}
	return []part{{r.Class.String() + ", next: " + r.Next.String(), r.En + " " + r.Zh}}
}

func chip(raw []byte, clear bool) []part {
	list, err := codec.ParseTLV(raw)
	if err != nil {
		return []part{{"tags", err.Error()}}
	}
	var out []part
	for _, t := range list {
		value := fmt.Sprintf("%d bytes", len(t.Value()))
		if clear {
			value = fmt.Sprintf("%X", t.Value())
		}
		out = append(out, part{t.Tag.String() + " " + tagNames[t.Tag], value})
	}
	return out
}

func unionPay(m *codec.Message, de int, text string, raw []byte, clear bool) []part {
	p60Text, _ := m.Text(60)
	p60, _ := codec.ParsePrivate60(p60Text)
	switch de {
	case 3:
		return processing(text)
	case 22:
		return entryMode(text)
	case 48:
		return additional(p60.Network, text, clear)
	case 59:
		return private59(text, clear)
	case 60:
		return private60(text)
	case 61:
		return original61(text)
	case 62:
		return private62(m.Type(), p60.Network, raw)
	case 63:
		return private63(text)
	}
	return nil
}

func processing(text string) []part {
	p, err := codec.ParseProcessing3(text)
	if err != nil {
		return nil
	}
	return []part{{"kind, from and to account", fmt.Sprintf("%02d %02d %02d", p.Type, p.From, p.To)}}
}

func entryMode(text string) []part {
	e, err := codec.ParseEntryMode22(text)
	if err != nil {
		return nil
	}
	return []part{{"card read by", entryWords[e.Mode]}, {"PIN", pinWords[e.PIN]}}
}

func money(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

func additional(network int, text string, clear bool) []part {
	switch network {
	case codec.NetBatchEnd, codec.NetBatchEndEqual:
		if n, err := codec.ParseUploadCount48(text); err == nil {
			return []part{{"transactions uploaded", fmt.Sprint(int(n))}}
		}
	case codec.NetBatch:
		if t, err := codec.ParseTotals48(text); err == nil {
			return append(totals("inland", t.Inland), totals("foreign", t.Foreign)...)
		}
		list, err := codec.ParseDetails48(text)
		if err != nil {
			return nil
		}
		var out []part
		for _, d := range list {
			pan := d.PAN.String()
			if clear {
				pan = d.PAN.Reveal()
			}
			out = append(out, part{fmt.Sprintf("STAN %06d", d.STAN), pan + "  " + money(d.Amount)})
		}
		return out
	}
	return nil
}

func totals(who string, g codec.GroupTotals) []part {
	verdict := map[codec.Verdict]string{
		codec.VerdictBalanced: "balanced", codec.VerdictUnbalanced: "not balanced", codec.VerdictError: "error",
	}[g.Verdict]
	out := []part{
		{who + " debits", fmt.Sprintf("%s in %d", money(g.DebitAmount), g.DebitCount)},
		{who + " credits", fmt.Sprintf("%s in %d", money(g.CreditAmount), g.CreditCount)},
	}
	if verdict != "" {
		out = append(out, part{who + " verdict", verdict})
	}
	return out
}

func private59(text string, clear bool) []part {
	list, err := codec.ParsePrivate59(text)
	if err != nil {
		return nil
	}
	names := map[string]string{codec.TagPayCode: "payment code", codec.TagVoucher: "voucher number"}
	var out []part
	for _, t := range list {
		value := fmt.Sprintf("%d characters", len(t.Value()))
		if clear {
			value = t.Value()
		}
		out = append(out, part{t.Tag + " " + names[t.Tag], value})
	}
	return out
}

func private60(text string) []part {
	p, err := codec.ParsePrivate60(text)
	if err != nil {
		return nil
	}
	out := []part{{"60.1 transaction type", numbered(p.Type, typeWords)}, {"60.2 batch", fmt.Sprintf("%06d", p.Batch)}}
	for i, more := range []part{
		{"60.3 network management", numbered(p.Network, networkWords)},
		{"60.4 terminal reads", fmt.Sprint(p.Capability)},
		{"60.5 chip condition", fmt.Sprint(p.Condition)},
		{"60.6 partial approval", fmt.Sprint(p.Partial)},
		{"60.7 kind of account", fmt.Sprintf("%03d", p.Account)},
	} {
		if p.Digits >= []int{11, 12, 13, 14, 17}[i] {
			out = append(out, more)
		}
	}
	return out
}

func numbered(n int, words map[int]string) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, words[n]))
}

func original61(text string) []part {
	o, err := codec.ParseOriginal61(text)
	if err != nil {
		return nil
	}
	out := []part{{"original batch", fmt.Sprintf("%06d", o.Batch)}, {"original STAN", fmt.Sprintf("%06d", o.STAN)}}
	if o.Date != "" {
		out = append(out, part{"original date", o.Date})
	}
	return out
}

func private62(t codec.MTI, network int, raw []byte) []part {
	if t == 0x0810 {
		if k, err := codec.ParseWorkingKeys(raw); err == nil {
			var out []part
			for _, one := range []struct {
				name string
				key  codec.WrappedKey
			}{{"PIN key", k.PIN}, {"MAC key", k.MAC}, {"track key", k.Track}} {
				if one.key.Present() {
					out = append(out, part{one.name, fmt.Sprintf("%d bytes, check value %X", len(one.key.Cipher), one.key.Check)})
				}
			}
			return out
		}
	}
	if q, err := codec.ParseSequence62(raw); err == nil {
		return []part{{"network licence", q.Licence}, {"serial number", q.Serial}}
	}
	if network == codec.NetParameters || network == codec.NetStatus {
		if p, err := codec.ParseParameters62(raw); err == nil {
			var out []part
			for _, e := range p.List {
				out = append(out, part{fmt.Sprintf("parameter %02d", e.Tag), e.Value})
			}
			return out
		}
	}
	return nil
}

func private63(text string) []part {
	p, err := codec.ParsePrivate63(text)
	if err != nil || p.Issuer+p.UnionPay+p.Acquirer == "" {
		return nil
	}
	return []part{{"issuer says", p.Issuer}, {"UnionPay says", p.UnionPay}, {"acquirer says", p.Acquirer}}
}

func iso1987(de int, text string) []part {
	switch de {
	case 3:
		return processing(text)
	case 22:
		return entryMode(text)
	case 90:
		o, err := codec.ParseOriginal90(text)
		if err != nil {
			return nil
		}
		return []part{{"original type", o.MTI.String()}, {"original STAN", fmt.Sprintf("%06d", o.STAN)}, {"sent", o.Sent}, {"acquirer", o.Acquirer}}
	case 95:
		p, err := codec.ParseReplacement95(text)
		if err != nil {
			return nil
		}
		return []part{{"really delivered", fmt.Sprint(p.Transaction)}, {"really settled", fmt.Sprint(p.Settlement)}}
	}
	return nil
}

func iso1993(de int, text string) []part {
	switch de {
	case 3:
		return processing(text)
	case 56:
		o, err := codec.ParseOriginal56(text)
		if err != nil {
			return nil
		}
		return []part{{"original type", o.MTI.String()}, {"original STAN", fmt.Sprintf("%06d", o.STAN)}, {"local time", o.Local}}
	}
	return nil
}
