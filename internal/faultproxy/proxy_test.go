package faultproxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultproxy"
)

// echo sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { _, _ = io.Copy(c, c); c.Close() })
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}

func frame(text string) []byte { return append([]byte{0, byte(len(text))}, text...) }

func dial(t *testing.T, p *faultproxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func write(t *testing.T, c net.Conn, b ...[]byte) {
	t.Helper()
	_, err := c.Write(bytes.Join(b, nil))
	require.NoError(t, err)
}

func read(t *testing.T, c net.Conn, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	return string(b)
}

// Each fault does what it says to the unit that it strikes, and to no other.
func TestFaults(t *testing.T) {
	second := func(u []byte) bool { return bytes.HasSuffix(u, []byte("two")) }
	one, two, six := string(frame("one")), string(frame("two")), string(frame("six"))
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		for _, x := range []struct {
			fault faultproxy.Fault
			want  string
			ends  bool
		}{
			{faultproxy.Fault{Kind: faultproxy.Drop}, one + six, false},
			{faultproxy.Fault{Kind: faultproxy.Duplicate}, one + two + two + six, false},
			{faultproxy.Fault{Kind: faultproxy.Corrupt, At: -1}, one + two[:4] + "\x90" + six, false},
			{faultproxy.Fault{Kind: faultproxy.Truncate, At: 3}, one + two[:3] + six, false},
			{faultproxy.Fault{Kind: faultproxy.Delay, For: time.Millisecond}, one + two + six, false},
			{faultproxy.Fault{Kind: faultproxy.Trickle, At: 2, For: time.Millisecond}, one + two + six, false},
			{faultproxy.Fault{Kind: faultproxy.Cut, At: 3}, one + two[:3], true},
			{faultproxy.Fault{Kind: faultproxy.Cut, At: 99}, one + two, true},
		} {
			if x.fault.Kind == faultproxy.Truncate && to == faultproxy.ToHost {
				continue // what the echo sends back are no frames then
			}
			t.Run(fmt.Sprintf("%s %s", x.fault.Kind, to), func(t *testing.T) {
				p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
				require.NoError(t, err)
				defer p.Close()
				x.fault.To, x.fault.Match = to, second
				p.Strike(x.fault)
				c := dial(t, p)
				write(t, c, []byte(one))
				require.Equal(t, one, read(t, c, len(one)))
				write(t, c, []byte(two), []byte(six))
				want := x.want[len(one):]
				if x.ends { // on its way back, what passed may be cut as well
					got, _ := io.ReadAll(c)
					require.LessOrEqual(t, len(got), len(want))
					require.Equal(t, want[:len(got)], string(got))
				} else {
					require.Equal(t, want, read(t, c, len(want)))
				}
				require.Equal(t, 1, p.Struck())
			})
		}
	}
}

func TestDarkness(t *testing.T) {
	for _, kind := range []faultproxy.Kind{faultproxy.BlackHole, faultproxy.HalfOpen} {
		p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
		require.NoError(t, err)
		p.Strike(faultproxy.Fault{Kind: kind, At: 99})
		c := dial(t, p)
		write(t, c, frame("one"))
		for p.Struck() == 0 {
			write(t, c, frame("two"))
		}
		write(t, c, frame("six"))
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		for err == nil {
			_, err = c.Read(make([]byte, 64)) // what was on its way back may still come
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%s: nothing comes, and nothing is closed", kind)
		require.NoError(t, p.Close())
	}
}

func TestReset(t *testing.T) {
	p, err := faultproxy.Listen(echo(t), nil)
	require.NoError(t, err)
	defer p.Close()
	p.Strike(faultproxy.Fault{Kind: faultproxy.Reset})
	c := dial(t, p)
	write(t, c, []byte("x"))
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF, "no orderly end")
}

