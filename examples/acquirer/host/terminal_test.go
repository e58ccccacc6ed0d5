package host

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

const (
	testTerminal = "10000001"
	testMerchant = "898100000000001"
	testCard     = "6221558812340000"
	testVisa     = "4111111111111111"
	patience     = 5 * time.Minute // bounds a test that hangs; nothing is measured by it
)

// start runs a host until the test ends.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Listen(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-done)
	})
	return s
}

// pos is a small terminal.
type pos struct {
	t testing.TB
	net.Conn
	terminal string
	merchant string
	batch    int
	stan     int
	mac      codec.MAC
}

// dial connects a terminal that has not signed in.
func dial(t *testing.T, addr string) *pos {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &pos{t: t, Conn: c, terminal: testTerminal, merchant: testMerchant}
}

// open connects a terminal and signs it in.
func open(t *testing.T, addr string) *pos {
	t.Helper()
	p := dial(t, addr)
	p.signIn(codec.NetSignInDouble)
	return p
}

func (p *pos) message(mti codec.MTI, d60 codec.Private60) *codec.Message {
	m := codec.NewMessage(codec.UnionPay(), mti)
	p.set(m, 41, p.terminal)
	p.set(m, 42, p.merchant)
	p.setValue(m, 60, d60)
	return m
}

func (p *pos) set(m *codec.Message, de int, v string) {
	p.t.Helper()
	require.NoError(p.t, m.Set(de, v))
}

func (p *pos) setValue(m *codec.Message, de int, v codec.Value) {
	p.t.Helper()
	require.NoError(p.t, m.SetValue(de, v))
}

// next draws a STAN for m.
func (p *pos) next(m *codec.Message) int {
	p.stan++
	p.set(m, 11, six(p.stan))
	return p.stan
}

func (p *pos) frame(m *codec.Message) []byte {
	p.t.Helper()
	var body []byte
	var err error
	switch m.Type() {
	case mtiFinancial, mtiAdvice, mtiReversal:
		require.NotNil(p.t, p.mac, "sign in first")
		body, err = codec.UnionPay().AppendMAC(nil, m, p.mac)
	default:
		body, err = codec.UnionPay().Append(nil, m)
	}
	require.NoError(p.t, err)
	tpdu, err := codec.ParseTPDU("6000030000")
	require.NoError(p.t, err)
	header, err := codec.ParseHeader("603100311300")
	require.NoError(p.t, err)
	out, err := codec.Framing{}.Append(nil, codec.Frame{TPDU: tpdu, Header: header, Body: body})
	require.NoError(p.t, err)
	return out
}

func (p *pos) send(m *codec.Message) {
	p.t.Helper()
	_, err := p.Write(p.frame(m))
	require.NoError(p.t, err)
}

// receive reads one answer and checks its MAC, if it has one.
func (p *pos) receive() *codec.Message {
	p.t.Helper()
	f, err := codec.Framing{}.Read(p, nil)
	require.NoError(p.t, err)
	require.Equal(p.t, "6000000003", f.TPDU.String())
	m, err := codec.UnionPay().Decode(f.Body)
	require.NoError(p.t, err)
	if m.Has(64) {
		require.NoError(p.t, codec.VerifyMAC(f.Body, m, p.mac))
	}
	return m
}

// gone waits for the host to close the connection.
func (p *pos) gone() {
	p.t.Helper()
	_, err := io.Copy(io.Discard, p)
	require.NotErrorIs(p.t, err, os.ErrDeadlineExceeded, "the connection is still open")
}

func (p *pos) ask(m *codec.Message) *codec.Message {
	p.t.Helper()
	p.send(m)
	a := p.receive()
	require.Equal(p.t, m.Type().Response(), a.Type())
	for _, de := range []int{3, 4, 11, 41, 42} {
		want, ok := m.Text(de)
		if got, has := a.Text(de); ok && has {
			require.Equal(p.t, want, got, "DE %d", de)
		}
	}
	return a
}

// codeOf asks and gives DE 39.
func (p *pos) codeOf(m *codec.Message) string {
	p.t.Helper()
	v, _ := p.ask(m).Text(39)
	return v
}

func (p *pos) signIn(network int) *codec.Message {
	p.t.Helper()
	m := p.message(mtiSignIn, codec.Private60{Batch: 172, Network: network})
	p.next(m)
	p.set(m, 63, "01 ")
	a := p.ask(m)
	p.took(a)
	return a
}

// took takes the batch number and the keys of a sign-in's answer.
func (p *pos) took(a *codec.Message) {
	p.t.Helper()
	if v, _ := a.Text(39); v != "00" {
		return
	}
	d60, _ := a.Text(60)
	got, err := codec.ParsePrivate60(d60)
	require.NoError(p.t, err)
	p.batch = got.Batch
	raw, _ := a.Bytes(62)
	keys, err := codec.ParseWorkingKeys(raw)
	require.NoError(p.t, err)
	master, err := codec.NewMasterKey(DefaultTMK())
	require.NoError(p.t, err)
	p.mac, err = master.LoadMAC(keys.MAC)
	require.NoError(p.t, err)
	_, err = master.Unwrap(keys.PIN)
	require.NoError(p.t, err)
}

