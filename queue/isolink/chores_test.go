package isolink_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// terminal is the acquirer's view of the card terminal. It closes the host.
func (s *till) terminal(t *testing.T) host.Terminal {
	t.Helper()
	require.NoError(t, s.host.Close())
	books, err := host.ReadLedger(s.ledger)
	require.NoError(t, err)
	for _, x := range books.Terminals {
		if x.ID == cardTerm {
			return x
		}
	}
	require.Fail(t, "the terminal is not known")
	return host.Terminal{}
}

// again replaces the till's link by one with other options.
func (s *till) again(t *testing.T, o *isolink.Options) {
	t.Helper()
	require.NoError(t, s.link.Close())
	l, err := isolink.New(cardLane, isolink.TCP(s.host.Addr().String()), s.Queue, masterKey(t), patient(o))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	s.link = l
}

func (s *till) sell(t *testing.T, ref string) {
	t.Helper()
	e, err := s.Do(t.Context(), s.link, cardSale(ref, 100))
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
}

// A host that asks for a download of parameters gets it once; they are in use
// at once, and kept over a restart.
func TestParametersAreDownloaded(t *testing.T) {
	s := newTill(t, host.Mischief{})
	memory := isolink.MemoryFile(filepath.Join(t.TempDir(), "memory"))
	told := make(chan isolink.Event, 8)
	s.again(t, &isolink.Options{Memory: memory, OnEvent: func(ev isolink.Event) {
		if ev.Kind == isolink.Asked || ev.Kind == isolink.Obeyed {
			told <- ev
		}
	}})
	s.sell(t, "a")
	_, at := s.link.Parameters()
	require.True(t, at.IsZero())
	require.NoError(t, s.host.Ask(cardTerm, codec.ProcessStripeParams))
	s.sell(t, "b") // its answer asks
	s.sell(t, "c") // before it the download
	s.sell(t, "d")
	require.Len(t, told, 2)
	require.Equal(t, codec.ProcessStripeParams, (<-told).Processing)
	obeyed := <-told
	require.Equal(t, isolink.Obeyed, obeyed.Kind)
	require.NoError(t, obeyed.Err)
	list, at := s.link.Parameters()
	require.Equal(t, host.DefaultParameters(), list)
	require.WithinDuration(t, time.Now(), at, time.Hour)

	s.again(t, &isolink.Options{Memory: memory})
	list, _ = s.link.Parameters()
	require.Equal(t, host.DefaultParameters(), list)
	require.Equal(t, 1, s.terminal(t).Loads)
}

// The terminal's status goes to the host that asks for it, once.
func TestTheStatusIsUploaded(t *testing.T) {
	s := newTill(t, host.Mischief{})
	s.again(t, &isolink.Options{Status: func() []codec.Parameter { return []codec.Parameter{{Tag: 1, Value: "1"}, {Tag: 2, Value: "0"}} }})
	s.sell(t, "a")
	require.NoError(t, s.host.Ask(cardTerm, codec.ProcessUploadStatus))
	s.sell(t, "b")
	s.sell(t, "c")
	require.Equal(t, []codec.Parameter{{Tag: 1, Value: "1"}, {Tag: 2, Value: "0"}, {Tag: codec.ParamStatistics, Value: "000000001100"}}, s.terminal(t).Status)
}

// The acquirer asks for a sign-in by its header; one follows.
func TestTheAcquirerAsksForASignIn(t *testing.T) {
	s := newTill(t, host.Mischief{})
	s.sell(t, "a")
	require.NoError(t, s.host.Ask(cardTerm, codec.ProcessSignIn))
	s.sell(t, "b")
	s.sell(t, "c")
	s.sell(t, "d")
	require.Equal(t, 2, s.terminal(t).SignIns)
	require.Error(t, s.host.Ask("99999999", codec.ProcessSignIn))
}

