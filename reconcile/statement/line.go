package statement

import (
	"crypto/sha256"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Line is one line of a statement. A text has at most 128 bytes; a card number
// is in none of them.
type Line struct {
	// Number is the line in the file where the record begins, from 1.
	Number int
	// Op is Sale, Void or Refund where the statement says so, else 0.
	Op queue.Op
	// Reversal says that the line takes back another one of the same
	// transaction and amount.
	Reversal bool
	// Amount is what the merchant gets; negative for what he gives back.
	Amount queue.Money
	// Fee is what the acquirer keeps of it, in minor units; negative when it
	// gives a fee back.
	Fee int64

	Terminal, Merchant string
	HostBatch          uint32
	STAN               queue.STAN
	RRN, Ref           string
	Card               string // masked
	// Time is zero where the statement has none.
	Time time.Time

	refSum, rrnSum [sha256.Size]byte // of a Ref, an RRN that is shown masked
}

// sumOfRef and sumOfRRN are SHA-256 of the texts as they stand in the file.
func (l *Line) sumOfRef() [sha256.Size]byte { return sumOr(l.refSum, l.Ref) }
func (l *Line) sumOfRRN() [sha256.Size]byte { return sumOr(l.rrnSum, l.RRN) }

func sumOr(sum [sha256.Size]byte, s string) [sha256.Size]byte {
	if sum != [sha256.Size]byte{} {
		return sum
	}
	return sha256.Sum256([]byte(s))
}
