package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// busy lets hold block the committer, and returns what lets it go on.
func busy(t *testing.T, f *journal.File) (release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		first := true
		require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
			if first {
				first = false
				close(in)
				<-out
			}
			_, err := putIn(tx)
			return err
		}))
	})
	<-in
	return func() {
		close(out)
		done.Wait()
	}
}

func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, k := faulty(t, tempPath(t))
		_, before := k.Counts()
		release := busy(t, f)
		var all sync.WaitGroup
		numbers := make(chan uint64, 20)
		for range 20 {
			all.Go(func() { numbers <- put(t, f) })
		}
		synctest.Wait()
		release()
		all.Wait()
		_, after := k.Counts()
		require.Equal(t, 4, after-before, "one commit for the first and one for all the others")
		seen := map[uint64]bool{}
		for range 20 {
			seen[<-numbers] = true
		}
		require.Len(t, seen, 20)
		requireContent(t, f, 21)
		require.NoError(t, f.VerifyLog(t.Context()))
		require.NoError(t, f.Close())
	})
}

func TestFailingFunctionSpoilsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := faulty(t, tempPath(t))
		release := busy(t, f)
		mine := errors.New("mine")
		var all sync.WaitGroup
		runs := make([]int, 10)
		for i := range 10 {
			synctest.Wait() // they wait in this order: others run before the one that fails
			all.Go(func() {
				err := f.Update(t.Context(), func(tx *journal.Tx) error {
					runs[i]++
					if i == 3 {
						return mine // before it has written
					}
					if _, err := putIn(tx); err != nil || i != 7 {
						return err
					}
					_ = tx.Put(data, []byte("of a failed function"), nil)
					return mine
				})
				if i == 3 || i == 7 {
					require.ErrorIs(t, err, mine)
				} else {
					require.NoError(t, err)
				}
			})
		}
		synctest.Wait()
		release()
		all.Wait()
		again := 0
		for _, n := range runs {
			again = max(again, n)
		}
		require.Equal(t, 2, again, "the group runs again without the one that failed")
		requireContent(t, f, 9)
		require.NoError(t, f.VerifyLog(t.Context()))
		require.NoError(t, f.Close())
	})
}

func TestWithdrawnBeforeItsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := faulty(t, tempPath(t))
		release := busy(t, f)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() {
			result <- f.Update(ctx, func(tx *journal.Tx) error {
				_, err := putIn(tx)
				return err
			})
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		release()
		put(t, f)
		requireContent(t, f, 2)
		require.NoError(t, f.Close())
	})
}

// What was accepted before Close is committed or told to be not; nothing hangs.
func TestCloseAnswersEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := tempPath(t)
		f, _ := faulty(t, path)
		release := busy(t, f)
		var all sync.WaitGroup
		results := make(chan error, 50)
		for range 50 {
			all.Go(func() {
				results <- f.Update(t.Context(), func(tx *journal.Tx) error {
					_, err := putIn(tx)
					return err
				})
			})
		}
		synctest.Wait()
		all.Go(func() { require.NoError(t, f.Close()) })
		synctest.Wait()
		release()
		all.Wait()
		close(results)
		kept := uint64(1)
		for err := range results {
			if err == nil {
				kept++
			} else {
				require.ErrorIs(t, err, journal.ErrClosed)
			}
		}
		f, _ = faulty(t, path)
		requireContent(t, f, kept)
		require.NoError(t, f.Close())
	})
}

// A crash at each write and sync of a journal's making leaves no journal, or a
// whole one, and either is opened.
func TestCreationFailsAsAWhole(t *testing.T) {
	k := &faultkit.Kit{}
	require.NoError(t, open(t, tempPath(t), heldBy(k)).Close())
	writes, _ := k.Counts()
	require.Greater(t, writes, 3)
	for n := 1; n <= writes; n++ {
		path := tempPath(t)
		k := &faultkit.Kit{}
		k.FailWrite(n, faultkit.Short)
		f, err := journal.Open(path, heldBy(k))
		if err == nil {
			_ = f.Close() // the writes of the clean end
			continue
		}
		require.NoFileExists(t, path, "write %d", n)
		f = open(t, path, options())
		put(t, f)
		require.NoError(t, f.Close())
		require.NoFileExists(t, path+".new")
	}
}

// Until it is whole a journal does not stand under its name.
func TestCreationByRename(t *testing.T) {
	path := tempPath(t)
	o, steps := options(), 0
	notYet := func() {
		steps++
		require.NoFileExists(t, path)
	}
	o.OnOpen = func(db *bolt.DB) {
		if steps == 0 {
			notYet()
		}
	}
	o.OnWrite = func(b []byte, _ int64) error {
		if b != nil {
			notYet()
		}
		return nil
	}
	f := open(t, path, o)
	require.Greater(t, steps, 2)
	require.FileExists(t, path)
	require.NoError(t, f.Close())
}

func TestZerosAheadOfUse(t *testing.T) {
	f, k := faulty(t, tempPath(t))
	k.Record()
	put(t, f)
	for _, op := range k.Ops() {
		require.LessOrEqual(t, len(op.Data), 8192, "the first commit writes its pages, no zeros")
	}
}

// What functions have in common does not outlive one of them that fails, nor
// the commit.
func TestKeptEndsWithAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := faulty(t, tempPath(t))
		release := busy(t, f)
		mine := errors.New("mine")
		var all sync.WaitGroup
		all.Go(func() {
			require.ErrorIs(t, f.Update(t.Context(), func(tx *journal.Tx) error {
				*tx.Kept() = "of the failed one"
				_, _ = putIn(tx)
				return mine
			}), mine)
		})
		synctest.Wait()
		var seen []any
		for i := range 2 {
			all.Go(func() {
				require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
					seen = append(seen, *tx.Kept())
					*tx.Kept() = i
					return tx.Put(data, key(uint64(i)), nil)
				}))
			})
			synctest.Wait()
		}
		release()
		all.Wait()
		require.Equal(t, []any{nil, 0}, seen)
		require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
			require.Nil(t, *tx.Kept())
			return nil
		}))
		require.NoError(t, f.View(func(tx *journal.Tx) error {
			require.Nil(t, tx.Kept())
			return nil
		}))
		require.NoError(t, f.Close())
	})
}
