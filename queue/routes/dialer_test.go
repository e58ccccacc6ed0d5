package routes

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// wire is a line in a test: it echoes what it is sent, unless it is mute.
type wire struct {
	mu    sync.Mutex
	down  bool          // refuses
	hangs bool          // never connects
	mute  bool          // connects and never answers
	slow  time.Duration // to connect
	dials int
	open  int
	ends  []net.Conn // the host's
}

func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	w.mu.Lock()
	w.dials++
	down, hangs, slow := w.down, w.hangs, w.slow
	w.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	time.Sleep(slow)
	if down {
		return nil, errDown
	}
	near, far := net.Pipe()
	w.mu.Lock()
	w.open++
	w.ends = append(w.ends, far)
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			w.open--
			w.mu.Unlock()
		}()
		b := make([]byte, 64)
		for {
			n, err := far.Read(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			mute := w.mute
			w.mu.Unlock()
			if mute {
				continue
			}
			if _, err := far.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	return near, nil
}

func (w *wire) be(down, hangs, mute bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.hangs, w.mute = down, hangs, mute
}

func (w *wire) state() (dials, open int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dials, w.open
}

func twoLines(t *testing.T, o Options) (d *Dialer, a, b *wire, events *seen) {
	a, b, events = &wire{}, &wire{}, &seen{}
	o.OnEvent = events.on
	d, err := NewDialer(&o, Line{Name: "a", Dial: a.dial}, Line{Name: "b", Dial: b.dial})
	require.NoError(t, err)
	return d, a, b, events
}

// ask sends a question over a connection and waits a second for the answer.
func ask(t *testing.T, c net.Conn) error {
	_, err := c.Write([]byte("hi"))
	require.NoError(t, err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Second)))
	b := make([]byte, 2)
	_, err = c.Read(b)
	return err
}

func lineOf(c net.Conn) string { return c.(*conn).d.lines[c.(*conn).line].Name }

// A line that refuses costs no time, one that hangs a second; the second time
// it is left.
func TestDialTakesTheNextLine(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d, a, _, events := twoLines(t, Options{Probe: time.Hour})
			defer d.Close()
			a.be(!hangs, hangs, false)
			for i := range 3 {
				ctx, cancel := context.WithTimeout(bg, 5*time.Second)
				began := time.Now()
				c, err := d.Dial(ctx)
				require.NoError(t, err)
				require.Equal(t, "b", lineOf(c))
				require.Equal(t, hangs && i < 2, time.Since(began) == time.Second, "dial %d", i)
				require.NoError(t, c.Close())
				cancel()
			}
			require.Equal(t, "b", inUse(d))
			require.Equal(t, []string{"failed a", "failed a", "left a for b"}, events.kinds())
			synctest.Wait()
		})
	}
}

// What a late dial still brings is closed.
func TestOvertakenDialIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, _, _ := twoLines(t, Options{Probe: time.Hour})
		defer d.Close()
		a.slow = 3 * time.Second
		c, err := d.Dial(bg)
		require.NoError(t, err)
		require.Equal(t, "b", lineOf(c))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		dials, open := a.state()
		require.Equal(t, 1, dials)
		require.Zero(t, open)
		require.NoError(t, c.Close())
	})
}

// That no line connects is known when ctx ends, and says why for each.
func TestDialFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, b, _ := twoLines(t, Options{Probe: time.Hour})
		a.be(false, true, false)
		b.be(true, false, false)
		ctx, cancel := context.WithTimeout(bg, 5*time.Second)
		defer cancel()
		began := time.Now()
		_, err := d.Dial(ctx)
		require.ErrorIs(t, err, errDown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "line a")
		require.Equal(t, 5*time.Second, time.Since(began))
		require.NoError(t, d.Close())
		_, err = d.Dial(bg)
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

// Silence on a connection is its line's failure; an end while nothing is owed
// is none.
func TestSilenceLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, _, events := twoLines(t, Options{Probe: time.Hour})
		defer d.Close()
		for range 3 {
			c, err := d.Dial(bg)
			require.NoError(t, err)
			require.NoError(t, ask(t, c))
			require.NoError(t, c.Close())
		}
		require.Empty(t, events.kinds())
		require.Zero(t, d.Health()[0].Failures)
		a.be(false, false, true)
		for range 2 {
			c, err := d.Dial(bg)
			require.NoError(t, err)
			require.Equal(t, "a", lineOf(c))
			require.Error(t, ask(t, c))
			require.NoError(t, c.Close())
			require.NoError(t, c.Close())
		}
		require.Equal(t, []string{"failed a", "failed a", "left a for b"}, events.kinds())
		c, err := d.Dial(bg)
		require.NoError(t, err)
		require.Equal(t, "b", lineOf(c))
		require.NoError(t, ask(t, c))
		require.NoError(t, c.Close())
	})
}

// Once the better line has proved well, a connection over the worse one ends
// when nothing is under way on it, and never before.
func TestConnectionReturnsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, b, _ := twoLines(t, Options{Probe: 10 * time.Second})
		defer d.Close()
		a.be(true, false, false)
		c, err := d.Dial(bg)
		require.NoError(t, err)
		_ = c.Close()
		c, err = d.Dial(bg)
		require.NoError(t, err)
		require.Equal(t, "b", lineOf(c))
		a.be(false, false, false)
		b.be(false, false, true)
		_, err = c.Write([]byte("a payment"))
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Equal(t, "a", inUse(d))
		_, open := b.state()
		require.Equal(t, 1, open, "closed with an answer owed")
		go func() { _, _ = b.ends[len(b.ends)-1].Write([]byte("late")) }()
		n, err := c.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 4, n)
		time.Sleep(time.Minute)
		synctest.Wait()
		_, open = b.state()
		require.Zero(t, open)
		_, err = c.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, err, queue.ErrNotSent, "the link can tell")
		c, err = d.Dial(bg)
		require.NoError(t, err)
		require.Equal(t, "a", lineOf(c))
		_ = c.Close()
	})
}

