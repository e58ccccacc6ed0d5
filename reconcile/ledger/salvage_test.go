package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// delivered is an entry as its device still has it.
type delivered struct {
	device string
	in     wire.Submission
	booked Booking
}

func dayOptions() *Options {
	return &Options{Decide: yes, Claims: func(data []byte) (string, bool) { return string(data), len(data) > 0 }}
}

// damagedDay makes a ledger of two devices with bookings in every state, and
// returns its file, closed or as a crash leaves it, and what it holds.
func damagedDay(t *testing.T, crashed bool) (whole []byte, all []delivered) {
	path := filepath.Join(t.TempDir(), "ledger")
	f, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	require.NoError(t, err)
	l := newLedger(t, f, dayOptions())
	book := func(n byte, e wire.Entry) {
		device, in := fmt.Sprint("till-", n), sub(journalOf(n), 1, e)
		out, err := l.Submit(bg, device, in)
		require.NoError(t, err)
		require.NoError(t, out[0].Err)
		all = append(all, delivered{device, in, out[0].Booking})
	}
	for _, n := range []byte{1, 2} {
		for seq := queue.ID(1); seq < 100; seq += 12 {
			paid := advice(seq)
			paid.Data = fmt.Append(nil, "waybill ", seq) // of both devices
			book(n, paid)
			asked, voided, undone := request(seq+1), request(seq+2), request(seq+3)
			for _, e := range []wire.Entry{asked, voided, undone, reversalOf(seq+4, asked), voidOf(seq+5, voided), refundOf(seq+6, undone, 300)} {
				book(n, e)
			}
			given, void := refundOf(seq+7, undone, 200), voidOf(seq+8, paid)
			back := voidOf(seq+9, given)
			for _, e := range []wire.Entry{given, void, reversalOf(seq+10, void), back, voidOf(seq+11, request(9000+seq))} {
				book(n, e)
			}
		}
	}
	for i := range all { // as it stands at the end
		b := all[i].booked
		at, err := l.At(bg, b.Journal, b.Sequence)
		require.NoError(t, err)
		all[i].booked = at[0]
	}
	require.NoError(t, l.Verify(bg))
	if crashed {
		whole = readAll(t, path)
	}
	require.NoError(t, f.Close())
	if !crashed {
		whole = readAll(t, path)
	}
	return whole, all
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// openDay opens a ledger as it is, if nothing in it is damaged.
func openDay(t *testing.T, path string) (*Ledger, error) {
	t.Helper()
	f, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	if err != nil {
		return nil, err
	}
	l, err := New(bg, f, signer, dayOptions())
	if err == nil {
		err = l.Verify(bg)
	}
	if err != nil {
		require.NoError(t, f.Close())
		return nil, err
	}
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return l, nil
}

// bookingsOf are a ledger's bookings by digest.
func bookingsOf(t *testing.T, l *Ledger) map[[32]byte]Booking {
	out := map[[32]byte]Booking{}
	for b, err := range l.All(bg, 0) {
		require.NoError(t, err)
		out[b.Digest] = b
	}
	return out
}

// Whatever page of a ledger's file is damaged, what is readable is kept, it is
// whole in itself, says what is lost, and the devices bring that back.
func TestSalvage(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		whole, all := damagedDay(t, crashed)
		used := len(bytes.TrimRight(whole, "\x00")) / 4096
		rng := rand.New(rand.NewPCG(7, 8))
		pages := rng.Perm(used - 2)[:much(used-2, 14, 4)]
		for _, page := range pages {
			t.Run(fmt.Sprint("crashed ", crashed, " page ", page+2), func(t *testing.T) {
				broken := bytes.Clone(whole)
				clear(broken[(page+2)*4096+512 : (page+2)*4096+1536])
				salvageDay(t, broken, all)
			})
		}
	}
}