// A host that never stops asking is not obeyed in a loop, and one that cannot be
// obeyed does not stop the sale.
func TestAWishIsNotObeyedInALoop(t *testing.T) {
	for name, x := range map[string]struct {
		answer func(a *asked)
		times  int
		failed bool
	}{
		"it never stops asking": {func(a *asked) { a.answer("00", func(m *codec.Message) { a.must(m.SetBytes(62, []byte("1290"))) }) }, 2, false},
		"it refuses":            {func(a *asked) { a.answer("40", nil) }, 3, true},
		"it sends rubbish":      {func(a *asked) { a.answer("00", func(m *codec.Message) { a.must(m.SetBytes(62, []byte("12"))) }) }, 3, true},
		"it sends nothing":      {func(a *asked) { a.answer("00", nil) }, 3, true},
		"it is silent":          {func(*asked) {}, 3, true},
	} {
		t.Run(name, func(t *testing.T) {
			managed := func(a *asked) bool {
				v, _ := a.Text(60)
				return v[8:11] == "360" || v[8:11] == "361"
			}
			var downloads atomic.Int32
			script := func(a *asked) {
				switch {
				case managed(a):
					downloads.Add(1)
					x.answer(a)
				case a.Type() == 0x0800:
					a.answer("00", nil)
				default:
					a.frame.Header = a.frame.Header.WithProcessing(codec.ProcessStripeParams)
					a.answer("00", nil)
				}
			}
			inBubble(t, script, &isolink.Options{TryTimeout: 50 * time.Millisecond}, func(t *testing.T, h *scripted, l *isolink.Link) {
				for range 8 {
					_, err := h.send(l, cardEntry())
					require.NoError(t, err, "payments go on")
				}
				require.EqualValues(t, x.times, downloads.Load())
				list, _ := l.Parameters()
				require.Equal(t, x.failed, len(list.List) == 0)
				require.Equal(t, map[bool]int{true: 3, false: 1}[x.failed], h.told(isolink.Obeyed))
				require.Equal(t, 1, h.told(isolink.Asked))
			})
		})
	}
}

// The link follows the parameters that Options leave open, and those only.
func TestParametersAreFollowed(t *testing.T) {
	memory := isolink.MemoryFile(filepath.Join(t.TempDir(), "m"))
	require.NoError(t, memory.Save([]byte(`{"form":1,"parameters":"MTIwNTEzMTIxMQ=="}`))) // 12 05, 13 1, 21 1
	inBubble(t, financial(func(*asked) {}), &isolink.Options{Memory: memory}, func(t *testing.T, _ *scripted, l *isolink.Link) {
		list, _ := l.Parameters()
		require.Equal(t, []codec.Parameter{{Tag: 12, Value: "05"}, {Tag: 13, Value: "1"}, {Tag: 21, Value: "1"}}, list.List)
		_, err := l.Prepare(t.Context())
		require.NoError(t, err)
		start := time.Now()
		_, err = l.Send(t.Context(), cardEntry())
		inDoubt(t, err)
		require.Equal(t, 5*time.Second, time.Since(start))
	})
	inBubble(t, financial(func(*asked) {}), &isolink.Options{Memory: memory, AnswerTimeout: 7 * time.Second}, func(t *testing.T, _ *scripted, l *isolink.Link) {
		_, err := l.Prepare(t.Context())
		require.NoError(t, err)
		start := time.Now()
		_, err = l.Send(t.Context(), cardEntry())
		inDoubt(t, err)
		require.Equal(t, 7*time.Second, time.Since(start))
	})
}

// After a settlement the terminal signs off where that is wanted, and a screen
// is told of it.
func TestASettlementEndsWithASignOff(t *testing.T) {
	for _, wanted := range []bool{false, true} {
		h := newScripted(t, nil)
		l := h.link(&isolink.Options{SignOffAfterBatch: wanted})
		_, err := l.EndBatch(t.Context(), queue.Batch{HostBatch: 42}, true, 0)
		require.NoError(t, err)
		require.Equal(t, 1, h.told(isolink.BatchEnded))
		n := map[bool]int{true: 1, false: 0}[wanted]
		require.Equal(t, n, h.told(isolink.SignedOff))
		require.Equal(t, n, h.count(0x0820))
		_, err = l.Send(t.Context(), cardEntry())
		require.ErrorIs(t, err, isolink.ErrSignInFirst)
	}
}

