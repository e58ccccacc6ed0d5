// Package httplink is the uplink to a host or a back office that speaks JSON over
// HTTPS: a queue.Uplink, queue.Preparer, queue.Windower and queue.LateAnswerer for
// one terminal. Package wire beside it has the messages and the rules that the
// host keeps, OpenAPI describes them, and package conformance checks a host.
//
// # The line
//
// Prepare asks the host for its line (GET /v1/line) where that is needed: its
// clock, its batch number if it has any, how much it takes at once, whether it
// reads our compression. Having no line therefore costs no attempt. HTTP/1.1 and
// HTTP/2 are spoken, through a proxy where one is named; TLS is 1.3 unless
// Options.TLS allows less; redirects are not followed.
//
// # What is sent
//
// An entry goes with all that its canonical digest is taken over, the host's batch
// number, what is known of its original, and the masked card number. Card data
// goes only by Options.Card, and only over TLS. Before anything is sent the message
// is held to the journal's own digest of the entry.
//
// Its Idempotency-Key is the beginning of that digest: the same at every attempt,
// after a restart, on a restored copy and on a device that imported the entry (I3,
// I10 of package queue). An attempt is one transmission: net/http may repeat a
// request only where provably nothing of it had left.
//
// What several Sends wait to send at the same time goes in one request, up to
// Options.Window entries, with one such request under way; nothing is waited for
// to fill it. A Request that a customer waits for goes alone and at once beside it.
// A batch that the host refuses as a whole, with nothing booked, goes in halves,
// so that one entry holds up no other.
//
// # What counts as an answer
//
// An answer must name the journal, host, merchant and terminal of the request and
// the key, sequence, STAN and amount of its entry. An answer for another is
// refused and reported (Suspect), and so are two answers for one entry; answers
// that nobody asked for are skipped (Stray).
//
//	200 with a verdict          what package queue says of it; conflict is Duplicate for a
//	                            request and Refused for all others
//	problem, nothing booked:
//	  malformed, key-missing, key-malformed, key-mismatch, too-large, media-type, fenced
//	                            Refused
//	  busy, maintenance, unauthorized, not-allowed, coding
//	                            Unavailable; a deferred request stays in doubt, and is reversed
//	                            and presented anew: it is not lost to a busy host
//	problem key-conflict        as the verdict conflict
//	problem in-progress         Unknown
//	anything else               in doubt: a status without a problem of ours (a gateway's, a
//	                            redirect), broken JSON, too much of it, silence
//	no connection, no token     ErrNotSent: before there is a connection nothing has left
//
// Unauthorized says nothing about an entry, so nothing is parked for a token that
// has run out, and a customer's request goes once more behind a Prepare, with what
// Options.Token then gives; Prepare fails until the device is let in.
//
// # Time
//
// A Retry-After, in seconds or as a date by the host's own clock, is kept to for
// the background: Prepare and Send fail with a *WaitError until then, without
// sending. The forwarder is told how long, adds up to a tenth, and remembers it
// over a restart. A customer's request is not held, nor a reversal that it has to
// wait for, unless the host could not be asked for its line either.
//
// When the wait for an answer has ended the request is read on for a minute, and
// what comes is handed over by LateAnswers; the next request goes over another
// connection.
//
// # Bounds
//
// Of what a host sends, 256 KiB of JSON, 32 KiB of header and 16 KiB of a refusal
// are read. What it sends unasked on an idle HTTP/1.1 connection net/http writes to
// the standard logger; TLS keeps others from doing so in its name.
package httplink