func salvageDay(t *testing.T, broken []byte, all []delivered) {
	path := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.WriteFile(path, broken, 0o600))
	l, err := openDay(t, path)
	if err == nil {
		require.Len(t, bookingsOf(t, l), len(all), "what was cleared is not in use")
		return
	}
	require.ErrorIs(t, err, ErrDamaged)
	r, err := SalvageFile(bg, path, nil, &FileOptions{Unsealed: true})
	require.NoError(t, err)
	require.Equal(t, broken, readAll(t, r.Aside))
	l, err = openDay(t, path)
	require.NoError(t, err, "%+v", r)
	have := bookingsOf(t, l)
	require.EqualValues(t, len(have), r.Bookings)
	if !r.EndUnknown {
		require.EqualValues(t, len(all), r.Bookings+r.LostCount)
	}
	for _, d := range all {
		if b, kept := have[d.booked.Digest]; kept {
			require.Equal(t, d.booked.Position, b.Position)
			require.Equal(t, d.booked.Answer, b.Answer)
		}
	}
	for _, name := range []string{"till-1", "till-2"} {
		require.NoError(t, l.SetDevice(bg, Device{Name: name}))
	}
	for _, d := range all {
		if d.booked.State != queue.Accepted {
			continue
		}
		res, err := l.Retell(bg, d.device, d.in, d.booked.Answer)
		require.NoError(t, err)
		require.NoError(t, res.Err)
		_, kept := have[d.booked.Digest]
		require.Equal(t, kept, res.Repeat)
		if !kept && r.EndUnknown {
			require.Greater(t, res.Booking.Position, uint64(positionsSkipped))
		}
	}
	require.NoError(t, l.Verify(bg))
	sameDay(t, l, all)
	for seq := queue.ID(1); seq < 100; seq += 12 {
		// The first device has paid for it, and its payment was voided; the second
		// one has, too.
		holder, _, err := l.Claim(bg, "till-2", journalOf(2), fmt.Sprint("waybill ", seq))
		require.NoError(t, err)
		require.EqualValues(t, journalOf(1), holder)
	}
}

// sameDay requires that the ledger has all that stands as it was.
func sameDay(t *testing.T, l *Ledger, all []delivered) {
	now := bookingsOf(t, l)
	for _, d := range all {
		b, kept := now[d.booked.Digest]
		if d.booked.State == queue.Accepted {
			require.True(t, kept)
		}
		if !kept {
			continue
		}
		require.Equal(t, d.booked.State, b.State, "%s", b.Identity)
		require.Equal(t, d.booked.VoidedBy, b.VoidedBy, "%s", b.Identity)
		require.Equal(t, d.booked.Refunded, b.Refunded, "%s", b.Identity)
		require.Equal(t, d.booked.Counts(), b.Counts(), "%s", b.Identity)
	}
}

// Where a page is damaged that only leads to others, nothing is lost.
func TestSalvageBehindADamagedBranch(t *testing.T) {
	whole, all := damagedDay(t, false)
	behind := 0
	for page := 2; page < len(bytes.TrimRight(whole, "\x00"))/4096; page++ {
		if flags := whole[page*4096+8]; flags != 1 { // no branch of bbolt's tree
			continue
		}
		broken := bytes.Clone(whole)
		clear(broken[page*4096+16 : page*4096+1024])
		path := filepath.Join(t.TempDir(), "ledger")
		require.NoError(t, os.WriteFile(path, broken, 0o600))
		if _, err := openDay(t, path); err == nil {
			continue
		}
		r, err := SalvageFile(bg, path, nil, &FileOptions{Unsealed: true})
		require.NoError(t, err)
		require.EqualValues(t, len(all), r.Bookings)
		require.Zero(t, r.LostCount)
		l, err := openDay(t, path)
		require.NoError(t, err)
		sameDay(t, l, all)
		behind++
	}
	require.Positive(t, behind)
}

