// Package isolink is the uplink to an ISO 8583 host of the UnionPay POS kind,
// over TCP or TLS: a queue.Uplink and queue.Preparer for one terminal, with one
// message under way at a time.
//
// # A session
//
// Prepare connects and signs in (0800) where that is needed. The sign-in brings
// the working keys, whose check values must be right, the host's batch number
// and its clock. They outlive the connection: a lost one is dialled anew without
// a sign-in. Signing in again is needed after DE 39 of 77, 99 or A0, after a
// processing request 3 in an answer's header, after EndBatch and after SignOff. A
// host that asks for it again and again is obeyed ever more slowly.
//
// # The connection
//
// A goroutine reads it as long as it lasts, so its end is seen at once. Where the
// host was not heard for Options.EchoAfter, Prepare asks for an echo (0820 301)
// before it trusts the line with money. After silence, a failed write, or
// anything that is no message, nothing more is sent on a connection; one that
// owes the answer to an entry is read for two minutes more, and what comes is
// kept for LateAnswers. A frame has ten seconds from its first byte to its last,
// and memory for Options.Framing.Max bytes; 64 messages in a row that nobody
// waits for end the connection.
//
// # What is sent
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
// package queue). There is no repeat mark in this dialect. Dates are written in
// Options.Zone, not in the zone of the device.
//
// What cannot be expressed in the dialect, a Report or an entry that lacks what
// its message must have, is queue.ErrUnsendable: trying again would never end.
//
// # What counts as an answer
//
// The type must be the request's with the response bit, whatever its repeat
// digit, and DE 11 the request's; anything else is skipped and the wait goes on.
// An answer to our message that names another terminal or merchant, or another
// processing code or amount, ends the wait with an *AnswerError, and so does one
// whose MAC is wrong; an approval must carry a MAC. In all these cases, as after
// silence or a broken connection, the entry is in doubt.
//
// DE 39 means, by the table of package codec:
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
// number is not the one that it brought: the host has left that batch.
//
// A refusal without a MAC is believed, as hosts send them so. Where the line is
// not private, use TLS: it keeps others from refusing in the host's name.
package isolink
