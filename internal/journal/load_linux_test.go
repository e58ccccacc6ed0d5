package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// Everything at once: writers of which some lose patience, readers, checkpoints,
// Compact, Backup, syncs that fail, and Close in the midst of it. Nobody waits
// for ever, every state that is read is one commit's, and what was acknowledged
// is there.
func TestEverythingAtOnce(t *testing.T) {
	for round := range step(t, 20, 2) {
		path := tempPath(t)
		k := &faultkit.Kit{}
		o := options()
		o.OnOpen, o.OnWrite = k.Hold, k.Raw
		o.MaxSize = 8 << 20
		f := open(t, path, o)
		var mu sync.Mutex
		acked, unsure := map[uint64]bool{}, map[uint64]bool{}
		var all sync.WaitGroup
		stop := make(chan struct{})
		for w := range 8 {
			rng := rand.New(rand.NewPCG(uint64(round), uint64(w)))
			all.Go(func() {
				for i := uint64(0); i < 300; i++ {
					n := uint64(w)<<32 | i
					ctx, cancel := context.WithCancel(bg)
					if rng.IntN(4) == 0 {
						go cancel()
					}
					err := f.Update(ctx, func(tx *journal.Tx) error {
						if _, err := tx.Log(fmt.Appendf(nil, "%d", n)); err != nil {
							return err
						}
						if err := tx.Put(data, key(n), body(n)); err != nil {
							return err
						}
						return tx.Put(data, []byte("newest"), body(n))
					})
					cancel()
					mu.Lock()
					switch {
					case err == nil:
						acked[n] = true
					case errors.Is(err, journal.ErrNotSynced):
						unsure[n] = true
					case errors.Is(err, journal.ErrClosed):
						mu.Unlock()
						return
					default:
						require.ErrorIs(t, err, context.Canceled)
					}
					mu.Unlock()
				}
			})
		}
		loop := func(fn func(i int) error) {
			all.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if err := fn(i); errors.Is(err, journal.ErrClosed) {
						return
					} else if err != nil {
						require.ErrorIs(t, err, journal.ErrNotSynced)
					}
				}
			})
		}
		for range 2 {
			loop(func(int) error {
				require.EqualValues(t, 1, f.Epoch())
				return f.View(func(tx *journal.Tx) error {
					last, err := tx.LastEvent()
					n := uint64(0)
					if err == nil {
						err = tx.Scan(data, nil, nil, func([]byte, []byte) (bool, error) { n++; return true, nil })
					}
					if err == nil && last > 0 && n != last+1 {
						err = fmt.Errorf("%d events with %d records", last, n)
					}
					return err
				})
			})
		}
		loop(func(i int) error {
			switch {
			case round%2 == 0 && i%2 == 0:
				return f.Compact(bg, nil)
			case round%2 == 1 && i < 8: // the kit holds one database at a time
				k.FailSync(5)
			}
			return f.Backup(bg, io.Discard, func() []byte { return nil })
		})
		all.Go(func() { // after some of the writers are through
			for n := 0; n < 300; {
				mu.Lock()
				n = len(acked) + len(unsure)
				mu.Unlock()
				if err := f.Update(bg, func(*journal.Tx) error { return nil }); err != nil {
					require.ErrorIs(t, err, journal.ErrNotSynced)
				}
			}
			k.Heal()
			if err := f.Close(); err != nil {
				require.ErrorIs(t, err, journal.ErrNotSynced)
			}
			close(stop)
		})
		all.Wait()
		f = open(t, path, options())
		require.NoError(t, f.VerifyLog(bg))
		require.NoError(t, f.View(func(tx *journal.Tx) error {
			for n := range acked {
				b, err := tx.Get(data, key(n))
				if err != nil || !bytes.Equal(b, body(n)) {
					return fmt.Errorf("%x was acknowledged: %w", n, err)
				}
			}
			return tx.Scan(data, nil, nil, func(k, _ []byte) (bool, error) {
				if len(k) != 8 {
					return true, nil
				}
				if n := binary.BigEndian.Uint64(k); !acked[n] && !unsure[n] {
					return false, fmt.Errorf("%x was withdrawn", n)
				}
				return true, nil
			})
		}))
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(path))
		t.Logf("%d acknowledged, %d in doubt", len(acked), len(unsure))
	}
}
