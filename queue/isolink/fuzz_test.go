package isolink_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// pipeHost signs in whoever dials it, then answers every message with raw bytes.
type pipeHost struct {
	asked
	raw []byte
}

func (p *pipeHost) dial(context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for {
			frame, err := codec.Framing{}.Read(theirs, nil)
			if err != nil {
				return
			}
			m, err := codec.UnionPay().Decode(frame.Body)
			if err != nil {
				return
			}
			a := &asked{m, p.h, theirs, frame}
			if m.Type() == 0x0800 {
				a.answer("00", nil)
				continue
			}
			if _, err := theirs.Write(p.raw); err != nil {
				return
			}
			return // and closes
		}
	}()
	return ours, nil
}

// FuzzHost lets a host send any bytes instead of an answer: no panic, no hang,
// and never an approval without a right MAC. Memory is bounded by the framing.
func FuzzHost(f *testing.F) {
	tmk := masterKey(f)
	h := &scripted{tmk: tmk, batch: 42}
	e := cardEntry()
	sample := func(code string, change func(*codec.Message)) []byte {
		m := codec.NewMessage(codec.UnionPay(), 0x0200)
		for de, v := range map[int]string{3: "000000", 4: "000000001250", 11: "000007", 41: lane.Terminal, 42: lane.Merchant, 60: "2200004200060"} {
			require.NoError(f, m.Set(de, v))
		}
		h.mak = bytes.Repeat([]byte{9}, 8)
		a := &asked{Message: m, h: h}
		return a.reply(code, change)
	}
	f.Add(sample("00", nil))
	f.Add(sample("51", nil))
	f.Add(sample("10", func(m *codec.Message) { set(m, 4, "000000000001") }))
	f.Add(sample("00", func(m *codec.Message) { set(m, 42, "999999999999999") }))
	f.Add(append(sample("00", func(m *codec.Message) { set(m, 11, "000001") }), sample("94", nil)...))
	f.Add([]byte{0xFF, 0xFF, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &pipeHost{raw: raw}
		p.h = &scripted{tmk: tmk, batch: 42}
		l, err := isolink.New(lane, p.dial, new(series), tmk, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, err = l.Prepare(ctx)
		require.NoError(t, err)
		a, err := l.Send(ctx, e)
		require.False(t, errors.Is(err, context.DeadlineExceeded), "the end of the connection ends the wait")
		require.False(t, errors.Is(err, queue.ErrNotSent), "the message was read: %v", err)
		if err == nil {
			require.NotEqual(t, queue.Approved, a.Verdict, "the key is not known to the fuzzer")
			require.NotEqual(t, queue.Partial, a.Verdict)
		}
		b := queue.Batch{HostBatch: 42}
		_, _, _ = l.SendTotals(ctx, b, queue.Totals{})
		_, _ = l.SendDetail(ctx, b, e)
		_, _ = l.EndBatch(ctx, b, true, 1)
		require.NoError(t, ctx.Err())
		require.NoError(t, l.Close())
	})
}

// FuzzSignIn lets a host answer the sign-in with any bytes.
func FuzzSignIn(f *testing.F) {
	tmk := masterKey(f)
	h := &scripted{tmk: tmk, batch: 42}
	m := codec.NewMessage(codec.UnionPay(), 0x0800)
	for de, v := range map[int]string{11: "900001", 41: lane.Terminal, 42: lane.Merchant, 60: "00000000003"} {
		require.NoError(f, m.Set(de, v))
	}
	f.Add((&asked{Message: m, h: h}).reply("00", nil))
	f.Add((&asked{Message: m, h: h}).reply("97", nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dial := func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := (codec.Framing{}).Read(theirs, nil); err == nil {
					_, _ = theirs.Write(raw)
				}
			}()
			return ours, nil
		}
		l, err := isolink.New(lane, dial, new(series), tmk, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		line, err := l.Prepare(ctx)
		if err == nil {
			require.Positive(t, line.HostBatch)
		}
		require.NoError(t, ctx.Err())
		require.NoError(t, l.Close())
	})
}
