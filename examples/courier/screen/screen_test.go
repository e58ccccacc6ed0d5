package screen

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/courier/route"
)

var update = flag.Bool("update", false, "write the golden files anew")

// live is a day with each kind of event.
func live(t *testing.T, s *Screen) {
	t.Helper()
	parcels, err := route.Day()
	require.NoError(t, err)
	parcels = parcels[:30]
	s.Begin(Day{Route: "day.csv", Parcels: len(parcels), Fen: 4202524, Seed: 42, Kills: 5, Loss: 10})
	s.Listening("127.0.0.1:5000")
	for i, p := range parcels {
		s.Uploads(i/2, i-i/2)
		switch i {
		case 4:
			s.Outage(true)
			s.Outage(true)
		case 9:
			s.Outage(false)
		case 10:
			s.PrimaryLine(true)
			for transition := range transitions + 1 {
				s.Session("10000001", transition)
			}
			s.Route("10000001", true)
			s.Warning("10000001", "9 wait.", false)
		case 11:
			s.Warning("10000001", "None wait.", true)
			s.PrimaryLine(false)
			s.Route("10000001", false)
		case 12, 14, 16, 18, 20:
			s.Kill(Moment(i/2 - 6))
			s.Restart(i / 10)
		case 22:
			s.Reversal(p.Waybill)
			s.Void(parcels[3].Waybill, parcels[3].Fen)
			s.Refund(parcels[4].Waybill, parcels[4].Fen)
		case 25:
			s.Refused(p.Waybill)
			continue
		}
		s.ParcelDone(p.Tender, p.Fen)
	}
	for step := range steps {
		s.Settling("10000001", step)
		if step == SendingDetails {
			for sent := range 29 {
				s.Details(sent+1, 29)
			}
		}
	}
	same := Figure{Count: 11, Fen: 1234567}
	s.Compare([]Row{
		{CardOnline, same, same, same},
		{CardOffline, Figure{1, 5}, Figure{1, 5}, Figure{1, 5}},
		{QRCode, Figure{}, Figure{}, Figure{}},
		{CashTaken, same, same, Figure{12, 123456789}},
		{Voids, Figure{1, -10180}, Figure{1, -10180}, Figure{1, -10180}},
		{Refunds, Figure{}, Figure{}, Figure{}},
		{Reversals, Figure{}, Figure{}, Figure{}},
		{Total, same, same, same},
	}, []Difference{
		{Lost, parcels[0].Waybill, Figure{1, 44550}, Figure{1, 44550}, Figure{}, ""},
		{Doubled, parcels[1].Waybill, Figure{1, 4850}, Figure{1, 4850}, Figure{2, 9700}, "STAN 000007"},
		{Different, parcels[2].Waybill, Figure{1, 26600}, Figure{1, 26600}, Figure{1, 26601}, ""},
	})
	s.Kept("/var/day")
	s.Fail(errors.New("the port is in use"))
	require.NoError(t, s.Close())
}

func TestPlainOutput(t *testing.T) {
	for _, lang := range []Lang{English, Chinese} {
		t.Run(string(lang), func(t *testing.T) {
			var out bytes.Buffer
			live(t, New(&out, lang))
			file := filepath.Join("testdata", "day."+string(lang)+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, out.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
			require.NotContains(t, out.String(), "\x1b")
		})
	}
}

func TestFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	defer f.Close()
	s := New(f, English)
	require.False(t, s.live)
	require.False(t, s.colour)
}

// The bars' own lines depend on when they are drawn; the events above them and
// their last state do not.
func TestLiveOutput(t *testing.T) {
	var out bytes.Buffer
	live(t, newScreen(&out, Chinese, true, true))
	text := out.String()
	golden, err := os.ReadFile(filepath.Join("testdata", "day.zh.txt"))
	require.NoError(t, err)
	for line := range strings.Lines(string(golden)) {
		if strings.Contains(line, "已上送") || strings.Contains(line, "逐笔上送") {
			continue // the bars say it
		}
		require.Contains(t, text, strings.TrimSuffix(line, "\n"))
	}
	require.Contains(t, text, red+"[12/30] 第 1 次强杀")
	bars := text[strings.LastIndex(text, "包裹 "):]
	require.Contains(t, bars, "30/30")
	require.Contains(t, bars, "逐笔上送 29/29 笔")
}

