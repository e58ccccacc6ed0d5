package attach_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/attach"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

var (
	bg   = context.Background()
	lane = queue.Lane{Host: "office", Merchant: "M", Terminal: "T1"}
)

// rig is a device with an outbox, and its ledger behind a line that a test can
// cut.
type rig struct {
	*queue.Queue
	t      *testing.T
	box    *attach.Outbox
	dir    string
	ledger *ledger.Ledger
	link   *httplink.Link
	sender *attach.Sender

	mu    sync.Mutex
	seen  []string
	limit int64               // bytes of a PATCH that pass before the line is cut; -1: all
	hook  func(*http.Request) // called before a request is served
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, limit: -1, dir: filepath.Join(t.TempDir(), "outbox")}
	l, err := ledger.New(bg, ledger.OpenMemory(), ed25519.NewKeyFromSeed(make([]byte, 32)), &ledger.Options{Attachments: t.TempDir()})
	require.NoError(t, err)
	r.ledger = l
	require.NoError(t, l.SetDevice(bg, ledger.Device{Name: "till"}))
	token, err := l.Token(bg, "till")
	require.NoError(t, err)
	h := l.Handler()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Header.Set("Authorization", "Bearer "+token) // the rig's line is plain
		r.pass(h, w, q)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()
	t.Cleanup(server.Close)
	r.Queue, err = queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, PrepareTimeout: time.Minute, RetryMin: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	r.link, err = httplink.New(lane, server.URL, r.Queue, &httplink.Options{Plain: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.link.Close() })
	c, err := client.New(server.URL, r.Queue, &client.Options{Plain: true})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	r.open()
	r.sender = &attach.Sender{Outbox: r.box, Client: c, Journal: r.Queue, Part: 1000}
	return r
}

func (r *rig) open() {
	box, err := attach.Open(r.dir, nil)
	require.NoError(r.t, err)
	r.box = box
	r.t.Cleanup(func() { _ = box.Close() })
}

func (r *rig) pass(h http.Handler, w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, q.Method)
	limit, hook := r.limit, r.hook
	r.mu.Unlock()
	if hook != nil {
		hook(q)
	}
	if q.Method != http.MethodPatch || limit < 0 {
		h.ServeHTTP(w, q)
		return
	}
	q.Body = io.NopCloser(io.MultiReader(io.LimitReader(q.Body, limit), failing{}))
	h.ServeHTTP(httptest.NewRecorder(), q)
	panic(http.ErrAbortHandler) // the line is cut
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (r *rig) set(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
}

func photo(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i >> 3)
	}
	return b
}

// A line that is cut in each part, and a device that starts anew each time: the
// attachment arrives, to the byte, and leaves the outbox.
func TestUploadGoesOnAfterEveryCut(t *testing.T) {
	r := newRig(t)
	data := photo(5_500)
	it, err := r.box.Add(bg, 7, "image/jpeg", bytes.NewReader(data))
	require.NoError(t, err)
	again, err := r.box.Add(bg, 7, "image/jpeg", bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, it, again)
	r.set(func() { r.limit = 617 })
	for n := 1; n <= 3; n++ {
		require.Error(t, r.sender.Send(bg))
		a, err := r.ledger.Attachment(bg, "till", it.Hash)
		require.NoError(t, err)
		require.EqualValues(t, 617*n, a.Have, "what came through is kept")
		require.NoError(t, r.box.Close())
		r.open()
		r.sender.Outbox = r.box
	}
	r.set(func() { r.limit = -1 })
	sent := 0
	r.sender.OnSent = func(x attach.Item) { require.Equal(t, it, x); sent++ }
	require.NoError(t, r.sender.Send(bg))
	require.Equal(t, 1, sent)
	got, err := r.ledger.Read(bg, "till", it.Hash)
	require.NoError(t, err)
	require.Equal(t, data, got)
	of, err := r.ledger.AttachmentsOf(bg, r.JournalID(), 7)
	require.NoError(t, err)
	require.Len(t, of, 1)
	left, err := r.box.Items()
	require.NoError(t, err)
	require.Empty(t, left)
}

