package isolink_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"testing"

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
		l, err := isolink.New(lane, p.dial, new(series), tmk, patient(nil))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), plenty)
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
		l, err := isolink.New(lane, dial, new(series), tmk, patient(&isolink.Options{Tries: 1}))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), plenty)
		defer cancel()
		line, err := l.Prepare(ctx)
		if err == nil {
			require.Positive(t, line.HostBatch)
		}
		require.NoError(t, ctx.Err())
		require.NoError(t, l.Close())
	})
}

// FuzzWindow lets a host send any bytes while three entries are under way: each
// wait ends, none with an approval, and the connection's end ends them all.
func FuzzWindow(f *testing.F) {
	tmk := masterKey(f)
	answer := func(stan, code string) []byte {
		h := &scripted{tmk: tmk, batch: 42, mak: bytes.Repeat([]byte{9}, 8)}
		m := codec.NewMessage(codec.UnionPay(), 0x0200)
		for de, v := range map[int]string{3: "000000", 4: "000000001250", 11: stan, 41: lane.Terminal, 42: lane.Merchant, 60: "2200004200060"} {
			require.NoError(f, m.Set(de, v))
		}
		return (&asked{Message: m, h: h}).reply(code, nil)
	}
	f.Add(append(append(answer("000003", "51"), answer("000001", "00")...), answer("000002", "96")...))
	f.Add(append(answer("000002", "51"), answer("000002", "51")...))
	f.Add(append([]byte{0, 13, 0x60, 0, 0, 0, 3, 0x60, 0x31, 0, 0x31, 0, 0, 0xFF, 0xFF}, answer("000001", "05")...))
	f.Add(append(answer("000009", "00"), 0, 1))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := &scripted{tmk: tmk, batch: 42}
		n := 0
		dial := func(context.Context) (net.Conn, error) {
			return h.piped(func(a *asked) {
				if n++; n == 3 {
					_, _ = a.conn.Write(raw)
					a.conn.Close()
				}
			}), nil
		}
		l, err := isolink.New(lane, dial, new(series), tmk, patient(&isolink.Options{Window: 3}))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), plenty)
		defer cancel()
		_, err = l.Prepare(ctx)
		require.NoError(t, err)
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				a, err := l.Send(ctx, numbered(i+1))
				if err != nil && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, queue.ErrNotSent)) {
					t.Errorf("entry %d: %v", i+1, err)
				}
				if err == nil && (a.Verdict == queue.Approved || a.Verdict == queue.Partial) {
					t.Errorf("entry %d: approved without the key", i+1)
				}
			})
		}
		all.Wait()
		_ = l.LateAnswers()
		require.NoError(t, l.Close())
	})
}

// FuzzISO lets a host of ISO 8583:1987 answer the sign-on and then totals with
// any bytes.
func FuzzISO(f *testing.F) {
	spec, framing := codec.ISO1987ASCII(), codec.Framing{NoTPDU: true, NoHeader: true}
	answer := func(t codec.MTI, fields map[int]string) []byte {
		m := codec.NewMessage(spec, t)
		for de, v := range fields {
			require.NoError(f, m.Set(de, v))
		}
		body, err := spec.Append(nil, m)
		require.NoError(f, err)
		wire, err := framing.Append(nil, codec.Frame{Body: body})
		require.NoError(f, err)
		return wire
	}
	us := func(more map[int]string) map[int]string {
		more[11], more[41], more[42] = "900002", lane.Terminal, lane.Merchant
		return more
	}
	f.Add(answer(0x0510, us(map[int]string{39: "00", 66: "1", 50: "156", 74: "0000000000", 97: "C0000000000000000"})))
	f.Add(answer(0x0510, us(map[int]string{39: "95", 66: "2"})))
	f.Add(answer(0x0510, us(map[int]string{66: "9"})))
	signedOn := answer(0x0810, map[int]string{11: "900001", 39: "00", 41: lane.Terminal, 42: lane.Merchant})
	f.Fuzz(func(t *testing.T, raw []byte) {
		dial := func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := framing.Read(theirs, nil); err != nil {
					return
				}
				_, err := theirs.Write(signedOn)
				if err != nil {
					return
				}
				if _, err := framing.Read(theirs, nil); err == nil {
					_, _ = theirs.Write(raw)
				}
			}()
			return ours, nil
		}
		l, err := isolink.New(lane, dial, new(series), nil, patient(&isolink.Options{Style: isolink.ISO1987, Tries: 1}))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), plenty)
		defer cancel()
		said, _, err := l.SendTotals(ctx, queue.Batch{}, queue.Totals{Currency: queue.CNY})
		require.NoError(t, ctx.Err())
		require.True(t, err != nil || said != 0)
		require.NoError(t, l.Close())
	})
}
