package report

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	lane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	made = time.Date(2026, 11, 22, 18, 30, 0, 0, time.FixedZone("", 8*60*60))
)

func cny(minor int64) queue.Money { return queue.Money{Minor: minor, Currency: queue.CNY} }

// sample has something of everything.
func sample() *Report {
	r := New("Shop 12 小店", made)
	r.Span = Span{From: made.Add(-10 * time.Hour), To: made}
	r.Taken = []Row{
		{CardOnline, queue.CNY, Figure{80, 1234567}, Figure{80, 1234567}, Figure{1, 5000}},
		{CardOffline, queue.CNY, Figure{12, 99900}, Figure{10, 90000}, Figure{2, 9900}},
		{QRCode, queue.CNY, Figure{50, 314159}, Figure{50, 314159}, Figure{}},
		{Cash, queue.CNY, Figure{70, 271828}, Figure{70, 271828}, Figure{}},
		{Refunds, queue.CNY, Figure{1, -1000}, Figure{1, -1000}, Figure{}},
		{CardOnline, queue.JPY, Figure{1, 1500}, Figure{1, 1500}, Figure{}},
	}
	r.Undone = []Undone{{queue.Declined, queue.CNY, Figure{3, 4500}}, {queue.Reversed, queue.CNY, Figure{5, 25000}}}
	r.Batches = []Batch{
		{queue.BatchID{Lane: lane, N: 1}, 7, 500, Figure{498, 1000000}, Figure{2, 3000}, queue.CNY, AfterUpload},
		{queue.BatchID{Lane: lane, N: 2}, 8, 20, Figure{20, 98765}, Figure{}, queue.CNY, OutOfBalance},
		{queue.BatchID{Lane: lane, N: 3}, 9, 4, Figure{}, Figure{}, 0, NotSettled},
	}
	r.Statement = &Statement{Rows: []StatementRow{{0, queue.CNY, 128, 1500000, 1500000}, {MissingThere, queue.CNY, 1, 1250, 0}, {MissingHere, queue.CNY, 1, 0, 88}},
		Fees: []queue.Money{cny(1234)}}
	at := made.Add(-2 * time.Hour).UTC()
	r.Lines = []Line{
		{Finding: Waiting, Entry: 90, State: queue.Pending, Ref: "order-90", Terminal: lane.Terminal, STAN: 90, Card: "622155******0000", Time: at, Here: cny(4900)},
		{Finding: MissingThere, Entry: 12, State: queue.Accepted, Ref: "order-12", Terminal: lane.Terminal, HostBatch: 7, STAN: 12, RRN: "000000000012",
			Card: "622155******0000", Time: at, Here: cny(1250)},
		{Finding: MissingHere, Terminal: lane.Terminal, HostBatch: 7, STAN: 99, There: cny(88), FileLine: 17},
		{Finding: AmountDiffers, Entry: 13, State: queue.Accepted, Ref: "=HYPERLINK(\"http://evil.example\",\"x\")", Terminal: "<b>&amp;", Here: cny(100), There: cny(-100)},
		{Finding: Parked, Entry: 14, State: queue.Parked, Ref: "@SUM(A1)|`*_[x](https://evil.example)", Here: cny(1),
			Detail: "card 4111111111111111 \x1b[31mred\x1b[0m\r\nnext \u202eline <script>alert(1)</script>"},
		{Finding: Doubled, There: queue.Money{Minor: 1250, Currency: 36}, Ref: "-1+1"},
		{Finding: CashDiffers, Ref: "handover-1", Here: cny(10000), There: cny(9000), Detail: "少了一张"},
		{Finding: HostHasMore, Terminal: lane.Terminal, HostBatch: 8, Detail: "acquirer/898100000000001/10000001#2"},
	}
	r.More = 2
	return r
}

func render(t testing.TB, r *Report, f Format, l Lang) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.Write(&b, f, l))
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, r := range map[string]*Report{"full": sample(), "empty": New("", made)} {
		for _, f := range formats {
			for _, l := range []Lang{English, Chinese} {
				if name == "empty" && (l == Chinese || f == HTML) {
					continue
				}
				path := filepath.Join("testdata", name+"."+string(l)+"."+string(f))
				t.Run(path, func(t *testing.T) {
					got := render(t, r, f, l)
					if *update {
						require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
					}
					want, err := os.ReadFile(path)
					require.NoError(t, err)
					require.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), strings.ReplaceAll(got, "\r\n", "\n"))
				})
			}
		}
	}
}