// A hot line has a connection ready, made anew when it ends; a warm one has
// none.
func TestHotLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, b, _ := twoLines(t, Options{Hot: true, Probe: 10 * time.Second})
		time.Sleep(11 * time.Second)
		synctest.Wait()
		dials, open := b.state()
		require.Equal(t, []int{1, 1}, []int{dials, open})
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		dials, _ = b.state()
		require.Equal(t, 1, dials, "a waiting connection that lives is not made anew")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		dials, open = b.state()
		require.Equal(t, []int{2, 1}, []int{dials, open}, "but when it is old: the network may have forgotten it")
		require.NoError(t, b.ends[1].Close())
		time.Sleep(11 * time.Second)
		synctest.Wait()
		dials, _ = b.state()
		require.Equal(t, 3, dials)
		made := time.Now()
		time.Sleep(5 * time.Minute)
		a.be(true, false, false)
		b.mu.Lock()
		b.slow = time.Hour // only what is ready helps now
		b.mu.Unlock()
		began := time.Now()
		c, err := d.Dial(bg)
		require.NoError(t, err)
		require.Zero(t, time.Since(began))
		require.WithinDuration(t, made, c.(*conn).Opened(), 11*time.Second, "its age is told")
		require.NoError(t, ask(t, c))
		require.NoError(t, c.Close())
		b.mu.Lock()
		b.slow = 0
		b.mu.Unlock()
		time.Sleep(11 * time.Second)
		require.NoError(t, d.Close())
		require.NoError(t, d.Close())
		synctest.Wait()
		_, open = b.state()
		require.Zero(t, open, "Close leaves connections behind")
	})
}

// A waiting connection that has died is not handed out.
func TestDeadSpareIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		s := newSpare(near)
		require.True(t, s.alive())
		require.NoError(t, far.Close())
		synctest.Wait()
		require.False(t, s.alive())
		require.Nil(t, s.take())
		near, far = net.Pipe()
		s = newSpare(near)
		go func() { _, _ = far.Write([]byte("hello")) }()
		synctest.Wait()
		require.Nil(t, s.take(), "a byte was lost from what it said")
		near, far = net.Pipe()
		s = newSpare(near)
		c := s.take()
		require.NotNil(t, c)
		go func() { _, _ = far.Write([]byte("hello")) }()
		n, err := c.Read(make([]byte, 9))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		_, _ = c.Close(), far.Close()
	})
}

// The wait of a hot TLS connection does not spoil it.
func TestHotTLS(t *testing.T) {
	cert := testCertificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				b := make([]byte, 9)
				n, err := c.Read(b)
				if err == nil {
					_, _ = c.Write(b[:n])
				}
				<-time.After(time.Minute)
			}()
		}
	}()
	dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // the test is about the waiting
	c, err := dialer.DialContext(bg, "tcp", l.Addr().String())
	require.NoError(t, err)
	s := newSpare(c)
	require.True(t, s.alive())
	got := s.take()
	require.NotNil(t, got)
	_, err = got.Write([]byte("hi"))
	require.NoError(t, err)
	b := make([]byte, 9)
	n, err := got.Read(b)
	require.NoError(t, err)
	require.Equal(t, "hi", string(b[:n]))
	require.NoError(t, got.Close())
}

func TestNewDialerRefuses(t *testing.T) {
	good := func(context.Context) (net.Conn, error) { return nil, errors.New("no") }
	for _, ls := range [][]Line{{}, {{Name: "a"}}, {{Dial: good}}, {{Name: "a", Dial: good}, {Name: "a", Dial: good}}} {
		_, err := NewDialer(nil, ls...)
		require.Error(t, err)
	}
	d, err := NewDialer(nil, Line{Name: "a", Dial: func(context.Context) (net.Conn, error) { return nil, nil }})
	require.NoError(t, err)
	_, err = d.Dial(bg)
	require.ErrorContains(t, err, "neither")
	require.NoError(t, d.Close())
}

// Where several questions are under way at once, an answer to one does not say
// that the others had theirs.
func TestPipelinedAnswersAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, a, b, _ := twoLines(t, Options{Probe: 10 * time.Second})
		defer d.Close()
		a.be(true, false, false)
		c, err := d.Dial(bg)
		require.NoError(t, err)
		_ = c.Close()
		c, err = d.Dial(bg)
		require.NoError(t, err)
		require.Equal(t, "b", lineOf(c))
		a.be(false, false, false)
		b.be(false, false, true)
		host := b.ends[len(b.ends)-1]
		for _, text := range []string{"one", "two"} {
			_, err = c.Write([]byte(text))
			require.NoError(t, err)
		}
		time.Sleep(2 * time.Minute)
		require.Equal(t, "a", inUse(d))
		go func() { _, _ = host.Write([]byte("1")) }()
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, err)
		time.Sleep(50 * time.Second) // a slow issuer
		synctest.Wait()
		_, open := b.state()
		require.Equal(t, 1, open, "closed with an answer owed")
		go func() { _, _ = host.Write([]byte("2")) }()
		_, err = c.Read(make([]byte, 1))
		require.NoError(t, err)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		_, open = b.state()
		require.Zero(t, open)
	})
}
