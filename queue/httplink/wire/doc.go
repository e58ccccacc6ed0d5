// Package wire holds the messages of the HTTPS link: what a device and a host
// that has no ISO 8583 say to each other in JSON over HTTP. Both ends use it, the
// link (package httplink) and whatever answers it.
//
// # Requests
//
//	GET  {base}/v1/line?host=…&merchant=…&terminal=…   a Line: clock, limits, codings
//	POST {base}/v1/entries                             a Submission, answered by Answers
//
// A Submission is one entry or up to MaxEntries of one journal and one lane. It
// is answered with 200 and an Answer for each entry, in any order, whatever the
// answers say: that a sale is declined is no error of HTTP. What is wrong with
// the request as a whole is answered with a Problem (RFC 9457).
//
// # Identity
//
// An entry's Key is the first 16 bytes of its canonical digest, as package queue
// lays it down: it is the same at each attempt, on a restored copy of the journal,
// and on a device that imported the entry. The epoch is no part of it, for a copy
// goes on with what the first device had under the same identity; two devices
// that went on from one copy have different entries under one sequence number,
// with different keys. A host books a key once.
//
// The Idempotency-Key of a request is a structured-field string (RFC 9651): the
// entry's key where there is one entry, which then has no "key" member, else
// BatchKey of the keys that the members have. A host
//
//   - answers 400 where it is missing (ProblemKeyMissing) or no such string
//     (ProblemKeyMalformed);
//   - answers 422 where it is not that of the body (ProblemKeyMismatch), or where
//     it has booked the key with another Fingerprint (ProblemKeyConflict; in a
//     batch the verdict Conflict);
//   - answers 409 while the same key is being booked by another request
//     (ProblemInProgress; in a batch the verdict Unknown);
//   - answers a key that it has booked with the first answer, whoever sends it,
//     alone or in a batch, for as long as it keeps the entry. Verdicts that book
//     nothing and decide nothing, Unavailable and Unknown, are not kept: the next
//     attempt is decided anew.
//
// A reversal that comes before its original is kept, and the original then
// refused. An entry, its reversal and its void are told apart by their own keys
// and find each other by journal, Original and, should two devices have gone on
// from one copy, STAN.
//
// A ref is used again by a reversed sale that was presented anew under another
// key; apart from that the app never uses it twice.
//
// # What a status means to the device
//
// Only a Problem of a type that this package names says that nothing was booked.
// Any other status, a gateway's 502 or 503 too, leaves the entry in doubt. A
// Retry-After is honoured with either.
//
// # Compression
//
// A body may come, either way, as raw deflate (RFC 1951) with the preset
// dictionary of this package: Content-Encoding then is Coding, which carries the
// dictionary's version. A host names the coding and DictionarySHA256 in its Line;
// without that it is sent plain JSON.
//
// # Strictness
//
// Decoders refuse unknown members (but of a Problem, as its RFC asks), members
// that stand twice, explicit nulls, empty strings, numbers that are not plain
// non-negative integers, text that is not valid UTF-8, and bytes behind the end.
// All sizes are bounded before memory is taken. Errors name the place and never
// hold a value.
package wire