// Money goes first: while an entry waits no byte of an attachment leaves, and
// one that is under way is broken off and goes on later.
func TestNeverAheadOfMoney(t *testing.T) {
	r := newRig(t)
	sell := func(ref string) {
		_, err := r.Append(bg, queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 1, Currency: queue.CNY}})
		require.NoError(t, err)
	}
	_, err := r.box.Add(bg, 1, "image/jpeg", bytes.NewReader(photo(5_500)))
	require.NoError(t, err)
	sell("a")
	require.ErrorIs(t, r.sender.Send(bg), attach.ErrWaits)
	require.Empty(t, r.seen, "not even an announcement")
	r.sender.Lanes = []queue.Lane{{Host: "other", Merchant: "M", Terminal: "T"}}
	require.NoError(t, r.Drain(bg, lane, r.link))
	r.sender.Lanes = []queue.Lane{lane}

	// A sale comes in the middle of the second part, which ends for that alone.
	parts := 0
	r.set(func() {
		r.hook = func(q *http.Request) {
			if q.Method != http.MethodPatch {
				return
			}
			if parts++; parts == 2 {
				_, _ = io.Copy(io.Discard, q.Body)
				sell("b")
				<-q.Context().Done()
			}
		}
	})
	require.ErrorIs(t, r.sender.Send(bg), attach.ErrWaits)
	require.Equal(t, 2, parts)
	require.ErrorIs(t, r.sender.Send(bg), attach.ErrWaits)
	require.Equal(t, 2, parts)
	require.NoError(t, r.Drain(bg, lane, r.link))
	require.NoError(t, r.sender.Send(bg))
	left, err := r.box.Items()
	require.NoError(t, err)
	require.Empty(t, left)
}

// Run sends what is added, goes on after failures, and ends with its context.
func TestRun(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(bg)
	sent, failed := make(chan attach.Item, 10), make(chan error, 100)
	r.sender.Pause = time.Millisecond
	r.sender.OnSent = func(x attach.Item) { sent <- x }
	r.sender.OnError = func(_ attach.Item, err error) {
		select {
		case failed <- err:
		default:
		}
	}
	r.set(func() { r.limit = 10 })
	done := make(chan error)
	go func() { done <- r.sender.Run(ctx) }()
	it, err := r.box.Add(bg, 1, "image/png", bytes.NewReader(photo(300)))
	require.NoError(t, err)
	require.Error(t, <-failed)
	r.set(func() { r.limit = -1 })
	require.Equal(t, it, <-sent)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	r.sender.Pause = time.Hour // only what is added ends a wait now
	ctx, cancel = context.WithCancel(bg)
	go func() { done <- r.sender.Run(ctx) }()
	it, err = r.box.Add(bg, 2, "image/png", bytes.NewReader(photo(301)))
	require.NoError(t, err)
	require.Equal(t, it, <-sent)
	it, err = r.box.Add(bg, 3, "image/png", bytes.NewReader(photo(302)))
	require.NoError(t, err)
	require.Equal(t, it, <-sent)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestOutbox(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "box")
	b, err := attach.Open(dir, &attach.Options{MaxCount: 2, MaxBytes: 100})
	require.NoError(t, err)
	_, err = attach.Open(dir, nil)
	require.Error(t, err, "one opener")
	var full *attach.FullError
	for _, n := range []int{0, ledger.MaxAttachment + 1, 101} {
		_, err = b.Add(bg, 1, "a/b", bytes.NewReader(make([]byte, n)))
		require.ErrorAs(t, err, &full)
	}
	for _, media := range []string{"", "a b", "a\nb", strings.Repeat("a", 65)} {
		_, err = b.Add(bg, 1, media, strings.NewReader("x"))
		require.Error(t, err)
	}
	first, err := b.Add(bg, 2, "a/b", strings.NewReader("second"))
	require.NoError(t, err)
	_, err = b.Add(bg, 1, "a/b", strings.NewReader("first"))
	require.NoError(t, err)
	_, err = b.Add(bg, 3, "a/b", strings.NewReader("third"))
	require.ErrorAs(t, err, &full)
	// What a crash left half written was never acknowledged; what rots is kept
	// aside.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new-half"), []byte("x"), 0o600))
	require.NoError(t, b.Close())
	b, err = attach.Open(dir, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	all, err := b.Items()
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, first, all[1])
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
		}
		require.NotContains(t, f.Name(), "new-")
		if strings.HasSuffix(f.Name(), ".att") {
			require.NoError(t, os.WriteFile(filepath.Join(dir, f.Name()), []byte("TS"), 0o600))
		}
	}
	all, err = b.Items()
	require.NoError(t, err)
	require.Empty(t, all)
	damaged, err := filepath.Glob(filepath.Join(dir, "*.damaged"))
	require.NoError(t, err)
	require.Len(t, damaged, 2)
}
