package statement

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

func TestReadAcquirersFile(t *testing.T) {
	got := collect(t, Read(gb18030(t, acquirerFile), acquirerMapping(t)))
	zone := time.FixedZone("", 8*60*60)
	want := Line{Terminal: "10000001", Merchant: "898100000000001", HostBatch: 7, Card: "622155******0000"}
	lines := []Line{want, want, want, want}
	for i, l := range []struct {
		number   int
		stan     queue.STAN
		op       queue.Op
		reversal bool
		minor    int64
		fee      int64
	}{{4, 1, queue.Sale, false, 123450, 123}, {5, 2, queue.Void, false, -300, 0},
		{7, 4, queue.Refund, false, -500, -1}, {8, 5, 0, true, 500, 0}} {
		w := &lines[i]
		w.Number, w.STAN, w.Op, w.Reversal, w.Amount, w.Fee = l.number, l.stan, l.op, l.reversal, yuan(l.minor), l.fee
		w.RRN = fmt.Sprintf("%012d", l.stan)
		w.Time = time.Date(2026, 11, 22, 9, 29+int(l.stan), 0, 0, zone)
	}
	require.Equal(t, lines, got)
}

// The same rows in other files: whatever the spelling, one reading.
func TestReadForms(t *testing.T) {
	for name, f := range map[string]struct{ mapping, file string }{
		"plain":       {"amount sum yuan\nrrn rrn", "rrn,sum\n1,12.30\n"},
		"bom":         {"amount sum yuan\nrrn rrn", "\ufeffrrn,sum\r\n1,12.3\r\n"},
		"bom in gbk":  {"encoding gbk\namount sum yuan\nrrn rrn", "\ufeffrrn,sum\r\n1,12.3\r\n"},
		"fen":         {"amount sum fen\nrrn rrn", "rrn,sum\n1,1230\n"},
		"numbers":     {"header no\namount #3 yuan\nrrn #1", "1,x,12.30\n"},
		"both":        {"amount #3 yuan\nrrn rrn", "rrn,sum,sum\n1,9,12.30\n"},
		"semicolon":   {"separator semicolon\namount sum yuan\nrrn rrn", "rrn;sum\n1;12.30\n"},
		"tab":         {"separator tab\namount sum yuan\nrrn rrn", "rrn\tsum\n1\t12.30\n"},
		"spreadsheet": {"amount sum yuan\nrrn rrn", "rrn,sum\n`1,12.30\n"},
		"apostrophe":  {"amount sum yuan\nrrn rrn", "rrn,sum\n'1 ,\t+12.30\n"},
		"formula":     {"amount sum yuan\nrrn rrn", "rrn,sum\n\"=\"\"1\"\"\",￥12.30\n"},
		"quoted":      {"amount \"the sum\" yuan\nrrn rrn", "rrn,the sum\n\"1\",\" 12.30元\"\n"},
		"footer":      {"end 合计\namount sum yuan\nrrn rrn", "rrn,sum\n1,12.30\n合计 1,2,3,4\n\"\n"},
		"preamble":    {"skip 2\namount sum yuan\nrrn rrn", "a \" statement\n\nrrn,sum\n1,12.30\n"},
		"net":         {"amount sum yuan\nnet net yuan\nrrn rrn", "rrn,sum,net\n1,12.30,12.30\n"},
		"minus twice": {"amount sum yuan\nkind k s=sale\nrrn rrn", "rrn,sum,k\n1,-12.30,s\n"},
		"refund":      {"amount sum yuan\nkind k r=refund s=sale\nrrn rrn", "rrn,sum,k\n1,12.30,s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := collect(t, Read(iotest.OneByteReader(strings.NewReader(f.file)), mapping(t, f.mapping)))
			require.Len(t, got, 1)
			require.Equal(t, yuan(1230), got[0].Amount)
			require.Equal(t, "1", got[0].RRN)
			require.Zero(t, got[0].Fee)
		})
	}
}

func TestReadFee(t *testing.T) {
	m := mapping(t, "amount sum yuan\nnet net yuan\nkind kind s=sale r=refund\nrrn rrn")
	got := collect(t, Read(strings.NewReader("rrn,kind,sum,net\n1,s,100,99.40\n2,r,100,99.40\n3,r,-100,-100.60\n4,r,100,-99.40\n"), m))
	require.Equal(t, []int64{60, -60, 60, -60}, []int64{got[0].Fee, got[1].Fee, got[2].Fee, got[3].Fee})
	require.Equal(t, []int64{10000, -10000, -10000, -10000}, []int64{got[0].Amount.Minor, got[1].Amount.Minor, got[2].Amount.Minor, got[3].Amount.Minor})
}

func TestReadMasksCards(t *testing.T) {
	const pan = "4111111111111111"
	m := mapping(t, "amount sum yuan\nref ref\ncard card\nterminal t\nrrn rrn\nmerchant m")
	file := "ref,card,t,rrn,m,sum\n" + strings.Repeat(pan+",", 5) + "1\n"
	got := collect(t, Read(strings.NewReader(file), m))
	require.NotContains(t, fmt.Sprintf("%+v", got), pan)
	require.Equal(t, "411111******1111", got[0].Card)
	require.Equal(t, "411111******1111", got[0].Ref)
	// The ref still finds its entry, and so does an RRN that looks like a card.
	for _, name := range []func(*queue.Entry){func(e *queue.Entry) { e.Ref = pan }, func(e *queue.Entry) { e.Answer.RRN = pan }} {
		d := collect(t, Diff(each(entry(1, 100, name)), each(got...), nil))
		require.Equal(t, Matched, d[0].Kind)
		require.NotContains(t, fmt.Sprintf("%+v", d), pan)
	}
}

