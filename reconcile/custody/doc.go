// Package custody keeps what a courier has in hand: parcels that are to be paid
// for on delivery, and the cash that was taken for them until the depot has it.
//
//	b, err := custody.New(q, custody.Options{Depot: cashLane, Claims: client})
//	p, err := b.Take(ctx, "SF100200300", queue.Money{Minor: 12800, Currency: queue.CNY}) // at the depot
//	p, err = b.Collect(ctx, "SF100200300", payment, nil)                                  // at the door
//	h, err := b.Prepare(ctx, batch)                                                       // at the depot again
//	_, err = b.SignOff(ctx, h, courier, clerk)
//
// All of it is in the journal, and nowhere else: a payment is a sale under a ref
// made of its waybill, and what moves no money, like a refusal, is a notice in
// the lane towards the depot, to whose host it is delivered. Refs that begin with
// "cod/" are this package's.
//
// # A parcel
//
//	state        how it comes about                           what can follow
//	open         taken out of the depot, nothing is paid      Collect, Refuse, Return
//	partly paid  a part is paid, by one or several payments   Collect; Return once that is given back
//	collected    what was due is paid                         nothing; a refund or void opens it again
//	refused      the recipient did not take it                Return
//	returned     the depot has it back                        Take, on another day: a new round
//	overpaid     more was paid than was due                   a refund or void
//
// A payment counts from the moment that it is taken: at once offline and in cash,
// online with the host's approval. A request in doubt does not count: it is
// being reversed, and the customer pays otherwise. Where a person finds out later
// that the host had it after all, the parcel is overpaid, and says so.
//
// # Collected once
//
// On one device a waybill has one payment under way at a time, and what is paid
// cannot be collected again: the ref of each payment follows from the waybill, so
// that the journal refuses a second one, after a crash as well.
//
// Other devices are told apart by Claims, which the client of package ledger
// is: a waybill belongs to the device that claimed it first. It is claimed when
// the parcel is taken out, where there is a network, and otherwise at each
// payment. Without any network nothing can know what another device does: the
// payment is taken, Parcel.Claimed is false, and the two payments meet when they
// are uploaded. The ledger books both, for both customers have paid, and lists
// the waybill as a conflict; Recheck tells both, and who has claimed it learns
// before collecting it that another one was paid.
package custody
