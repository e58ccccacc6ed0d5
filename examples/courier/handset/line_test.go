package handset

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLineReadsWhatItWrites(t *testing.T) {
	l := newLine("answer").with("ref", "A/2").with("why", `it said "no": a=b`).with("empty", "").number("n", -5).with("zh", "运单 1")
	require.Equal(t, l, ParseLine(l.String()))
	require.Equal(t, `it said "no": a=b`, ParseLine(l.String()).Get("why"))
	require.EqualValues(t, -5, ParseLine(l.String()).Number("n"))
}

func FuzzParseLine(f *testing.F) {
	f.Add(`answer ref=A why="x y" n=1`)
	f.Add(`mark ="`)
	f.Fuzz(func(t *testing.T, text string) {
		l := ParseLine(text)
		require.Equal(t, l.String(), ParseLine(l.String()).String())
	})
}

func TestAnswerReadsWhatItWrites(t *testing.T) {
	a := Answer{Ref: "A", Of: "B", State: Stored, Op: "refund", Tender: "cash", Fen: 1205, Entry: 7, Terminal: "10000002",
		Batch: 3, STAN: 12, Offline: true, Code: "00", Why: "because it is so"}
	require.Equal(t, a, ParseAnswer(ParseLine(a.Line().String())))
	require.Contains(t, a.Line().String(), "amount=12.05")
}

func TestAmounts(t *testing.T) {
	for text, fen := range map[string]int64{"1": 100, "0.01": 1, "0.1": 10, "12.50": 1250, "50000": 5_000_000, "007": 700} {
		got, err := parseFen(text)
		require.NoError(t, err, text)
		require.Equal(t, fen, got, text)
	}
	for _, text := range []string{"", ".", "1.", ".1", "0", "0.00", "-1", "+1", "1,5", "1.234", "1e2", "50000.01", "99999999999", "１", "1 "} {
		_, err := parseFen(text)
		require.Error(t, err, text)
	}
	require.Equal(t, "12.05", Yuan(1205))
	require.Equal(t, "-0.01", Yuan(-1))
}

// TestNothingComesThroughATunnel: what the host answers before the line is off is
// not heard any more, however fast it was.
func TestNothingComesThroughATunnel(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	answered := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			defer c.Close()
			_, err = io.CopyN(c, c, 1)
		}
		answered <- err
		_, _ = io.Copy(io.Discard, c)
	}()
	w := newWire(false)
	c, err := w.dial(ln.Addr().String(), func() {
		require.NoError(t, <-answered)
		w.set(true)
	})(t.Context())
	require.NoError(t, err)
	heard := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		heard <- err
	}()
	_, err = c.Write([]byte{1})
	require.NoError(t, err)
	require.ErrorIs(t, <-heard, errTunnel)
	_ = c.Close() // set has closed what is below it
}