// echo asks for a sign of life.
func (p *pos) echo() *codec.Message {
	return p.message(mtiNetwork, codec.Private60{Batch: p.batch, Network: codec.NetEcho})
}

// transaction builds a message with the fields that all of them have.
func (p *pos) transaction(mti codec.MTI, kind int, processing, entry string, amount int64) *codec.Message {
	m := p.message(mti, codec.Private60{Type: kind, Batch: p.batch, Capability: 6})
	p.next(m)
	p.set(m, 3, processing)
	p.set(m, 4, twelve(amount))
	p.set(m, 22, entry)
	p.set(m, 25, "00")
	p.set(m, 49, "156")
	return m
}

func (p *pos) sale(amount int64) *codec.Message {
	m := p.transaction(mtiFinancial, codec.TypeSale, "000000", "051", amount)
	p.set(m, 2, testCard)
	return m
}

func (p *pos) qrSale(amount int64, code string) *codec.Message {
	m := p.transaction(mtiFinancial, codec.TypeSale, "000000", "032", amount)
	p.set(m, 59, "A3019"+code)
	return m
}

func (p *pos) offline(amount int64, card string) *codec.Message {
	entry := "051"
	if card == "" {
		entry = "000"
	}
	m := p.transaction(mtiAdvice, codec.TypeOfflineSale, "000000", entry, amount)
	if card != "" {
		p.set(m, 2, card)
	}
	return m
}

// void builds the void of an answered sale.
func (p *pos) void(sale, answered *codec.Message) *codec.Message {
	m := p.transaction(mtiFinancial, codec.TypeSaleVoid, "200000", "051", amountOf(sale))
	p.refer(m, sale, answered)
	return m
}

func (p *pos) refund(sale, answered *codec.Message, amount int64) *codec.Message {
	m := p.transaction(mtiAdvice, codec.TypeRefund, "200000", "051", amount)
	p.refer(m, sale, answered)
	p.set(m, 63, "000")
	return m
}

func (p *pos) refer(m, sale, answered *codec.Message) {
	rrn, _ := answered.Text(37)
	p.set(m, 37, rrn)
	p.setValue(m, 61, codec.Original61{Batch: p.batchOf(sale), STAN: stanOf(sale)})
	p.set(m, 2, testCard)
}

// reversal builds the 0400 of a sale or void.
func (p *pos) reversal(of *codec.Message) *codec.Message {
	m := codec.NewMessage(codec.UnionPay(), mtiReversal)
	for _, de := range []int{2, 3, 4, 11, 22, 25, 41, 42, 49, 60, 61} {
		if v, ok := of.Text(de); ok {
			p.set(m, de, v)
		}
	}
	p.set(m, 39, "98")
	return m
}

func (p *pos) settle(t codec.Totals48) *codec.Message {
	m := p.message(mtiSettle, codec.Private60{Batch: p.batch, Network: codec.NetBatch})
	p.next(m)
	p.setValue(m, 48, t)
	p.set(m, 49, "156")
	p.set(m, 63, "01 ")
	return m
}

func (p *pos) details(l codec.Details48) *codec.Message {
	m := p.message(mtiUpload, codec.Private60{Batch: p.batch, Network: codec.NetBatch})
	p.next(m)
	p.setValue(m, 48, l)
	return m
}

func (p *pos) end(network, count int) *codec.Message {
	m := p.message(mtiUpload, codec.Private60{Batch: p.batch, Network: network})
	p.next(m)
	p.setValue(m, 48, codec.UploadCount48(count))
	return m
}

func (p *pos) batchOf(m *codec.Message) int {
	v, _ := m.Text(60)
	d, err := codec.ParsePrivate60(v)
	require.NoError(p.t, err)
	return d.Batch
}

// verdicts gives the two result digits of a 0510.
func (p *pos) verdicts(a *codec.Message) (inland, foreign codec.Verdict) {
	p.t.Helper()
	v, _ := a.Text(48)
	got, err := codec.ParseTotals48(v)
	require.NoError(p.t, err)
	return got.Inland.Verdict, got.Foreign.Verdict
}

func six(n int) string { return padded(int64(n), 6) }

func twelve(n int64) string { return padded(n, 12) }

func padded(n int64, digits int) string {
	b := make([]byte, digits)
	for i := range b {
		b[digits-1-i] = byte('0' + n%10)
		n /= 10
	}
	return string(b)
}

func number(m *codec.Message, de int) (n int64) {
	v, _ := m.Text(de)
	for _, c := range []byte(v) {
		n = n*10 + int64(c-'0')
	}
	return n
}

func stanOf(m *codec.Message) int { return int(number(m, 11)) }

func amountOf(m *codec.Message) int64 { return number(m, 4) }

func ledgerPath(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger") }

// stopAndRead stops a host and reads its ledger.
func stopAndRead(t *testing.T, s *Server) Ledger {
	t.Helper()
	require.NoError(t, s.Close())
	l, err := ReadLedger(s.cfg.Ledger)
	require.NoError(t, err)
	return l
}
