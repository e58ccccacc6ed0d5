// Package agree is the protocol by which a device and a host find out in what
// they differ, cheapest first, without telling each other all they have.
//
// Each side keeps a Half: by sequence, what stands there. An entry stands on
// the device when it is accepted, on the host when it is booked as accepted and
// not reversed since. What was declined, cancelled, reversed, or is not decided
// yet stands nowhere; the entry of an accepted reversal stands, and so do a
// void and the entry that it voids. So the halves are equal when, and only when,
// both sides hold the same payments, reversals and notices for good.
//
// A Leaf is the digest of the entry's canonical bytes, cut to 16 bytes; a host
// that has several entries at a sequence has a leaf of its own for that.
//
// # The way to the differences
//
// The device asks, the host answers, and keeps nothing between two messages.
// Numbers are the device's to check: what a host claims ends as a difference
// only when a root agrees with it.
//
//  1. The root. The device sends the Merkle root over its sequences 1..N. Equal
//     roots end it, after some 43 bytes both ways. A host that differs answers
//     with its own root, the highest sequence that it has seen (its watermark)
//     and the ranges below N that it has never seen. If the device's tree
//     without those has the host's root, they are all that differs.
//  2. The sketch. Otherwise the device asks for a sketch of what stands at the
//     host and takes its own from it. What is left is a sketch of the
//     differences, out of which they come when it has enough cells. Its key
//     comes from nonces of both sides, so that nobody can make entries that
//     hide in it. What comes out counts when it turns the device's keyed root
//     into the host's.
//  3. The tree. When a sketch of 32768 cells does not do, or a host gives none,
//     the device walks the 16-ary tree from the top into what differs.
//
// # The tree
//
// Nodes have 16 children; a leaf's place is its sequence, in 12 digits of 4
// bits. A node is the first 16 bytes of SHA-256 over its level, one byte, 1 over
// leaves and 12 at the root, and its children; over nothing but zeros it is
// zero.
//
// # The sketch
//
// A value v of a leaf is AES-128 over the leaf, the sequence added to its last 8
// bytes by exclusive or: the first 61 bits, modulo 2^61-1, but 1 for 0. A cell
// is two sums in that field, 16 bytes. The keys are the two halves of SHA-256
// over "tallystick sketch 1", the device's nonce and the host's; the second one
// gives each sequence, as a block of 16 bytes, the seed of its walk.
//
//	by power  cell i is (Σ s^2i·v, Σ s^(2i+1)·v); as many cells as differences
//	          suffice. Up to 64 cells.
//	spread    cell i is (Σ v, Σ s·v) over the sequences whose walk meets it:
//	          cell 0, then each cell i with the probability 1/(1+i/2). Some 1.4
//	          cells for each of a thousand differences. Up to 32768 cells.
//
// How many cells come first follows from 32 counters of one byte, each the sum
// of 1 or -1 for every standing leaf, by the bits of AES-128 of the leaf bound
// as above, under the first half of SHA-256 over "tallystick estimate 1" and the
// device's nonce. The keyed root is the first 16 bytes of SHA-256 over sequence
// and value, 8 bytes each, of all that stands.
//
// # Messages
//
// Integers are varints in their shortest form, or big-endian where a size
// stands. Ranges are their number, then for each one the sequences between it
// and the one before, doubled, plus 1 if it has more than one sequence, and in
// that case how many it has, less 2. Ascending lists are their number, then for
// each element what lies between it and the one before.
//
//	message  1   version 1 in the high four bits, kind in the low ones
//	         16  journal
//	         n   epoch
//	         n   N, the device's last sequence
//	answer   1   version and kind
//
//	kind          the message goes on                    the answer goes on
//	1 root        16 root; 1 KiB of gaps wanted, to 64   1 0: equal, 1: all gaps, 2: the first of them;
//	                                                     n watermark; unless equal 16 root, ranges
//	2 sketch      8 nonce; 32 counters                   8 nonce; 16 keyed root; 1 way; n first cell;
//	                                                     n cells; 16 each
//	3 more cells  8 and 8 nonces; 8 keyed root's first;  as 2; from cell 0 if the keyed root is
//	              1 way; n first cell; n cells           another by now
//	4 nodes       1 level; ascending list of indexes     16 root; for each node 2 a bit for each
//	                                                     child that is not zero, bit 0 the first;
//	                                                     16 each of those
//	5 held        ascending list of sequences            n sequences answered; for each n entries,
//	                                                     for each n and canonical bytes, n epoch,
//	                                                     1 stands, time booked
//	6 beyond      nothing                                n watermark; ranges seen behind N
package agree
