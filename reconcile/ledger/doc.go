// Package ledger is the receiving half: an idempotent ledger that a back office
// or a collector embeds. Devices deliver to it over HTTPS (package httplink) and
// compare themselves with it (package agree).
//
//	engine, err := ledger.OpenFile("office.ledger", keys, nil)
//	l, err := ledger.New(ctx, engine, signer, nil)
//	http.Handle("/", l.Handler())
//
// # What it promises
//
//   - (L1) What it answered is synced. A crash at any point leaves every answer
//     that a device heard; what was not answered is booked or not, and
//     submitting it again tells.
//   - (L2) An entry is booked once. It is known by the digest of its canonical
//     bytes, which hold its journal and sequence: the same content under the
//     same (journal, sequence) is the same entry, in whatever epoch, by whatever
//     request, batch or device it comes, and gets the first answer.
//   - (L3) Another content under a booked (journal, epoch, sequence), or another
//     entry under a ref that stands, is refused, set aside and told: Conflicts.
//   - (L4) A reversal is always taken, before its original, after it, or without
//     it. One that comes first is a tombstone: the original is then booked as
//     reversed and never counts.
//   - (L5) A newer epoch of a journal fences the older ones. What they had booked
//     stays, and repeats of it are answered; what is new from them is refused,
//     set aside and told.
//   - (L6) A journal belongs to the device that brought it first, and to those
//     that Hand names. No other device can write or read it. Attachments belong to
//     their device alone.
//   - (L7) What one device can make the ledger keep, and do a second, is bounded
//     (Limits). A reversal is never refused for a limit of entries or bytes.
//
// # What an entry leads to
//
//	entry               answer
//	sale, advice        approved
//	sale, request       what Options.Decide says; refused 40 without it
//	void                approved if the original counts, was not refunded and has
//	                    the same amount and lane; otherwise not found (12, 25)
//	refund              approved within what is left of a sale that counts; not
//	                    found (25), refused (12, 61)
//	reversal            approved; not found (12) if the original was voided or
//	                    refunded, or if what a void undid has no room any more
//	notice              approved
//	original after its  refused (21), booked as reversed
//	reversal
//
// A ref is given back by a reversed sale: one taken at the merchant's risk is
// presented anew under it.
//
// # Copies and forks
//
// A restored journal goes on under the next epoch, with the same entries up to
// its backup and others behind it. What both have is one entry (L2). A sequence
// that both used for different sales is two entries, and both stand: At returns
// them by epoch. Entries that another journal imported come under their own
// identity; the journal must have been handed to the device that brings them
// (Hand), unless that device is the first to bring it.
//
// # What it does not promise
//
// That a device tells the truth: a device can book what was never sold, under
// its own journals, within its limits. That a ledger restored from a backup is
// whole: devices find out what it lacks and tell it again (Retell), which shows
// in Booking.Retold. Receipts signed before such a restore claim more than it
// has: keep backups newer than the receipts that devices prune by. A file that is
// found damaged is replaced from a backup (RestoreFile), or by what is readable of
// it (SalvageFile); what is missing then the devices tell again likewise.
package ledger