func TestRefuse(t *testing.T) {
	p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
	require.NoError(t, err)
	defer p.Close()
	c := dial(t, p)
	write(t, c, frame("one"))
	require.Equal(t, string(frame("one")), read(t, c, 5))
	p.Refuse()
	_, err = c.Read(make([]byte, 1))
	require.Error(t, err)
	_, err = net.Dial("tcp", p.Addr())
	require.Error(t, err)
	require.NoError(t, p.Admit())
	require.NoError(t, p.Admit())
	c = dial(t, p)
	p.Strike(faultproxy.Fault{Kind: faultproxy.Drop})
	p.Calm()
	write(t, c, frame("two"))
	require.Equal(t, string(frame("two")), read(t, c, 5))
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	require.NoError(t, p.Admit())
	_, err = net.Dial("tcp", p.Addr())
	require.Error(t, err)
}

// A port that another program was given while the proxy refused is waited for.
func TestAdmitWaitsForItsPort(t *testing.T) {
	p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
	require.NoError(t, err)
	defer p.Close()
	p.Refuse()
	other, err := net.Listen("tcp", p.Addr())
	require.NoError(t, err)
	admitted := make(chan error, 1)
	go func() { admitted <- p.Admit() }()
	select {
	case err := <-admitted:
		require.Fail(t, "admitted without its port", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, other.Close())
	require.NoError(t, <-admitted)
	c := dial(t, p)
	write(t, c, frame("one"))
	require.Equal(t, string(frame("one")), read(t, c, 5))
}

func TestTheLastPieceIsAUnit(t *testing.T) {
	n, unit, err := faultproxy.Frames([]byte{0, 9, 1}, true)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Len(t, unit, 3)
	n, unit, err = faultproxy.Frames([]byte{0, 9, 1}, false)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Nil(t, unit)
	n, unit, err = faultproxy.Records([]byte{22, 3, 3, 0, 1, 7, 22}, false)
	require.NoError(t, err)
	require.Equal(t, 6, n)
	require.Len(t, unit, 6)
	n, _, err = faultproxy.Records([]byte{22, 3, 3, 0}, false)
	require.NoError(t, err)
	require.Zero(t, n)
}

// A shaped line takes its time, keeps the order and loses nothing, not even what
// was under way when the sender hung up.
func TestAShapedLine(t *testing.T) {
	for name, shape := range map[string]faultproxy.Shape{
		"slow":     {Latency: 20 * time.Millisecond},
		"unsteady": {Latency: time.Millisecond, Jitter: 5 * time.Millisecond},
		"narrow":   {Rate: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
			require.NoError(t, err)
			defer p.Close()
			p.Shape(shape)
			start := time.Now()
			c := dial(t, p)
			want := ""
			for i := range 20 {
				u := frame(fmt.Sprintf("unit %02d", i))
				want += string(u)
				write(t, c, u)
			}
			require.Equal(t, want, read(t, c, len(want)))
			least := 4 * shape.Latency // there and back, after a round trip to connect
			if shape.Rate > 0 {
				least = time.Duration(len(want)) * time.Second / time.Duration(shape.Rate)
			}
			require.GreaterOrEqual(t, time.Since(start), least)
			p.Strike(faultproxy.Fault{Kind: faultproxy.Cut, At: 99})
			write(t, c, frame("last"))
			_, err = io.ReadAll(c)
			require.NoError(t, err)
		})
	}
}

// StrikeEach decides for each unit.
func TestStrikeEach(t *testing.T) {
	p, err := faultproxy.Listen(echo(t), faultproxy.Frames)
	require.NoError(t, err)
	defer p.Close()
	p.StrikeEach(func(to faultproxy.Direction, unit []byte) (faultproxy.Fault, bool) {
		return faultproxy.Fault{Kind: faultproxy.Drop}, to == faultproxy.ToHost && unit[2] == 'x'
	})
	c := dial(t, p)
	write(t, c, frame("x"), frame("y"), frame("x"), frame("z"))
	require.Equal(t, string(frame("y"))+string(frame("z")), read(t, c, 6))
	require.Equal(t, 2, p.Struck())
}
