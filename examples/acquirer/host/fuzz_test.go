package host

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// FuzzAnswer sends the host whatever may come under a good MAC: it neither
// panics nor stops, and what it answers can be decoded.
func FuzzAnswer(f *testing.F) {
	s, err := Listen(Config{Now: func() time.Time { return time.Unix(0, 0) }})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, s.Close()) })
	mak := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	mac, err := codec.NewECBMAC(mak)
	require.NoError(f, err)
	require.NoError(f, s.update(func(b books) error {
		return b.saveTerminal(&terminalRecord{MAK: mak, Terminal: Terminal{ID: testTerminal, Merchant: testMerchant, Batch: 1, SignedIn: true}})
	}))
	for _, m := range seeds(f, mac) {
		body, err := codec.UnionPay().Append(nil, m)
		require.NoError(f, err)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := codec.UnionPay().Decode(body)
		if err != nil {
			return
		}
		for de, v := range map[int]string{41: testTerminal, 42: testMerchant} {
			require.NoError(t, m.Set(de, v))
		}
		if m.Has(64) {
			if body, err = codec.UnionPay().AppendMAC(nil, m, mac); err != nil {
				return
			}
		} else if body, err = codec.UnionPay().Append(nil, m); err != nil {
			return
		}
		a, err := s.answer(codec.Framing{}, codec.Frame{Body: body})
		require.NoError(t, context.Cause(s.ctx), "the host goes on")
		if err != nil {
			return
		}
		frame, err := codec.Framing{}.Decode(a.frame)
		require.NoError(t, err)
		_, err = codec.UnionPay().Decode(frame.Body)
		require.NoError(t, err)
	})
}

// seeds are one message of each kind.
func seeds(f *testing.F, mac codec.MAC) []*codec.Message {
	p := &pos{t: f, terminal: testTerminal, merchant: testMerchant, batch: 1, mac: mac}
	sale := p.sale(100)
	answered := p.message(0x0210, codec.Private60{})
	p.set(answered, 37, "000000000001")
	up := p.message(mtiUpload, codec.Private60{Type: codec.TypeOfflineSale, Batch: 1, Digits: 11})
	for de, v := range map[int]string{3: "000000", 4: twelve(7), 11: "000099", 22: "000"} {
		p.set(up, de, v)
	}
	return []*codec.Message{
		sale, p.qrSale(100, "6212345678901234567"), p.offline(100, testCard), p.offline(100, ""),
		p.void(sale, answered), p.refund(sale, answered, 5), p.reversal(sale), p.settle(codec.Totals48{}),
		p.details(codec.Details48{{STAN: 3, Amount: 4}}), up, p.end(codec.NetBatchEnd, 1), p.echo(),
		p.message(mtiSignIn, codec.Private60{Network: codec.NetSignInDouble}),
	}
}
