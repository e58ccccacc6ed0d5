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

	refSum [sha256.Size]byte // of a Ref that is shown masked
}

// sumOfRef is SHA-256 of the ref as it stands in the file.
func (l *Line) sumOfRef() [sha256.Size]byte {
	if l.refSum != [sha256.Size]byte{} {
		return l.refSum
	}
	return sha256.Sum256([]byte(l.Ref))
}