func TestLiveWithoutColour(t *testing.T) {
	var out bytes.Buffer
	live(t, newScreen(&out, English, true, false))
	for _, colour := range []string{red, green, yellow, magenta, cyan, reset} {
		require.NotContains(t, out.String(), colour)
	}
}

func TestSeveralGoroutines(t *testing.T) {
	for _, drawn := range []bool{false, true} {
		var out bytes.Buffer
		s := newScreen(&out, English, drawn, false)
		s.Begin(Day{Parcels: 400})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for i := range 100 {
					s.ParcelDone(route.Cash, 1)
					s.Uploads(i, 100-i)
					s.Outage(i%2 == 0)
					s.PrimaryLine(i%2 == 0)
					s.Session("1", Transition(i)%transitions)
					s.Details(i, 100)
				}
				s.Kill(AtRandom)
			})
		}
		all.Wait()
		require.NoError(t, s.Close())
		require.Equal(t, Figure{Count: 400, Fen: 400}, s.by[route.Cash])
		for i := range 4 {
			require.Contains(t, out.String(), fmt.Sprintf("kill %d of 0", i+1))
		}
	}
}

func TestEventsOutOfTheOrdinary(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, English)
	s.ParcelDone(route.Tender(9), 100) // before Begin, with no known tender
	s.Kill(Moment(200))
	s.Settling("1", Step(200))
	s.Details(1, 0)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	s.Restart(1)
	require.Equal(t, "kill 1 of 0: the handset was killed at a random moment\n"+
		"the handset runs again, entries found in doubt: 1\n", out.String())
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestCloseReturnsTheFirstWriteError(t *testing.T) {
	s := New(brokenWriter{}, English)
	s.Restart(1)
	require.ErrorIs(t, s.Close(), errBroken)
}

func TestFailSpeaksTheLanguage(t *testing.T) {
	_, err := route.Read("r.csv", strings.NewReader(""))
	err = fmt.Errorf("reading: %w", err)
	for lang, want := range map[Lang]string{
		English: "error: reading: r.csv, line 1: there is no parcel in the file; write a header line and below it one line for each parcel.\n",
		Chinese: "错误：r.csv 第 1 行：文件中没有任何包裹；请先写一行表头，其后每个包裹一行。\n",
	} {
		var out bytes.Buffer
		New(&out, lang).Fail(err)
		require.Equal(t, want, out.String())
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		flag string
		env  map[string]string
		want Lang
	}{
		{"", nil, English},
		{"zh", nil, Chinese},
		{"en", map[string]string{"LANG": "zh_CN.UTF-8"}, English},
		{"", map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese},
		{"", map[string]string{"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE"}, English},
		{"", map[string]string{"LANG": "en_US", "LC_ALL": "zh-Hans"}, Chinese},
		{"", map[string]string{"LANG": "zh"}, Chinese},
		{"", map[string]string{"LC_ALL": "C.UTF-8", "LANG": "zh_TW"}, English},
		{"", map[string]string{"LANG": "zhx"}, English},
	} {
		got, err := Language(c.flag, func(name string) string { return c.env[name] })
		require.NoError(t, err)
		require.Equal(t, c.want, got, c)
	}
	_, err := Language("fr", func(string) string { return "" })
	require.ErrorContains(t, err, `"fr"`)
}

func TestVerdict(t *testing.T) {
	require.Equal(t, "taken 187, at the host 187, lost 0, doubled 0, different 0", Verdict(187, 187, 0, 0, 0))
	require.Equal(t, "taken 1, at the host 2, lost 3, doubled 4, different 5", Verdict(1, 2, 3, 4, 5))
}

func TestYuan(t *testing.T) {
	for fen, want := range map[int64]string{
		0: "0.00", 1: "0.01", -1: "-0.01", 99: "0.99", 100: "1.00", 99999: "999.99", 100000: "1,000.00",
		123456789: "1,234,567.89", -100000000: "-1,000,000.00",
		1<<63 - 1: "92,233,720,368,547,758.07", -1 << 63: "-92,233,720,368,547,758.08",
	} {
		require.Equal(t, want, yuan(fen))
	}
}
