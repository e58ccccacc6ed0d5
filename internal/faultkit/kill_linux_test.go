package faultkit_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/queue"
)

// killSize is small enough for checkpoints in many a life, and large
// enough for 25 of them, unless a machine is slow to kill.
const killSize = 16 << 20

// lifeFull is what a device says whose journal takes nothing more.
const lifeFull = "full"

// device is the child: it sells, forwards and says what it was told, until it
// is killed. Its lines are "ref state".
func device(path string) {
	go func() { // with nobody left to kill it, it ends by itself
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	o := options()
	o.MaxSize = killSize
	q, err := queue.Open(path, ring{}, o)
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	var out sync.Mutex
	say := func(ref string, s queue.State) {
		out.Lock()
		defer out.Unlock()
		_, _ = fmt.Printf("%s\t%d\n", ref, s)
	}
	up := uplink(func(e queue.Entry) (queue.Answer, error) {
		if e.ID%7 == 0 && e.Kind == queue.Request {
			return queue.Answer{}, errSilent
		}
		return approved(e), nil
	})
	go func() { _ = q.Forward(bg, cards, up) }()
	run := os.Getpid()
	for i := range 3 {
		go func() {
			for n := 0; ; n++ {
				ref := fmt.Sprintf("%d-%d-%d", run, i, n)
				if i > 0 {
					e, err := q.Append(bg, offline(ref))
					if errors.Is(err, queue.ErrFull) {
						fmt.Println(lifeFull)
						select {}
					}
					if err != nil {
						fmt.Println("failed", err)
						os.Exit(1)
					}
					say(ref, e.State)
					continue
				}
				if e, err := q.Do(bg, up, sale(ref)); err == nil {
					say(ref, e.State)
				}
				if n%25 == 24 {
					if b, err := q.CloseBatch(bg, cards); err == nil {
						_ = q.SettleBatch(bg, b)
					}
				}
			}
		}()
	}
	select {}
}

// kill -9 at random moments of a device's life, on one journal that lives
// through all of them: what was acknowledged is there, in a state that can
// follow from the one acknowledged, and everything verifies.
func TestKill(t *testing.T) {
	seed := uint64(5)
	if s, err := strconv.ParseUint(os.Getenv("TALLYSTICK_SEED"), 10, 64); err == nil {
		seed = s
	}
	rng := rand.New(rand.NewPCG(seed, 19))
	path := filepath.Join(t.TempDir(), "j")
	acked, settled, inLife := 0, 0, 0
	worn := false
	kills := much(2000, 40)
	for n := range kills {
		if n%25 == 24 || worn { // a fresh journal now and then keeps the examination short
			path, settled = filepath.Join(t.TempDir(), "j"), 0
		}
		told, full := liveAndDie(t, path, rng.IntN(40))
		worn = full
		if n := settledEvents(t, path); n > settled {
			inLife, settled = inLife+1, n
		}
		look := path
		if n%2 == 0 { // the next life begins where this one was cut off
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			look = filepath.Join(t.TempDir(), "copy")
			require.NoError(t, os.WriteFile(look, b, 0o600))
		}
		o := options()
		o.MaxSize = killSize
		q, err := queue.Open(look, ring{}, o)
		require.NoError(t, err, "kill %d of seed %d", n, seed)
		require.NoError(t, q.Verify(bg), "kill %d of seed %d", n, seed)
		for ref, state := range told {
			acked++
			e, err := q.ByRef(bg, ref)
			require.NoError(t, err, "kill %d of seed %d: %q was acknowledged", n, seed, ref)
			if state.Final() {
				require.Equal(t, state, e.State, "kill %d of seed %d: %q", n, seed, ref)
			}
		}
		require.NoError(t, q.Close())
		settled = settledEvents(t, path)
	}
	t.Logf("%d kills, %d acknowledgements, %d lives with a checkpoint", kills, acked, inLife)
	require.Greater(t, inLife, kills/20)
}

// settledEvents counts the events that a checkpoint has put in their place.
func settledEvents(t *testing.T, path string) (n int) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.NoError(t, file.Walk(bg, func(bucket, _, _ []byte) error {
		if string(bucket) == "e" {
			n++
		}
		return nil
	}))
	return n
}

// liveAndDie runs the device until it has said so many lines, or that its journal
// is full, kills it, and returns everything that it said.
func liveAndDie(t *testing.T, path string, lines int) (told map[string]queue.State, full bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	_, err := cmd.StdinPipe() // open for as long as this process lives
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	told = map[string]queue.State{}
	in := bufio.NewScanner(out)
	killed := false
	for n := 0; in.Scan(); n++ {
		if ref, state, ok := strings.Cut(in.Text(), "\t"); ok {
			s, err := strconv.Atoi(state)
			require.NoError(t, err)
			told[ref] = queue.State(s)
		} else if in.Text() == lifeFull {
			full = true
		} else {
			t.Error(in.Text())
		}
		if (n == lines || full) && !killed {
			killed = true
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait()
	return told, full
}
