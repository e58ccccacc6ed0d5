package reconcile

import (
	"testing"

	"github.com/tallystick/tallystick/queue"
)

// What a host tells of an entry is read or refused, whatever it is.
func FuzzCanonical(f *testing.F) {
	e := queue.Entry{ID: 7, Kind: queue.Advice, STAN: 9, Transaction: cash("sale 7", 990)}
	whole := queue.CanonicalOf(nil, [16]byte{1}, e)
	f.Add(whole)
	f.Add(whole[:96])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseCanonical(b)
		if err != nil {
			return
		}
		n := canonicalHead + 8*2 + len(h.Ref) + len(h.Lane.Host) + len(h.Lane.Merchant) + len(h.Lane.Terminal) + len(h.Operator) + len(h.MaskedPAN)
		if n > len(b) {
			t.Fatalf("%d bytes were read of %d", n, len(b))
		}
	})
}
