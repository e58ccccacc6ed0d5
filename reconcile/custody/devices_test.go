package custody

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// Two devices do at random what couriers do, with a network that comes and goes
// for each. Whenever both have collected a parcel in one round of the day, the
// device that came second to the office says so in the end; with a network for
// both it never comes to that.
func TestTwoDevicesAtRandom(t *testing.T) {
	seeds := uint64(8)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			always := seed%2 == 0 // the network
			o := newOffice()
			var books [2]*Book
			for i := range books {
				books[i], _ = device(t, o)
			}
			waybills := []string{"W1", "W2", "W3"}
			for range 60 {
				o.down = !always && rng.IntN(2) == 0
				step(t, rng, books[rng.IntN(2)], waybills[rng.IntN(3)])
			}
			o.down = false
			told := map[string]bool{}
			for _, b := range books {
				conflicts, err := b.Recheck(bg, time.Time{})
				require.NoError(t, err)
				for _, c := range conflicts {
					told[c.Waybill] = true
				}
			}
			for _, w := range waybills {
				paid := 0
				for _, b := range books {
					if p, err := b.Parcel(bg, w); err == nil && p.Paid > 0 {
						require.LessOrEqual(t, p.Paid, p.Due.Minor)
						paid++
					}
				}
				require.False(t, always && paid > 1, "%s was collected by both, with a network", w)
				require.False(t, paid > 1 && !told[w], "%s was collected by both, and nobody was told", w)
			}
		})
	}
}

func step(t *testing.T, rng *rand.Rand, b *Book, w string) {
	var err error
	switch rng.IntN(6) {
	case 0, 1:
		_, err = b.Take(bg, w, cny(100))
	case 2:
		_, err = b.Refuse(bg, w, "")
	case 3:
		_, err = b.Return(bg, w, "")
	case 4:
		_, err = b.Collect(bg, w, cash(100), nil)
	case 5:
		says := []queue.Verdict{queue.Approved, queue.Refused, 0}[rng.IntN(3)]
		_, err = b.Collect(bg, w, card(50), online(b.q, host{says}))
	}
	var taken *TakenError
	for _, expected := range []error{nil, ErrUnknown, ErrCollected, ErrState, ErrAmount, queue.ErrInDoubt, queue.ErrNotSent} {
		if errors.Is(err, expected) {
			return
		}
	}
	require.ErrorAs(t, err, &taken)
}
