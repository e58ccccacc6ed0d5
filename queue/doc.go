// Package queue is the durable journal of one device and the forwarder that
// takes it to the hosts: what was taken offline arrives, once; what was asked
// online has one outcome; and whatever a crash, a lost line or a silent host
// leaves open is known to be open.
//
//	q, err := queue.Open("till.journal", keys, nil)
//	e, err := q.Append(ctx, queue.Transaction{Ref: "order-1", Lane: lane, Op: queue.Sale,
//		Tender: queue.Cash, Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
//	go q.Forward(ctx, lane, uplink)
//
// # Life of an entry
//
// An entry is what Append, Do or Reverse journals. Its Kind says how it is
// delivered: a Request asks for a decision and is never repeated, but reversed
// when its outcome is unknown; an Advice tells of a decision already taken and
// is repeated, the same, until it is answered; a Reversal undoes a request and
// is repeated like an advice; a Notice moves no money and goes behind all that
// does.
//
//	state      from                        what happens next
//	pending    journalled, or proven       forwarded; a request waits for its Do, for
//	           unsent                      TakeOffline or for Reverse
//	in doubt   an attempt was begun        an advice is repeated, a request reversed
//	accepted   the host has it             final; a void or refund is an entry of its own
//	declined   the host refused            final
//	reversed   its reversal was answered   final
//	parked     refused in form, or no      a person: Unpark or Resolve
//	           answer after all tries
//	cancelled  withdrawn before any        final
//	           attempt
//
// # What an answer means
//
// An Uplink gives each answer a Verdict. Where two states stand, the first is
// for the first transmission (of a reversal: where an approval of its original
// was seen, or the host's batch is another), the second for a repeat (of a
// reversal: where neither is so). In doubt means that the entry is sent again,
// or, a request, reversed. The table is held to the code by a test.
//
//	answer       request   at risk   advice, notice    refund            reversal
//	unknown      in doubt  in doubt  in doubt          in doubt          in doubt
//	approved     accepted  accepted  accepted          accepted          accepted
//	partial      in doubt  in doubt  parked            parked            parked
//	duplicate    parked    parked    parked / accepted parked / accepted parked / accepted
//	unavailable  declined  in doubt  in doubt          in doubt          in doubt
//	not found    declined  declined  parked            declined          parked / accepted
//	refused      declined  declined  parked            declined          parked
//
// A request that the host has declined unseen, because it wants a sign-in first
// (Answer.SignIn), is asked once more by its Do, as an entry of its own.
//
// An error from an Uplink is silence, unless it wraps ErrNotSent. Silence, or
// a crash in the attempt, leaves the entry in doubt. A reversal whose answer
// does not come is parked, with its original, after Options.ReversalTries
// transmissions; nothing else is ever given up.
//
// # Invariants
//
//   - (I1) A nil error from Append means: synced to the disk. Do returns an
//     outcome only after that outcome is synced. All that reads shows synced
//     states only.
//   - (I2) An attempt is synced before its first byte leaves the device. A crash
//     therefore leaves in doubt, never "never sent".
//   - (I3) Ref, STAN, the host's batch number (bound at the first attempt),
//     amount, time and business fields never change between attempts. A reversal
//     takes its original's STAN and batch number, and its reason is frozen with
//     it.
//   - (I4) Order is the journal's sequence, dense and from 1. Clocks stamp; they
//     never order, expire or renumber.
//   - (I5) An answer is never overwritten. Final states absorb; once a reversal
//     is journalled a late approval of its original is evidence, not an answer.
//   - (I6) Every entry is in exactly one of our batches. No batch settles while
//     one of its entries is pending, in doubt or parked.
//   - (I7) After a failed commit nothing is accepted until the file was closed,
//     opened again and read, and has taken a commit: what failed is in doubt, for
//     a commit that reported an error can still be on the disk.
//   - (I8) Nothing is dropped: not after n attempts, not by age. Prune needs a
//     settled batch, and refs outlive it.
//   - (I9) In doubt is never shown as approved or declined.
//   - (I10) A restored journal is of another epoch: what was not final in it is
//     in doubt or parked, and a lane whose host numbers its batches sends nothing
//     new until the host shows a number that the copy has not seen, or a person
//     gives a STAN floor.
//
// # Lanes and order
//
// A Lane is one terminal of one merchant at one host. It has one series of
// STANs (1 to 999999, then 1 again; a number that an unsettled entry holds is
// skipped) and one series of batches. A lane sends its reversals first, then
// deferred requests, then advices, then notices; a Do goes before all that
// waits except reversals, which it sends first. It waits 5 s at most for the
// answer to an advice or a notice that is under way: that one is in doubt then,
// and repeated later. A refund waits for the answer to the sale that it refunds.
// Lanes do not wait for each other.
//
// # Batches
//
// Our batches are numbered from 1 in each lane; the host's number is bound to
// a batch at its first attempt. When an Uplink's Prepare tells another number,
// the host has gone on by itself: the open batch is closed, what was never
// attempted moves to the next one, what was attempted keeps its number.
// CloseBatch is the fence before a settlement: until SettleBatch the lane sends
// nothing of later batches, while new entries are journalled.
//
// A batch of a host that numbers its batches takes Options.BatchLimit records.
// At the limit requests are held back and what was never attempted waits:
// WaitFull tells it, and package reconcile has a Forward that settles there and
// goes on.
//
// # Pacing
//
// Nothing of this ever holds back Append or Do: it is about the background,
// Forward and Drain. Pace tells it for a screen.
//
//	after                       the background waits                  ended early by
//	a failure                   at random up to RetryMin, doubled by  a new entry, which goes
//	                            each further one up to RetryMax       alone; an answer to a
//	                                                                  Do; NetworkBack
//	failures for as long as     at random up to the interval that     a new entry, which goes
//	Options.Spread              the host publishes (Line.Spread,      alone; NetworkBack
//	                            else Options.Spread)
//	too many failures           before it repeats something, at       a new entry
//	(RepeatShare)               random up to RetryMax
//	a slot that the host names  until then, and up to a tenth more    nothing
//	(PauseError, Answer)
//	cut-over, maintenance       until its end, and up to a tenth      nothing
//	                            more; no failure is counted
//
// A sale at risk that was reversed is presented anew after a random time, which
// doubles each time from RetryMin to RetryMax or the spread, whichever is longer;
// nothing else waits for it.
//
// Failures, and when the lane may try again, are kept in the log: with what an
// attempt journals anyway, and in a commit of their own a few times in an outage
// where there was no line to attempt anything on. A restart does not begin at
// once then; a clock that jumps shortens a wait or leaves at most RetryMax of it.
//
// While a lane fails, one entry goes ahead to find out, whatever the window of
// its Uplink; with nothing to send it asks for a line at the same pace, so that
// the host's return is known. The first forward begins within 5 s of
// NetworkBack: package network calls it by the system's hints, or an app does.
// Rest gives the same pauses to what a program sends beside Forward.
//
// # Routes and outages
//
// The lines, networks or addresses of one host are routes of one lane: package
// routes makes one uplink, or one dialer, of them. Another host is another lane,
// and an entry that was attempted never leaves its own: it may be booked there.
//
//	entry                                        to another lane
//	sale, never attempted or proven unsent       Move, or by an OutagePlan
//	sale at risk, never attempted                Move, or by a plan that names it
//	what a Do waits for                          never: TakeOffline or Reverse it
//	attempted, in doubt, parked                  never
//	reversal, void, refund, notice               never
//	held by a Backup                             never: the copy may send it
//
// What moves keeps its ID and Ref, and gets a number and a batch of the lane
// that it goes to; Entry.Home names where it came from. The log keeps by what
// plan and why. Failover applies an OutagePlan while the Forward of both lanes
// runs.
//
// # What only a person or an app can say
//
// A chip may refuse after the host has approved: DoConfirm holds the approval,
// synced, until the app has said yes; anything else reverses it. A merchant may
// bear the risk of a card that the host has not seen: AppendAtRisk. Limits bound
// what is taken offline, each with an error that names limit and figure, and a
// warning at a half and at four fifths. A second tap of one card for one amount
// is asked about: DoubleTapError. What is parked names its reason in Status;
// Resolve and Unpark keep with the log who decided and why, and History tells it.
// What a host would no longer recognise as a repeat (Options.DuplicateMemory) is
// parked, not sent.
//
// # Clocks
//
// Each event carries the device's wall clock; a boot, and a jump of that clock
// against the time since boot, are events of their own, so that the log holds
// the evidence and a changed clock changes nothing else; History shows it. How
// long ago something was first sent is the largest that any clock shows, the
// host's among them, and what cannot be proven young is old. How long something
// has waited, or a host been silent, is told by the wall clock; where that went
// back behind it, it counts as for ever.
//
// # Canonical bytes
//
// Digests of an entry are taken over these bytes; integers are big-endian. They
// are final from the first attempt on: Move changes lane and STAN before it.
//
//	offset  size  field
//	0       4     "TSE1"
//	4       16    journal id
//	20      8     sequence (ID)
//	28      1     kind: 1 request 2 advice 3 reversal 4 notice
//	29      1     op: 1 sale 2 void 3 refund 4 report
//	30      1     tender: 0 none 1 card 2 qr 3 cash
//	31      1     reason of a reversal: 0 none 1 no answer 2 bad MAC 3 fault 4 other
//	32      4     STAN
//	36      8     amount in minor units
//	44      2     currency, ISO 4217 numeric
//	46      8     sequence of the original, 0 none
//	54      8     time, milliseconds since 1970-01-01 UTC
//	62      2     offset of the time's zone in minutes, two's complement
//	64      32    SHA-256 of the app's data
//	96      2+n   ref                 each text: length, then its bytes
//	        2+n   host, merchant, terminal of the lane
//	        2+n   approval, entry mode, operator, masked PAN
//
// # The file
//
// One bbolt file of mode 0600 and a lock file beside it. Every record is sealed
// with AES-256-GCM, bound to the journal, its keyspace and its key, or carries
// a digest where Options.Unsealed was chosen. The log of events is the truth,
// chained by a hash (an HMAC where there are keys); the keyspaces beside it
// follow from the log by one pure function, and Verify proves that they do.
//
// What goroutines journal at once joins one commit, and a commit writes one
// record of all that it changed: a payment costs one sync of a few pages,
// however many keyspaces it stands in. What is recent is kept in memory, too,
// up to 1 MiB, and goes to its keyspaces at a checkpoint, which is part of some
// commit. After a crash Open reads what was recent.
//
// Records are bound to the epoch, too. The file has a format number, 2 now: a
// newer one is refused and left as it is, an older one is migrated by Open.
//
// # Keeping, moving, forgetting
//
// A card's tracks are forgotten at the final answer, the rest of it when its
// batch has settled, and all but a stub of a settled batch's entries by Prune. A
// stub answers for its ref, keeps its number, its amount, its outcome and the
// digest of its canonical bytes. The bytes leave the file with the next Compact,
// which copies the journal into a fresh file while sales go on, seals every
// record anew under Keys.Current, and exchanges the files by a rename. To rotate
// a key: let Current name the new one, Compact, destroy the old one. Where
// entries were pruned Compact condenses the log as well: it then begins behind
// an anchor, the number and chain value of the last event dropped, with what
// every lane, batch and entry had become.
//
// Three ways lead to another device:
//
//	                 Backup, Restore          package rescue           copying the file
//	holds            the whole journal        what is not settled      the whole journal
//	read with        the journal's keys       the owner's private key  the journal's keys
//	becomes          the same journal, of     part of the other's      the same journal, of
//	                 the next epoch           journal                  the same epoch
//	first device     may go on                may go on                must not go on
//
// After the first two both devices may forward all they have: each entry has
// one effect at the host, for it goes out under one identity. An entry that the
// other device delivered first is answered as a duplicate: accepted where a
// repeat could be expected, otherwise parked.
//
// # What it does not promise
//
// That a host books each entry once is the host's work as much as ours: it has
// to recognise a repeated advice by its terminal, batch number and STAN, to keep
// a reversal that comes before its original, and to answer a reversal of
// something unknown.
//
// Two devices that sell under one terminal id are kept apart by their host, if
// by anyone: where it gives each sign-in a batch number of its own. A journal
// cannot tell that its file was copied behind its back. It notices another
// seller when its host answers Duplicate to a first transmission, and Import
// names lanes that both devices used (Imported.Shared); a restored copy draws
// its STANs far from those of the first device, which makes a meeting unlikely,
// not impossible.
package queue
