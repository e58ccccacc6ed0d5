package ledger

import (
	"bufio"
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
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// childEnv makes the test binary the ledger that TestKill kills.
const childEnv = "TALLYSTICK_CHILD_LEDGER"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		childLedger(path)
		return
	}
	os.Exit(m.Run())
}

// childLedger books what several devices submit, and says what was answered,
// until it is killed: "journal seq epoch rrn".
func childLedger(path string) {
	go func() { // with nobody left to kill it, it ends by itself
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fail := func(err error) {
		fmt.Println("failed", err)
		os.Exit(1)
	}
	e, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	if err != nil {
		fail(err)
	}
	l, err := New(bg, e, signer, &Options{Decide: yes})
	if err != nil {
		fail(err)
	}
	var out sync.Mutex
	var wg sync.WaitGroup
	for d := range 4 {
		name := fmt.Sprint("till-", d)
		if err := l.SetDevice(bg, Device{Name: name}); err != nil {
			fail(err)
		}
		wg.Go(func() {
			j := wire.JournalID{byte(d + 1)}
			rng := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(d)))
			for {
				// Now and then something that was booked in an earlier life.
				x := lifeOf(queue.ID(1 + rng.IntN(400)))
				res, err := l.Submit(bg, name, sub(j, 1, x...))
				if err != nil {
					fail(err)
				}
				out.Lock()
				for i, r := range res {
					if r.Err != nil {
						fail(r.Err)
					}
					_, _ = fmt.Printf("%d\t%d\t%s\n", d+1, x[i].Seq, r.Booking.Answer.RRN)
				}
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// lifeOf are the entries that are submitted together for a number: a sale, every
// fifth with its reversal.
func lifeOf(n queue.ID) []wire.Entry {
	sale := request(2 * n)
	if n%5 == 0 {
		return []wire.Entry{sale, reversalOf(2*n+1, sale)}
	}
	return []wire.Entry{sale}
}

// L1 under kill -9: what was answered is there, with the same reference, and the
// ledger is whole, through many lives of one file.
func TestKill(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 19))
	path := filepath.Join(t.TempDir(), "ledger")
	told := map[string]string{}
	kills := much(300, 12, 3)
	for n := range kills {
		for k, v := range liveAndDie(t, path, 20+rng.IntN(150)) {
			if old, ok := told[k]; ok {
				require.Equal(t, old, v, "kill %d: entry %q was answered before", n, k)
			}
			told[k] = v
		}
		e, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
		require.NoError(t, err)
		l, err := New(bg, e, signer, nil)
		require.NoError(t, err)
		require.NoError(t, l.Verify(bg), "kill %d", n)
		for k, rrn := range told {
			d, seq, _ := strings.Cut(k, " ")
			dn, err := strconv.Atoi(d)
			require.NoError(t, err)
			sn, err := strconv.Atoi(seq)
			require.NoError(t, err)
			all, err := l.At(bg, [16]byte{byte(dn)}, queue.ID(sn))
			require.NoError(t, err)
			require.Len(t, all, 1, "kill %d: entry %q was answered", n, k)
			require.Equal(t, rrn, all[0].Answer.RRN)
		}
		require.NoError(t, e.Close())
	}
	t.Logf("%d kills, %d answers", kills, len(told))
}

func liveAndDie(t *testing.T, path string, lines int) map[string]string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	_, err := cmd.StdinPipe() // open for as long as this process lives
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	told := map[string]string{}
	in := bufio.NewScanner(out)
	for n := 0; in.Scan(); n++ {
		if f := strings.Split(in.Text(), "\t"); len(f) == 3 {
			told[f[0]+" "+f[1]] = f[2]
		} else if !strings.Contains(in.Text(), "\t") {
			t.Error(in.Text())
		}
		if n == lines {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait()
	return told
}

// A disk that fails at the n-th write or sync: the caller hears it, what it was
// answered before stays, and submitting again books once.
func TestFailingDisk(t *testing.T) {
	for n := 1; n <= 14; n += much(1, 4, 7) {
		for name, strike := range map[string]func(k *faultkit.Kit, n int){
			"sync":   func(k *faultkit.Kit, n int) { k.FailSync(n) },
			"EIO":    func(k *faultkit.Kit, n int) { k.FailWrite(n, syscall.EIO) },
			"ENOSPC": func(k *faultkit.Kit, n int) { k.FailWrite(n, syscall.ENOSPC) },
			"short":  func(k *faultkit.Kit, n int) { k.FailWrite(n, faultkit.Short) },
		} {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				var k faultkit.Kit
				e, err := OpenFile(filepath.Join(t.TempDir(), "ledger"), nil, &FileOptions{Unsealed: true, MaxSize: 3 << 19, onOpen: k.Hold})
				require.NoError(t, err)
				defer func() { _ = e.Close() }()
				l := newLedger(t, e, &Options{Decide: yes})
				strike(&k, n)
				told := map[queue.ID]string{}
				failed := 0
				for i := queue.ID(1); i <= 12; i++ {
					for {
						out, err := l.Submit(bg, "till-1", sub(journalOf(1), 1, lifeOf(i)...))
						if err != nil {
							require.True(t, errors.Is(err, ErrNotSynced) || errors.Is(err, ErrFull), "%v", err)
							failed++
							require.Less(t, failed, 5)
							k.Heal()
							continue
						}
						for j, r := range out {
							require.NoError(t, r.Err)
							told[lifeOf(i)[j].Seq] = r.Booking.Answer.RRN
						}
						break
					}
				}
				require.NoError(t, l.Verify(bg))
				for seq, rrn := range told {
					all, err := l.At(bg, journalOf(1), seq)
					require.NoError(t, err)
					require.Len(t, all, 1)
					require.Equal(t, rrn, all[0].Answer.RRN)
				}
			})
		}
	}
}

// A power cut at any moment, with the disk in every state that it may leave:
// what was answered before is there.
func TestPowerCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	var k faultkit.Kit
	e, err := OpenFile(path, nil, &FileOptions{Unsealed: true, MaxSize: 3 << 19, onOpen: k.Hold})
	require.NoError(t, err)
	l := newLedger(t, e, &Options{Decide: yes})
	base, err := os.ReadFile(path)
	require.NoError(t, err)
	k.Record()
	type answer struct {
		at  int
		seq queue.ID
		rrn string
	}
	var told []answer
	for i := queue.ID(1); i <= queue.ID(much(12, 3, 1)); i++ {
		out, err := l.Submit(bg, "till-1", sub(journalOf(1), 1, lifeOf(i)...))
		require.NoError(t, err)
		for j, r := range out {
			told = append(told, answer{len(k.Ops()), lifeOf(i)[j].Seq, r.Booking.Answer.RRN})
		}
	}
	ops := k.Ops()
	require.NoError(t, e.Close())

	disk := faultkit.NewDisk(base)
	rng := rand.New(rand.NewPCG(1, 2))
	images := 0
	for i, op := range ops {
		disk.Apply(op)
		for img := range disk.Images(rng, 2) {
			images++
			cut := filepath.Join(t.TempDir(), "cut")
			require.NoError(t, os.WriteFile(cut, img.Data, 0o600))
			e, err := OpenFile(cut, nil, &FileOptions{Unsealed: true, MaxSize: 3 << 19})
			require.NoError(t, err, "op %d, %s", i, img.Name)
			l, err := New(bg, e, signer, nil)
			require.NoError(t, err)
			require.NoError(t, l.Verify(bg), "op %d, %s", i, img.Name)
			for _, a := range told {
				if a.at > i+1 {
					break
				}
				all, err := l.At(bg, journalOf(1), a.seq)
				require.NoError(t, err)
				require.Len(t, all, 1, "op %d, %s: entry %d was answered", i, img.Name, a.seq)
				require.Equal(t, a.rrn, all[0].Answer.RRN)
			}
			require.NoError(t, e.Close())
			require.NoError(t, os.Remove(cut))
		}
	}
	t.Logf("%d images of %d ops", images, len(ops))
}
