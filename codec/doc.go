// Package codec reads and writes ISO 8583 card messages: dialects as text
// tables, messages, framing, message authentication codes and response codes.
// It knows no journal and no network.
//
// # Decode and build
//
// A [Spec] is a dialect. [UnionPay] is that of UnionPay's direct-connect
// terminals, others are [ISO1987ASCII], [ISO1987BCD], [ISO1993ASCII],
// [ISO1993Binary] and [ISO2003ASCII]; [Spec.With] changes lines of one,
// [ParseSpec] reads one's own. A Spec never changes and serves all goroutines.
//
//	m, err := codec.UnionPay().Decode(body)    // strict: Append gives body again
//	stan, ok := m.Text(11)
//	what := codec.UnionPayCode(code)           // class, next step, 中文, English
//
//	m := codec.NewMessage(codec.UnionPay(), 0x0200)
//	err := m.Set(4, "000000012300")            // the field's own characters, checked
//	err = m.SetValue(60, codec.Private60{Type: codec.TypeSale, Batch: 7})
//	body, err := codec.UnionPay().AppendMAC(nil, m, mac)
//
// # Strict
//
// What Decode accepts, Append writes as the same bytes. Content is checked by
// its class, digit for digit. Refused are bytes behind the last field, lengths
// that are too large, signed or not of digits, nibbles that are none, fields
// that the dialect does not define, and tertiary bitmaps. Nibbles that only
// fill up are kept as they came if the dialect tolerates them.
//
// Decode takes at most 20 times the memory of its input and 8 KiB, ParseTLV at
// most 32 times, and a message has at most 65535 bytes. [Framing.Read] takes
// what the length in front announces, up to [Framing].Max, before the bytes
// come. Tables and moov JSON, at most 1 MiB of text, are files of one's own and
// may take 70 times their size while they are read.
//
// Errors are of type [*FieldError], [*FrameError], [*SpecError] or [*MoovError]
// and say where: field, offset, line, column. They wrap the sentinels of this
// package, and never hold content.
//
// # Masked
//
// A [Message] shows itself masked, whatever prints it: each verb of fmt, slog,
// JSON, alone or within other values. Card numbers are shown with their first 6
// and last 4 digits, tracks, PIN blocks, chip data, keys and balances not at
// all; so are fields that the standard leaves to the acquirer, unless their
// dialect says !show. [Message.Text] and [Message.Bytes] give the content
// itself. [PAN], [TLV] and [Tagged59] keep to the same, keys show nothing,
// wrapped keys their check value.
//
// # The table of a dialect
//
// Read beside the acquirer's document, a line is a row of its field table:
//
//	22  n3        fixed,left   point of service entry mode
//	35  z..37     LLVAR        track 2                       !hide
//
// [ParseSpec] lists directives and settings. What hosts do differently has its
// place there:
//
//	length before the message, TPDU, header    frame binary tpdu header
//	how lengths, numbers, text, bytes travel   length, digits, text, bytes
//	filler nibble, side of an odd digit        filler, accept, odd; field by field
//	largest content, BCD or text in DE 48      a line of its own for the field
//	algorithm and form of the MAC              mac ecb, mac x9.9 hex, mac x9.19 pad80
//	which messages carry one                   signed 0100 0200 …
//	layout of working keys                     by length, ParseWorkingKeys; SplitKeys
//	kind of working keys asked for             Private60.Network
//
// # Frames
//
//	+--------+--------+----------+--------------------------+
//	| length | TPDU   | header   | body                     |
//	| 2 or 4 | 5      | 6        | message type to last     |
//	+--------+--------+----------+--------------------------+
//
// The length counts what follows it. [Framing] says which parts there are; its
// zero value is UnionPay's way. The MAC covers the body up to itself.
//
// # Other libraries
//
// [Carrier] is what a host link asks of a message; the message type of
// moov-io/iso8583 satisfies it as it is. [ParseMoovJSON] and [Spec.MoovJSON]
// read and write that library's JSON of a dialect.
//
// # Speed
//
// This prints how many times longer it takes to set and encode, or to decode and
// read, a sale of 16 fields than straight lines of code take, which have neither
// table nor checks and do not allocate:
//
//	go test -run '^$' -bench Sale ./codec
//
// On one core of a server of 2.1 GHz:
//
//	                       ASCII           BCD
//	encode, memory reused  2.6 (265 ns)    2.6 (145 ns)   no allocation
//	decode, memory reused  1.7 (290 ns)    2.7 (125 ns)   no allocation
//	encode, new message    3.6 to 4.5      3.7 to 4.4     two allocations
//	decode, new message    2.0 to 2.3      3.6 to 4.5     one allocation
//
// A new message is one piece of memory of about a kilobyte; to get and to clear
// it takes longer than all of the straight lines in BCD, so no new message is
// within three times their time. Where that counts, use messages again, by
// [Message.Reset] and [Spec.DecodeInto].
package codec