// Any one booking that is lost comes back as it was, whatever it was about and
// whatever is about it.
func TestSalvageOfEachBooking(t *testing.T) {
	whole, all := damagedDay(t, false)
	for i := range all[:12] { // one of every kind
		t.Run(all[i].booked.Identity.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			f, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
			require.NoError(t, err)
			require.NoError(t, f.Update(bg, func(tx Tx) error {
				for _, d := range all { // as they were before others undid them
					if b := d.booked; b.State != queue.Declined {
						b.State, b.Reversal, b.VoidedBy, b.Refunded = queue.Accepted, 0, 0, 7
						if err := tx.Put(b.key(), b.encode()); err != nil {
							return err
						}
					}
				}
				for _, d := range all {
					if v := d.booked; v.Entry.Op != queue.Void || v.Entry.Kind == queue.Reversal || v.State != queue.Reversed {
						continue
					} else if paid, err := again(v).original(tx, again(v).about); err != nil {
						return err
					} else {
						paid.VoidedBy = v.Sequence // before the void was reversed
						if err := tx.Put(paid.key(), paid.encode()); err != nil {
							return err
						}
					}
				}
				return tx.Delete(all[i].booked.key())
			}))
			s := salvage{ctx: bg, fresh: f}
			require.NoError(t, s.secret())
			require.NoError(t, f.Update(bg, func(tx Tx) error { // which a salvage does not carry over
				var gone [][]byte
				for _, space := range []byte{spaceOrder, spaceRef, spaceAccess} {
					err := tx.Scan(key(space), nil, func(k, _ []byte) (bool, error) {
						gone = append(gone, k)
						return true, nil
					})
					if err != nil {
						return err
					}
				}
				for _, k := range gone {
					if err := tx.Delete(k); err != nil {
						return err
					}
				}
				return nil
			}))
			require.NoError(t, s.relate())
			require.EqualValues(t, 1, s.report.LostCount)
			require.Equal(t, all[i].booked.Position, s.report.Lost[0].From)
			l, err := New(bg, f, signer, dayOptions())
			require.NoError(t, err)
			require.NoError(t, l.Verify(bg))
			if all[i].booked.State == queue.Reversed { // and comes once more, late
				out, err := l.Submit(bg, all[i].device, all[i].in)
				require.NoError(t, err)
				require.NoError(t, out[0].Err)
				require.Equal(t, codeReversed, out[0].Booking.Answer.Code)
			}
			for _, d := range all {
				if d.booked.State == queue.Accepted {
					res, err := l.Retell(bg, d.device, d.in, d.booked.Answer)
					require.NoError(t, err)
					require.NoError(t, res.Err)
				}
			}
			require.NoError(t, l.Verify(bg))
			sameDay(t, l, all)
			require.NoError(t, f.Close())
		})
	}
}

// A ledger that is not damaged is what it was.
func TestSalvageOfAWholeLedger(t *testing.T) {
	whole, all := damagedDay(t, false)
	path := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	r, err := SalvageFile(bg, path, nil, &FileOptions{Unsealed: true})
	require.NoError(t, err)
	require.EqualValues(t, len(all), r.Bookings)
	require.Zero(t, r.LostCount)
	require.False(t, r.EndUnknown || r.ClaimsLost)
	l, err := openDay(t, path)
	require.NoError(t, err)
	have := slices.Collect(maps.Values(bookingsOf(t, l)))
	require.Len(t, have, len(all))
	sameDay(t, l, all)
	d, err := l.Device(bg, "till-1")
	require.NoError(t, err)
	require.Equal(t, "till-1", d.Name)
}

// A key that is missing or another is no damage: the file stays as it is.
func TestSalvageOfASealedLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f, err := OpenFile(path, ring{1}, nil)
	require.NoError(t, err)
	l := newLedger(t, f, nil)
	for seq := range queue.ID(60) {
		require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(seq+1))).Err)
	}
	require.NoError(t, f.Close())
	b := readAll(t, path)
	broken := 0
	for page := 2; page < len(b)/4096; page++ {
		if b[page*4096+8] == 2 && b[page*4096+10] >= 6 { // a leaf of bookings
			clear(b[page*4096+3000 : page*4096+3100])
			broken++
		}
	}
	require.Positive(t, broken)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err = SalvageFile(bg, path, nil, nil)
	require.ErrorContains(t, err, "needs keys")
	_, err = SalvageFile(bg, path, ring{2}, nil)
	require.ErrorIs(t, err, queue.ErrKey)
	require.Equal(t, b, readAll(t, path))
	r, err := SalvageFile(bg, path, ring{1}, nil)
	require.NoError(t, err)
	require.Positive(t, r.LostCount)
	require.EqualValues(t, 60, r.Bookings+r.LostCount)
	f, err = OpenFile(path, ring{1}, nil)
	require.NoError(t, err)
	l, err = New(bg, f, signer, nil)
	require.NoError(t, err)
	require.NoError(t, l.Verify(bg))
	require.NoError(t, f.Close())
	requireNoText(t, path, "order-")
}
