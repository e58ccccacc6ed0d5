package codec_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/tallystick/tallystick/codec"
)

func ExamplePAN() {
	pan, err := codec.NewPAN("6221558812340000")
	fmt.Printf("%v %s %+v %v\n", pan, pan, struct{ Card codec.PAN }{pan}, err)
	fmt.Println(len(pan.Reveal()))
	// Output:
	// 622155******0000 622155******0000 {Card:622155******0000} <nil>
	// 16
}

func ExampleNewPAN() {
	_, err := codec.NewPAN("4111 1111 1111 1111")
	fmt.Println(err)
	// Output: iso8583: DE 2: a character is not allowed by the field's class (a card number has 1 to 20 digits)
}

func ExampleMaskPAN() {
	fmt.Println(codec.MaskPAN("6221558812340000"), codec.MaskPAN("not a card"))
	// Output: 622155******0000 ***
}

func ExampleForeignOrg() {
	fmt.Println(codec.ForeignOrg(codec.OrgVisa), codec.ForeignOrg(codec.OrgUnknown))
	// Output: true false
}

// A value writes a field's content; the message takes it with SetValue.
func ExampleValue() {
	m := codec.NewMessage(codec.UnionPay(), 0x0220)
	for de, v := range map[int]codec.Value{
		3:  codec.Processing3{Type: codec.ProcReturn},
		22: codec.EntryMode22{Mode: codec.EntryManual, PIN: codec.PINNone},
		60: codec.Private60{Type: codec.TypeRefund, Batch: 7},
		61: codec.Original61{Batch: 3, STAN: 42, Date: "1122"},
	} {
		if err := m.SetValue(de, v); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(m)
	// Output: 0220 3="200000" 22="012" 60="25000007000" 61="0000030000421122"
}

func ExampleParseProcessing3() {
	fmt.Println(codec.ParseProcessing3("310000"))
	// Output: {31 0 0} <nil>
}

func ExampleParseEntryMode22() {
	e, _ := codec.ParseEntryMode22("071")
	fmt.Println(e.Mode == codec.EntryContactless, e.PIN == codec.PINEntered)
	// Output: true true
}

func ExampleParseTotals48() {
	t, err := codec.ParseTotals48("00000000000700700000000000000010000000000000000000000000000000")
	fmt.Printf("%+v %v\n", t.Inland, err)
	// Output: {DebitAmount:7 DebitCount:7 CreditAmount:0 CreditCount:0 Verdict:1} <nil>
}

func ExampleTotals48() {
	b, err := codec.Totals48{Inland: codec.GroupTotals{DebitAmount: 1200, DebitCount: 1}}.Append(nil)
	fmt.Println(string(b), err)
	// Output: 00000000120000100000000000000000000000000000000000000000000000 <nil>
}

func ExampleDetails48() {
	pan, _ := codec.NewPAN("6221558812340000")
	b, _ := codec.Details48{{STAN: 7, PAN: pan, Amount: 1200}}.Append(nil)
	list, err := codec.ParseDetails48(string(b))
	fmt.Println(len(b), list, err)
	// Output: 42 [{false 7 622155******0000 1200}] <nil>
}

func ExampleParseDetails48() {
	_, err := codec.ParseDetails48("02" + "0000000700006221558812340000000000001200")
	fmt.Println(err)
	// Output: iso8583: DE 48 card type: ends too early at offset 42
}

func ExampleParseUploadCount48() {
	n, err := codec.ParseUploadCount48("0042")
	fmt.Println(n, err)
	// Output: 42 <nil>
}

func ExampleParseAmounts54() {
	list, err := codec.ParseAmounts54("0002156C000000012345")
	fmt.Println(list[0].Amount, list[0].Currency, err)
	// Output: 12345 156 <nil>
}

func ExampleParseTLV() {
	list, err := codec.ParseTLV([]byte{0x9F, 0x36, 2, 3, 0x1E, 0x91, 1, 0xFF})
	counter, _ := list.Get(0x9F36)
	fmt.Println(list, counter, err)
	_, err = codec.ParseTLV([]byte{0x9F, 0x36, 20, 3})
	fmt.Println(err)
	// Output:
	// 9F36[2] 91[1] [3 30] <nil>
	// iso8583: DE 55 9F36: ends too early (has 1, needs 20 bytes) at offset 0
}

func ExampleNewTLV() {
	b, err := codec.TLVs{codec.NewTLV(0x95, []byte{0, 0, 0, 8, 0}), codec.NewTLV(0x9F1E, []byte("22003600"))}.Append(nil)
	fmt.Printf("%X %v\n", b, err)
	// Output: 950500000008009F1E083232303033363030 <nil>
}

func ExampleTag() {
	fmt.Println(codec.Tag(0x9F26), codec.Tag(0x70).Constructed())
	// Output: 9F26 true
}

func ExampleParsePrivate59() {
	list, err := codec.ParsePrivate59("A30196211111111111111111")
	code, _ := list.Get(codec.TagPayCode)
	fmt.Println(list, len(code), err)
	// Output: [A3[19]] 19 <nil>
}

func ExampleNewTagged59() {
	b, err := codec.Private59{codec.NewTagged59(codec.TagVoucher, "58210526789789570802")}.Append(nil)
	fmt.Println(string(b), err)
	// Output: A402058210526789789570802 <nil>
}

func ExampleParsePrivate60() {
	p, err := codec.ParsePrivate60("2200660300060")
	fmt.Println(p.Type == codec.TypeSale, p.Batch, p.Network, p.Capability, err)
	// Output: true 6603 0 6 <nil>
}

func ExampleParseOriginal61() {
	fmt.Println(codec.ParseOriginal61("0000030000421122"))
	// Output: {3 42 1122 0  16} <nil>
}

func ExampleParsePrivate63() {
	p, err := codec.ParsePrivate63("CUP余额不足            请换卡")
	fmt.Printf("%q %q %q %v\n", p.Code, p.Issuer, p.UnionPay, err)
	// Output: "CUP" "余额不足            " "请换卡" <nil>
}

func ExampleParseSequence62() {
	fmt.Println(codec.ParseSequence62([]byte("Sequence No12306022003600")))
	// Output: {3060 22003600} <nil>
}

func ExampleParseParameters62() {
	p, err := codec.ParseParameters62([]byte("1260" + "233"))
	fmt.Println(p.List, err)
	// Output: [{12 60} {23 3}] <nil>
}

func ExampleParameter() {
	b, err := codec.Parameters62{List: []codec.Parameter{{Tag: codec.ParamTimeout, Value: "60"}}}.Append(nil)
	fmt.Println(string(b), err)
	// Output: 1260 <nil>
}

func ExampleParseChipDetail62() {
	c, err := codec.ParseChipDetail62([]byte("610000000000001200156"))
	fmt.Printf("%+v %v\n", c, err)
	// Output: {Usage:61 Foreign:false State:0 Amount:1200 Currency:156} <nil>
}

func ExampleParseOriginal90() {
	o, err := codec.ParseOriginal90("020000331609080645190000000020000000000000")
	fmt.Println(o.MTI, o.STAN, o.Sent, o.Acquirer, err)
	// Output: 0200 3316 0908064519 200 <nil>
}

func ExampleParseReplacement95() {
	fmt.Println(codec.ParseReplacement95("000000001000000000002000D00000003C00000004"))
	// Output: {1000 2000 3 -4} <nil>
}

func ExampleParsePointOfService22() {
	p, err := codec.ParsePointOfService22("51010151134C")
	fmt.Println(string(p.InputMode), err)
	// Output: 5 <nil>
}

func ExampleParseFunction24() {
	f, err := codec.ParseFunction24("400")
	fmt.Println(f == codec.FuncFullReversal, err)
	// Output: true <nil>
}

func ExampleParseReason25() {
	n, err := codec.ParseReason25("4021")
	fmt.Println(n == codec.ReasonNoAnswerTime, err)
	// Output: true <nil>
}

func ExampleParseOriginal56() {
	o, err := codec.ParseOriginal56("1200000001261122030000" + "0312300"[:5])
	fmt.Println(o.MTI, o.STAN, o.Local, o.Acquirer, err)
	// Output: 1200 1 261122030000 123 <nil>
}

// Sign the message, and check the signature on the other side.
func ExampleVerifyMAC() {
	s := codec.UnionPay()
	mac, err := codec.NewECBMAC([]byte("mac key!"))
	if err != nil {
		log.Fatal(err)
	}
	m := codec.NewMessage(s, 0x0210)
	_ = m.Set(39, "00")
	raw, _ := s.AppendMAC(nil, m, mac)

	back, _ := s.Decode(raw)
	fmt.Println(codec.VerifyMAC(raw, back, mac))
	other, _ := codec.NewECBMAC([]byte("another!"))
	fmt.Println(errors.Is(codec.VerifyMAC(raw, back, other), codec.ErrBadMAC))
	// Output:
	// <nil>
	// true
}

// pinPad stands for a device that keeps its keys.
type pinPad struct{ slot int }

func (p pinPad) Sum(mab []byte) ([8]byte, error) {
	return [8]byte{}, fmt.Errorf("PIN pad: no answer from key slot %d", p.slot)
}

// A PED or an HSM makes the MAC; its keys stay within.
func ExampleMAC() {
	s := codec.UnionPay()
	_, err := s.AppendMAC(nil, codec.NewMessage(s, 0x0200), pinPad{1})
	fmt.Println(err)
	// Output: PIN pad: no answer from key slot 1
}

func ExampleNewECBMAC() {
	mac, _ := codec.NewECBMAC([]byte{0xDA, 0xB3, 0x61, 0x67, 0xE6, 0xDF, 0xB5, 0xEF})
	sum, err := mac.Sum([]byte{0x86, 0x69, 0x01, 0x27, 0x22, 0xF2, 0x17, 0xC6})
	fmt.Printf("%s %v\n", sum, err)
	// Output: E5805ECB <nil>
}

func ExampleNewX99MAC() {
	mac, _ := codec.NewX99MAC([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF}, codec.MACOptions{})
	sum, err := mac.Sum([]byte("7654321 Now is the time for "))
	fmt.Printf("%X %v\n", sum, err)
	// Output: F1D30F6849312CA4 <nil>
}

func ExampleNewX919MAC() {
	_, err := codec.NewX919MAC([]byte("too short"), codec.MACOptions{Pad80: true, Form: codec.MACHex})
	fmt.Println(err)
	// Output: iso8583: key: key has a size that the algorithm does not take (9 bytes)
}

// The host wraps working keys for a sign-in's answer; the terminal loads them.
func ExampleParseWorkingKeys() {
	master, _ := codec.NewMasterKey([]byte("terminal's key!!"))
	pin, _ := master.Wrap([]byte("a new PIN key!!!"))
	mac, _ := master.Wrap([]byte("MAC key!"))
	block, _ := codec.WorkingKeys{PIN: pin, MAC: mac}.Append(nil)
	fmt.Println(len(block), "bytes")

	keys, err := codec.ParseWorkingKeys(block)
	if err != nil {
		log.Fatal(err)
	}
	_, err = master.LoadMAC(keys.MAC)
	fmt.Println("loaded:", err)
	keys.MAC.Check[0] ^= 1
	_, err = master.LoadMAC(keys.MAC)
	fmt.Println(err)
	// Output:
	// 40 bytes
	// loaded: <nil>
	// iso8583: DE 62 key: key check value does not match
}

func ExampleNewMasterKey() {
	master, _ := codec.NewMasterKey([]byte("terminal's key!!"))
	s, _ := codec.UnionPay().With("mac x9.9")
	var loader codec.KeyLoader = master.For(s.NewMAC)
	wrapped, _ := master.Wrap([]byte("MAC key!"))
	_, err := loader.LoadMAC(wrapped)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWrappedKey() {
	fmt.Println(codec.WrappedKey{}.Present())
	// Output: false
}

func ExampleSplitKeys() {
	keys, err := codec.SplitKeys(make([]byte, 56), 16, 16, 12)
	fmt.Println(len(keys), err)
	// Output: 3 <nil>
}

func ExampleKeyCheck() {
	check, err := codec.KeyCheck([]byte{0xAB, 0x7C, 0x57, 0x7C, 0xC7, 0xA1, 0x80, 0x45})
	fmt.Printf("%X %v\n", check, err)
	// Output: CFF1592A <nil>
}