type brokenMemory struct{ load, save error }

func (b brokenMemory) Load() ([]byte, error) { return nil, b.load }
func (b brokenMemory) Save([]byte) error     { return b.save }

// A memory that cannot be read or kept costs the knowledge, not the sale.
func TestAMemoryThatFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "memory")
	for name, content := range map[string]string{"cut": `{"form":1,"hou`, "newer": `{"form":2}`, "negative": `{"form":1,"hours":[{"n":-1,"mean":5}]}`,
		"no parameters": `{"form":1,"parameters":"MTI="}`, "long": string(make([]byte, 20<<10))} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		h := newScripted(t, nil)
		l := h.link(&isolink.Options{Memory: isolink.MemoryFile(path)})
		require.Equal(t, 1, h.told(isolink.MemoryLost), name)
		_, err := h.send(l, cardEntry())
		require.NoError(t, err)
		require.Equal(t, 1, h.told(isolink.MemoryLost), name)
		b, err := isolink.MemoryFile(path).Load()
		require.NoError(t, err)
		require.Contains(t, string(b), `"form":1`)
	}
	h := newScripted(t, nil)
	l := h.link(&isolink.Options{Memory: brokenMemory{load: errors.New("no"), save: errors.New("no")}})
	_, err := h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, 2, h.told(isolink.MemoryLost))
	b, err := isolink.MemoryFile(filepath.Join(dir, "none")).Load()
	require.NoError(t, err)
	require.Nil(t, b)
	require.Error(t, isolink.MemoryFile(filepath.Join(dir, "no", "folder")).Save(nil))
}

// The transitions of a session, as a screen is told of them.
func TestTransitions(t *testing.T) {
	h := newScripted(t, nil)
	l := h.link(nil)
	ctx := context.Background()
	_, err := l.Prepare(ctx)
	require.NoError(t, err)
	h.mu.Lock()
	h.conns[0].Close()
	h.mu.Unlock()
	for h.told(isolink.Ready) < 2 { // until the end of the connection is seen
		_, err = l.Prepare(ctx)
		require.NoError(t, err)
	}
	require.NoError(t, l.Renew(ctx))
	require.NoError(t, l.SignOff(ctx))
	require.NoError(t, l.Close())
	var kinds []isolink.EventKind
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range h.events {
		if ev.Kind != isolink.Lost { // the reader tells it, at its own time
			kinds = append(kinds, ev.Kind)
		}
		if ev.Kind == isolink.Ready {
			require.Equal(t, uint32(42), ev.Batch)
		}
	}
	require.Equal(t, []isolink.EventKind{isolink.Connecting, isolink.Connected, isolink.SigningIn, isolink.Ready,
		isolink.Connecting, isolink.Connected, isolink.Ready, isolink.SigningIn, isolink.Ready, isolink.SignedOff, isolink.Ended}, kinds)
}

// A fault of the screen is the screen's own.
func TestAScreenThatPanics(t *testing.T) {
	h := newScripted(t, nil)
	o := patient(&isolink.Options{OnEvent: func(isolink.Event) { panic("no screen") }})
	l, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), h.tmk, o)
	require.NoError(t, err)
	_, err = l.Prepare(context.Background())
	require.NoError(t, err)
	require.NoError(t, l.SignOff(context.Background()))
	require.NoError(t, l.Close())
}

// A sale that meets a host which has other keys by now is asked once more behind a
// sign-in: it is not lost, and stands at the host once.
func TestASaleOutlivesAnotherSignIn(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	_, err := s.Do(ctx, s.link, cardSale("a", 1250))
	require.NoError(t, err)
	_, err = s.newLink(t, cardLane).Prepare(ctx)
	require.NoError(t, err)
	e, err := s.Do(ctx, s.link, cardSale("b", 880))
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	refused, err := s.Get(ctx, e.ID-1)
	require.NoError(t, err)
	require.Equal(t, queue.Declined, refused.State)
	require.Equal(t, "A0", refused.Answer.Code)
	require.NotEqual(t, refused.STAN, e.STAN)
	require.Zero(t, s.agree(t))
}