func TestReadRefuses(t *testing.T) {
	const table = "amount sum yuan\nfee fee yuan\nstan stan\nrrn rrn\nkind kind s=sale\ntime at 15:04"
	const head = "rrn,sum,fee,stan,kind,at\n"
	for name, f := range map[string]struct {
		file         string
		line, column int
		problem      string
	}{
		"empty":            {"", 1, 0, "no header"},
		"other header":     {"a,b\n", 1, 0, `no column "sum"`},
		"header twice":     {"rrn,sum,sum,fee,stan,kind,at\n", 1, 0, "twice"},
		"no amount":        {head + "1,,0,1,s,\n", 2, 2, "no amount"},
		"word":             {head + "1,1.00,0,1,s,\n2,abc,0,1,s,\n", 3, 2, "no amount"},
		"decimals":         {head + "1,1.005,0,1,s,\n", 2, 2, "more decimals"},
		"exponent":         {head + "1,1e3,0,1,s,\n", 2, 2, "no amount"},
		"groups":           {head + "1,\"12,34\",0,1,s,\n", 2, 2, "thousands"},
		"overflow":         {head + "1,92233720368547758.08,0,1,s,\n", 2, 2, "64 bits"},
		"fee":              {head + "1,1,x,1,s,\n", 2, 3, "no amount"},
		"stan":             {head + "1,1,0,1234567,s,\n", 2, 4, "six digits"},
		"signed stan":      {head + "1,1,0,-1,s,\n", 2, 4, "six digits"},
		"kind":             {head + "1,1,0,1,other,\n", 2, 5, `"other"`},
		"time":             {head + "1,1,0,1,s,25:00\n", 2, 6, "15:04"},
		"cells":            {head + "1,1\n", 2, 0, "2 cells where 6"},
		"quote":            {head + "1,\"1\n\n", 2, 0, "no CSV"},
		"not utf-8":        {head + "\xff,1,0,1,s,\n", 2, 1, "encoding"},
		"control":          {head + "a\x01,1,0,1,s,\n", 2, 1, "control"},
		"long cell":        {head + strings.Repeat("1", 129) + ",1,0,1,s,\n", 2, 1, "128 bytes"},
		"record over line": {head + "\"1\n\",x,0,1,s,\n", 3, 2, "no amount"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			for _, err = range Read(strings.NewReader(f.file), mapping(t, table)) {
			}
			var at *Error
			require.ErrorAs(t, err, &at)
			require.Equal(t, []int{f.line, f.column}, []int{at.Line, at.Column}, at)
			require.ErrorContains(t, err, f.problem)
		})
	}
}

// A record without end is refused before it takes memory, wherever it begins.
func TestReadBoundsRecords(t *testing.T) {
	m := mapping(t, "skip 1\namount sum yuan\nrrn rrn")
	endless := func() io.Reader { return iotest.DataErrReader(io.LimitReader(zeros{}, 1<<30)) }
	for name, head := range map[string]string{"preamble": "", "header": "\n", "record": "\nrrn,sum\n1,2\n", "quoted": "\nrrn,sum\n1,2\n\"\n"} {
		t.Run(name, func(t *testing.T) {
			counted := &counter{r: io.MultiReader(strings.NewReader(head), endless())}
			var err error
			for _, err = range Read(counted, m) {
			}
			require.ErrorIs(t, err, errLong)
			require.Less(t, counted.n, int64(1<<18))
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func TestReadPassesErrorsOn(t *testing.T) {
	broken := errors.New("the stick was pulled out")
	var err error
	n := 0
	for _, err = range Read(io.MultiReader(strings.NewReader("rrn,sum\n1,2\n"), iotest.ErrReader(broken)), mapping(t, "amount sum yuan\nrrn rrn")) {
		n++
	}
	require.ErrorIs(t, err, broken)
	require.Equal(t, 2, n)
}

func TestAmounts(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "-0.00": 0, "1": 100, "1.5": 150, "1.50": 150, "1.5000": 150, "1,234.50": 123450, "-3.00": -300, "￥5": 500,
		"¥ 5": 500, "-￥3": -300, "￥-3": -300, "+￥3": 300, "−3": -300, "－3": -300, "3元": 300, "3.00 元": 300,
		"1,000,000": 100000000, "92233720368547758.07": math.MaxInt64, "-92233720368547758.07": -math.MaxInt64, "007": 700,
	} {
		got, err := parseAmount(s, 2, false)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for s, want := range map[string]error{
		"": errAmount, "-": errAmount, "￥": errAmount, ".5": errAmount, "5.": errAmount, "--5": errAmount, "-￥-5": errAmount,
		"5-": errAmount, "1.2.3": errAmount, "0x10": errAmount, "１": errAmount, "1_000": errAmount, "(5)": errAmount, "NaN": errAmount,
		"1.001": errDecimals, "1,23": errGroups, "1,2345": errGroups, ",123": errGroups, "1234,567": errGroups, "1.2,3": errAmount,
		"92233720368547758.08": errLarge, "-92233720368547758.08": errLarge, "99999999999999999999": errLarge,
	} {
		_, err := parseAmount(s, 2, false)
		require.ErrorIs(t, err, want, s)
	}
	got, err := parseAmount("1,234", 2, true)
	require.NoError(t, err)
	require.EqualValues(t, 1234, got)
	_, err = parseAmount("12.34", 2, true)
	require.ErrorIs(t, err, errFen)
}
