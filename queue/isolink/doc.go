// Package isolink is the uplink to an ISO 8583 host over TCP or TLS, for one
// terminal: a queue.Uplink, Preparer, Windower and LateAnswerer, and what package
// reconcile settles with. Its first style is that of UnionPay's direct-connect
// terminals; ISO 8583:1987 and 1993 are the others.
//
// # A session
//
// Prepare connects and signs in (0800) where that is needed. The sign-in brings
// the working keys, whose check values must be right, the host's batch number
// and its clock. They outlive the connection: a lost one is dialled anew without
// a sign-in. Signing in again is needed after DE 39 of 77, 99 or A0, after a
// processing request 3 in an answer's header, after EndBatch and after SignOff; it
// waits for what is under way first, for a half of its time. A customer's request
// that met such a code goes once more behind it, as an entry of its own (see
// queue.Queue.Do). A host that asks for it again and again, or refuses it, is asked ever more slowly. Each transition is
// an Event; sales go on offline meanwhile.
//
// One try to connect or to sign in has Options.TryTimeout, all of them have
// Options.LineTimeout: that there is no line is known after 5 s at the latest, and
// a Reason says why. A try is repeated after a random pause where the host was
// silent or the connection broke. An entry's answer is waited for much longer, as
// its issuer may be slow.
//
// SignInDaily signs in of its own accord once a day, at a moment that terminal and
// date choose, in hours that have not been slow: see NextSignIn.
//
// # What the host asks for
//
// An answer's header may ask the terminal to download its parameters (1: 0800
// with 60.3 of 360, then 361) or to upload its status (2: 0820, 362). That is done
// before the next entry, in two seconds at most, and once: again only when the
// host has stopped asking in between and a minute has passed, and after three
// tries that failed not at all. What fails does not stop a payment. Parameters are
// kept in Options.Memory, and followed: see Parameters. Other wishes are told as
// events.
//
// # The connection
//
// A goroutine reads it as long as it lasts, so its end is seen at once. Where the
// host was not heard for Options.EchoAfter, Prepare asks for an echo (0820 301)
// before it trusts the line with money. After silence, a failed write, or
// anything that is no message, nothing more is sent on a connection; what it owes
// is read for two minutes more and kept for LateAnswers. A frame has ten seconds
// from its first byte to its last, and memory for Options.Framing.Max bytes; 64
// messages in a row that nobody waits for end the connection.
//
// With a window of more than one, answers find their entries by message type,
// without its repeat digit, and trace number, in any order. What is wrong with an
// answer, or that it does not come, is its entry's trouble alone: the connection
// stays in use while others are answered on it, and a message that cannot be read
// retires it without ending the others' wait.
//
// A line that is slow or paid by the byte has ThinTLS.
//
// # What is sent, UnionPay
//
//	sale       0200 60.1=22  DE 3 4 11 22 25 41 42 49 60 64, and of 2 14 23 26 35 36 52 53 55 59 what there is;
//	                         DE 2 not of a stripe, whose track 2 has it
//	void       0200 60.1=23  as a sale without 55 59, with 37 38 61
//	sale told  0220 60.1=30  DE 2 3 4 11 14 22 23 25 38 41 42 49 55 60 61 63 64; cash: DE 22 "000", no card
//	refund     0220 60.1=25  as a void, with 63
//	reversal   0400          DE 2 3 4 11 14 22 23 25 39 41 42 49 55 60 64, for a void also 61
//
// Every field comes from the entry and the Options alone, so two attempts of an
// entry are the same bytes but for the MAC, whose key a sign-in changes (I3 of
// package queue), and for the repeat digit of ISO 8583; UnionPay has none. Dates
// are written in Options.Zone, not in the zone of the device.
//
// A settlement is 0500, then 0320: what was told by an advice and refunds with the
// fields of their own message, other sales in groups of one (60.3=201), and the end
// (202, 207). The certificates of chip sales (203 to 206) are not uploaded: they come
// from the card's last answer, which the journal does not keep. An acquirer that
// demands them of each chip sale cannot be settled with by this package alone.
//
// What cannot be expressed in the dialect, a Report or an entry that lacks what
// its message must have, is queue.ErrUnsendable: trying again would never end.
//
// # What is sent, ISO 8583:1987 and 1993
//
//	              1987                         1993
//	sign-on       0800 DE 70=001               1804 DE 24=801          sign-off 002, 802; echo 301, 831
//	sale          0200 DE 3=000000             1200 DE 24=200
//	void          0200 DE 3=020000, 37 38 90   1200, 56
//	sale told     0220 DE 3=000000, 38         1220
//	refund        0220 DE 3=200000, 37 38 90   1220, 56
//	reversal      0420 DE 39 90                1420 DE 24=400, 25 56
//	totals        0500 or 0520, DE 50 71     1500 or 1520, DE 24=500 28 29 50
//	              74-77 86-89 97             74-77 86-89 97
//
// All have DE 7 (UTC), 11, 12 (and 13), 32 41 42; transactions also 4 22 49 and of
// 2 14 23 35 36 52 55 what there is. Times are the entry's own, also in its
// reversal. A repeat of an advice or a reversal bears the repeat digit. The sign-in
// brings no keys: Options.MAC has one that both sides know, or TLS alone
// protects. Such a host has no batch numbers.
//
// Totals name our batch by the last digits of its number, in DE 71 or DE 29, and
// 1993 by the date of its end in DE 28: what a host agreed to once it must agree
// to again when it is told anew. Totals are told by currency, a sale being a debit; the net amount (DE 97) is D
// where debits exceed credits. What was reversed counts on neither side. What the
// host says is DE 66 (1987) or DE 39 (500, 501 and so on), and figures that it
// repeats must be those it was told. Details are advices under the entry's own
// trace number and time; then the totals are told again, in place of an end
// message (EndTotals).
//
// # What counts as an answer
//
// The type must be the request's with the response bit, whatever its repeat
// digit, and DE 11 the request's; anything else is skipped and the wait goes on,
// but told as Suspect where it names another terminal or merchant.
// An answer to our message that names another terminal or merchant, or another
// processing code or amount, ends the wait with an *AnswerError, and so does one
// whose MAC is wrong; an approval must carry a MAC, of the key of its request or of
// a sign-in since. In all these cases, as after silence or a broken connection, the
// entry is in doubt.
//
// DE 39 means, by the table of package codec, for UnionPay:
//
//	00 11 16 A2 A4 A5 A6            Approved
//	10                              Partial, DE 4 being the approved amount
//	94                              Duplicate
//	09 68 98                        Unknown
//	06 90 91 92 96, 77 99 A0        Unavailable
//	12 25                           NotFound
//	all others                      Refused
//
// 97 (terminal unknown) is among the refused: no repetition can help, a person
// must have the terminal registered, and a parked advice says so loudly. 77 is
// Refused too when the MAC proves that our sign-in holds and the entry's batch
// number is not the one that it brought: the host has left that batch. 90, the
// change to the host's next day, is a planned pause (queue.Answer.Planned).
//
// A refusal without a MAC is believed, as hosts send them so. Where the line is
// not private, use TLS: it keeps others from refusing in the host's name.
package isolink
