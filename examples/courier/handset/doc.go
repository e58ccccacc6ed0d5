// Package handset is a courier's handset as a process of its own: a journal, a
// line to the acquirer for cards and payment codes, a line to the depot for
// cash, and commands a line each on standard input, which a program or a person
// can give.
//
//	card REF AMOUNT          a card, online; without a line offline, as its chip approves
//	qr REF AMOUNT            a payment code, online only
//	cash REF AMOUNT          cash: journalled at once, delivered when there is a line
//	void REF OF              undoes the accepted sale OF of the current batch
//	refund REF OF AMOUNT     gives back AMOUNT of the accepted sale OF
//	show REF                 what is known of REF now
//	offline, online          into the tunnel, out of it
//	status                   what waits, what is delivered
//	settle                   agrees with both hosts and closes their batches
//	help, quit
//
// Amounts are yuan with up to two decimals. A REF is the caller's name of one
// attempt at being paid, 1 to 40 letters, digits, hyphens and slashes: giving the same
// command again, after a crash say, never takes the money twice, but tells what
// became of the first.
//
// Every answer is one line of key=value pairs, written after what it says is
// synced to the disk. Lines that begin with "event" tell of what happens beside
// the commands: transitions of a terminal's session, a change between the
// primary line and -backup, early warnings with a sentence for the courier. The journal is sealed with a key that stands in a file of its
// own beside it, readable by its owner only; a real app takes that key from the
// platform's key store instead.
package handset