// Nothing from outside leaves its place, in any format or language.
func TestHostileTexts(t *testing.T) {
	for _, l := range []Lang{English, Chinese} {
		for _, f := range formats {
			got := render(t, sample(), f, l)
			require.NotContains(t, got, "4111111111111111", f)
			require.NotContains(t, got, "\x1b", f)
			require.NotContains(t, got, "\u202e", f)
		}
		for _, f := range []Format{HTML, Markdown} {
			require.NotContains(t, render(t, sample(), f, l), "<script", f)
			require.NotContains(t, render(t, sample(), f, l), "<b>&amp;", f)
		}
		require.NotRegexp(t, `[^\\]\]\(`, render(t, sample(), Markdown, l))
		require.NotContains(t, render(t, sample(), Markdown, l), "://")
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(render(t, sample(), CSV, l), "\ufeff"))).ReadAll()
		require.NoError(t, err) // all of one width, too
		for _, row := range rows {
			for _, c := range row {
				if strings.Trim(c, "-0123456789.") != "" { // no number
					require.NotContains(t, "=+-@|%＝＋－＠\t\r", string([]rune(c)[0]), c)
				}
			}
		}
		require.NotContains(t, render(t, sample(), HTML, l), "src=")
		require.NotContains(t, render(t, sample(), HTML, l), "href=")
	}
}

func TestCellKeepsFormulasOut(t *testing.T) {
	for _, s := range []string{"=1", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "\u3000=1", "\u202f=1", "\u200b=1", "＝1", "－1", "|x", "%x"} {
		require.True(t, strings.HasPrefix(cell(s), "'"), "%q", s)
	}
	require.Equal(t, "order-1", cell("order-1"))
}

func TestSafe(t *testing.T) {
	require.Equal(t, strings.Repeat("好", 200)+"…", safe(strings.Repeat("好", 201)))
	require.NotContains(t, safe(strings.Repeat("x", 190)+"4111111111111111"), "4111111111")
	require.Equal(t, "411111******1111", safe("4111\u200b1111\x0011111111"))
	require.Equal(t, "a?b c", safe("a\xffb\nc"))
}

// JSON says everything in integers and codes, and comes back as it was.
func TestJSONOfReport(t *testing.T) {
	var d jsonReport
	require.NoError(t, json.Unmarshal([]byte(render(t, sample(), JSON, Chinese)), &d))
	require.False(t, d.Agrees)
	require.Equal(t, int64(1234567), d.Taken[0].Taken.Sum)
	require.Equal(t, "qr", d.Taken[2].Category)
	require.Len(t, d.Lines, 8)
	require.Equal(t, "waiting", d.Lines[7].Finding)
	require.False(t, d.Lines[7].Acts)
	require.Equal(t, &jsonMoney{1250, "CNY"}, d.Lines[1].Here)
}

func TestColours(t *testing.T) {
	v, err := sample().view(&chinese)
	require.NoError(t, err)
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	v.text(w, ansi)
	require.NoError(t, w.Flush())
	require.Contains(t, b.String(), "\x1b[31m")
	plainText := b.String()
	for _, code := range []string{ansi.bold, ansi.dim, ansi.green, ansi.off, ansi.red} {
		plainText = strings.ReplaceAll(plainText, code, "")
	}
	require.Equal(t, render(t, sample(), Text, Chinese), plainText)
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, palette{}, colours(f))
	require.Equal(t, palette{}, colours(&b))
}

// No line of a table or a sentence is wider than it should be, whatever the
// language.
func TestTextWidth(t *testing.T) {
	for _, l := range []Lang{English, Chinese} {
		for line := range strings.Lines(render(t, sample(), Text, l)) {
			require.LessOrEqual(t, width.StringWidth(strings.TrimSuffix(line, "\n")), lineWidth, line)
		}
	}
}

func TestEveryFindingIsSaid(t *testing.T) {
	for _, w := range []*words{&english, &chinese} {
		for f := Finding(1); f < findings; f++ {
			s := w.findings[f]
			require.NotEmpty(t, s.name, f)
			require.NotEmpty(t, s.cause, f)
			require.NotEmpty(t, s.next, f)
			require.NotEmpty(t, f.String())
		}
	}
	require.Len(t, chinese.states, len(english.states))
	require.Equal(t, "unknown", findings.String())
}

func TestWriteRefuses(t *testing.T) {
	var b bytes.Buffer
	require.ErrorContains(t, New("", made).Write(&b, "pdf", English), "pdf")
	require.ErrorContains(t, New("", made).Write(&b, Text, "fr"), "fr")
	r := New("", made)
	r.Taken = []Row{{CardOnline, queue.CNY, Figure{1, math.MaxInt64}, Figure{}, Figure{}}, {QRCode, queue.CNY, Figure{1, 1}, Figure{}, Figure{}}}
	require.ErrorIs(t, r.Write(&b, Text, English), ErrOverflow)
	require.Empty(t, b.String())
	require.ErrorIs(t, sample().Write(fullDisk{}, HTML, English), os.ErrClosed)
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestLinesAreBounded(t *testing.T) {
	r := New("", made)
	for range MaxLines + 5 {
		r.Add(Line{Finding: Waiting})
	}
	require.Len(t, r.Lines, MaxLines)
	require.Equal(t, 5, r.More)
	require.False(t, r.Agrees())
	require.Contains(t, render(t, r, Text, English), "5 more are not listed.")
}
