// Package host is the acquirer of the examples: a UnionPay-style POS host for
// one process, on a loopback port, with a ledger of its own on disk, that
// misbehaves on demand. The courier's day and the tests of the link are proven
// against it.
//
// # What it promises
//
// An answer leaves only after its booking is synced, so whatever a terminal saw
// answered 00 is in the ledger after a SIGKILL (unless Mischief.Forget dropped
// it on purpose). A message is known by its identity, which is terminal, batch
// number and STAN: the second arrival of an identity is answered 94 and booked
// nowhere. Its ledger shares no code with a terminal's journal: two independent
// accounts of the same day are what makes a comparison worth anything.
//
// With Config.TLS it takes terminals over TLS only, and lets their sessions be
// resumed by a handle of 16 bytes, which is what a thin line wants. Server.Ask has
// the headers of its answers ask a terminal for a sign-in, for the download of its
// parameters (0800, 60.3 of 360, and 361 at the end) or for its status (0820, 362).
//
// # What it is not
//
// A test host. The working keys lie readable in its ledger file (mode 0600),
// the batch upload is unauthenticated as the dialect has it, and the content of
// a message is remembered as an HMAC whose key lies in the same file. Card
// numbers are kept masked only, and neither they nor keys reach a log line.
//
// # Codes (DE 39) and when they are given
//
//	00  booked, reversed, signed in, details taken, batch closed in agreement
//	03  the merchant (DE 42) is not the terminal's
//	12  void of something voided, refunded or of another batch; refund of
//	    something voided or reversed; an original after its reversal; details or
//	    an end message without a settlement before them
//	13  the amount is zero
//	22  reversal of something whose batch is closed
//	25  the original is not here (for a reversal: a tombstone is kept)
//	30  a mandatory element is missing or cannot be understood
//	40  the function is not offered
//	64  the amount differs from the original's, or a detail from the booking
//	77  not signed in, or the batch number is not the current one
//	94  this identity is known already; in an upload: all details known and equal
//	95  end of batch: the ledgers still differ
//	97  the terminal (DE 41) is not known
//	A0  the MAC is wrong
package host
