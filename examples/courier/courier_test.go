package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// asCourier makes the test binary be the program, for itself and for the
// processes that it starts.
const asCourier = "TALLYSTICK_TEST_AS_COURIER"

// The ways to be it.
const (
	asItIs       = "1"
	overcharging = "a handset that takes 1.00 too much of every sale"
	lying        = "the same, and it says that it took what was asked"
)

func TestMain(m *testing.M) {
	switch as := os.Getenv(asCourier); as {
	case "":
		os.Exit(m.Run())
	case asItIs:
		main()
	default:
		in, out := changed(os.Stdin, saleCommand, 100), io.Writer(os.Stdout)
		if as == lying && len(os.Args) > 1 && os.Args[1] == "handset" {
			r, w := io.Pipe()
			go func() { _, _ = io.Copy(os.Stdout, changed(r, saleAnswer, -100)) }()
			out = w
		}
		os.Exit(program(context.Background(), os.Args[1:], in, out, os.Stderr))
	}
}

// What a sale's command and its answer look like, up to the amount and from it on.
var (
	saleCommand = regexp.MustCompile(`^((?:card|qr|cash) \S+ )([0-9.]+)()$`)
	saleAnswer  = regexp.MustCompile(`^(answer .*\bop=sale .*\bamount=)([0-9.]+)(.*)$`)
)

// changed is r with more fen in each line of a form.
func changed(r io.Reader, form *regexp.Regexp, more int64) io.Reader {
	out, w := io.Pipe()
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			line := lines.Text()
			if m := form.FindStringSubmatch(line); m != nil {
				fen, _ := strconv.ParseInt(strings.Replace(m[2], ".", "", 1), 10, 64)
				line = m[1] + handset.Yuan(fen+more) + m[3]
			}
			_, _ = io.WriteString(w, line+"\n")
		}
		w.Close()
	}()
	return out
}

func courier(args ...string) *exec.Cmd { return courierAs(asItIs, args...) }

func courierAs(as string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCourier+"="+as, "LANG=en_US.UTF-8", "LC_ALL=", "LC_MESSAGES=")
	return cmd
}

// finished runs the program to its end.
func finished(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	return output(t, courier(args...))
}

func output(t *testing.T, cmd *exec.Cmd) (out string, status int) {
	t.Helper()
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}

// writeRoute writes a route file of n parcels.
func writeRoute(t *testing.T, n int) string {
	var b strings.Builder
	b.WriteString("waybill,address,amount,tender\n")
	for _, p := range parcelsOf(n, route.Card, route.QR, route.Cash) {
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", p.Waybill, p.Address, handset.Yuan(p.Fen), p.Tender)
	}
	return writeFile(t, []byte(b.String()))
}

func writeFile(t *testing.T, text []byte) string {
	path := filepath.Join(t.TempDir(), "route.csv")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

// TestDay lives a short day in three processes, with a kill of each kind.
func TestDay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	out, status := finished(t, "-route", writeRoute(t, 20), "-kills", "5", "-seed", "3", "-keep", dir)
	require.Zero(t, status, out)
	require.Equal(t, "taken 20, at the host 20, lost 0, doubled 0, different 0", lastLine(out))
	for _, s := range []string{"in an attempt", "while an answer was under way", "in mid-upload", "in mid-settlement"} {
		require.Contains(t, out, "the handset was killed "+s)
	}
	require.Equal(t, 5, strings.Count(out, "the handset was killed"), out)
	require.Equal(t, 5, strings.Count(out, "the handset runs again"), out)
	require.Contains(t, out, dir)
	require.Contains(t, out, "A courier's day: Reconciliation report")

	t.Run("the report is kept in every format", func(t *testing.T) { reportKept(t, dir, out) })
	t.Run("what the folder holds is judged again", func(t *testing.T) { judgeAgain(t, dir) })
	t.Run("the folder is not used twice", func(t *testing.T) {
		out, status := finished(t, "-keep", dir)
		require.Equal(t, exitBlocked, status)
		require.Contains(t, out, "is not empty")
	})
}

// TestDetour: the primary line is down for a third of this route, and the day
// goes on under its sessions all the same.
func TestDetour(t *testing.T) {
	out, status := finished(t, "-route", writeRoute(t, parcelsPerDetour), "-kills", "0", "-seed", "1")
	require.Zero(t, status, out)
	require.Equal(t, "taken 60, at the host 60, lost 0, doubled 0, different 0", lastLine(out))
	for _, s := range []string{"terminal 10000001 is signed in", "the primary line to the acquirer is down", "the primary line to the acquirer is up again"} {
		require.Contains(t, out, s)
	}
}

// reportKept reads the files of the report: the text is what the screen showed,
// and the others say the same.
func reportKept(t *testing.T, dir, out string) {
	read := func(ending string) string {
		path := filepath.Join(dir, reportName+"."+ending)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		info, err := os.Stat(path)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
		require.NotContains(t, string(text), "6221558812340000")
		return string(text)
	}
	require.Contains(t, out, read("txt"))
	require.Contains(t, read("html"), "<svg")
	require.Contains(t, read("md"), "# A courier's day")
	require.Contains(t, read("csv"), "card, online")
	var r struct {
		Agrees bool
		Taken  []struct{ Taken, Host struct{ Count, Sum int64 } }
	}
	require.NoError(t, json.Unmarshal([]byte(read("json")), &r))
	require.True(t, r.Agrees)
	require.NotEmpty(t, r.Taken)
	for _, row := range r.Taken {
		require.Equal(t, row.Taken, row.Host)
	}
}

// judgeAgain compares the files of the day with a list that lacks everything:
// the verdict must have the true figures and the status must say so.
func judgeAgain(t *testing.T, dir string) {
	var out bytes.Buffer
	d := &day{cfg: config{route: "some", keep: dir, lang: screen.English}, dir: dir, list: &list{}, out: &out,
		show: screen.New(&out, screen.English), words: wordsOf(screen.English)}
	require.Equal(t, exitFailed, d.judge(context.Background(), nil))
	require.True(t, strings.HasPrefix(lastLine(out.String()), "taken 0, at the host 20, lost 0, doubled 2"), out.String())
	require.Contains(t, out.String(), "was never acknowledged")
	require.Contains(t, out.String(), "Needs a person: ")
}

// TestOvercharging: a handset that takes more than it was asked to, whatever it
// says of it, is found out at every sale.
func TestOvercharging(t *testing.T) {
	for _, as := range []string{overcharging, lying} {
		t.Run(as, func(t *testing.T) {
			out, status := output(t, courierAs(as, "-route", writeRoute(t, 9), "-kills", "0", "-loss", "0", "-seed", "1"))
			require.Equal(t, exitFailed, status, out)
			require.Equal(t, "taken 9, at the host 9, lost 0, doubled 0, different 9", lastLine(out), out)
		})
	}
}

// TestNoLossesNoKills: with everything switched off there is nothing in doubt.
func TestNoLossesNoKills(t *testing.T) {
	out, status := finished(t, "-route", writeRoute(t, 9), "-kills", "0", "-loss", "0", "-seed", "1", "-lang", "zh")
	require.Zero(t, status, out)
	require.Equal(t, "taken 9, at the host 9, lost 0, doubled 0, different 0", lastLine(out))
	require.NotContains(t, out, "强杀：")
	require.Contains(t, out, "三方逐笔核对一致")
}

func TestGBKRoute(t *testing.T) {
	text, err := simplifiedchinese.GBK.NewEncoder().String("运单号,地址,代收货款,付款方式\nA1,临州市云渡路15号,1.50,现金\nA2,临州市云渡路16号,2.00,刷卡\n")
	require.NoError(t, err)
	out, status := finished(t, "-route", writeFile(t, []byte(text)), "-kills", "1", "-seed", "2")
	require.Zero(t, status, out)
	require.Equal(t, "taken 2, at the host 2, lost 0, doubled 0, different 0", lastLine(out))
}

// TestBadInput: one sentence that names the thing in the way, status 2, and
// nothing begun.
func TestBadInput(t *testing.T) {
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer occupied.Close()
	bad := func(text string) []string { return []string{"-route", writeFile(t, []byte(text))} }
	const head = "waybill,address,amount,tender\n"
	file := writeFile(t, nil)
	for _, c := range []struct {
		name string
		args []string
		says []string
	}{
		{"broken line", bad(head + "A1,somewhere\n"), []string{"route.csv", "line 2", "cells"}},
		{"negative amount", bad(head + "A1,somewhere,1,card\nA2,somewhere,-5,cash\n"), []string{"route.csv", "line 3", "column 3", "negative"}},
		{"fractional cent", bad(head + "A1,somewhere,1.005,card\n"), []string{"route.csv", "line 2", "column 3", "fraction"}},
		{"missing column", bad("waybill,address,tender\nA1,somewhere,card\n"), []string{"route.csv", "line 1", "amount"}},
		{"empty file", bad(""), []string{"route.csv", "no parcel"}},
		{"no file", []string{"-route", filepath.Join(t.TempDir(), "none.csv")}, []string{"none.csv", "cannot be opened"}},
		{"unknown flag", []string{"-nonsense"}, []string{"nonsense"}},
		{"argument", []string{"walk"}, []string{"walk"}},
		{"kills", []string{"-kills", "-1"}, []string{"-kills"}},
		{"loss", []string{"-loss", "2"}, []string{"-loss"}},
		{"loss is no number", []string{"-loss", "NaN"}, []string{"-loss"}},
		{"language", []string{"-lang", "fr"}, []string{"fr"}},
		{"keep below a file", []string{"-keep", filepath.Join(file, "dir")}, []string{"-keep", file}},
		{"port in use", []string{"acquirer", "-listen", occupied.Addr().String(), "-ledger", filepath.Join(t.TempDir(), "l")},
			[]string{occupied.Addr().String()}},
		{"handset flag", []string{"handset", "-nonsense"}, []string{"nonsense"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, status := finished(t, c.args...)
			require.Equal(t, exitBlocked, status, out)
			require.Equal(t, 1, strings.Count(out, "\n"), "one sentence: %s", out)
			for _, text := range c.says {
				require.Contains(t, out, text)
			}
		})
	}
}

// TestHeldJournal: the sentence names the process that has the journal.
func TestHeldJournal(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	first := courier("handset", "-journal", journal, "-host", "127.0.0.1:1")
	in, err := first.StdinPipe()
	require.NoError(t, err)
	out, err := first.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, first.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, handset.WordReady, handset.ParseLine(line).Word)

	text, status := finished(t, "handset", "-journal", journal, "-host", "127.0.0.1:1")
	require.Equal(t, exitBlocked, status)
	require.Contains(t, text, journal)
	require.Contains(t, text, fmt.Sprint(first.Process.Pid))
	require.NoError(t, in.Close())
	require.NoError(t, first.Wait())
}

// requireAlone fails while a process of the day still holds one of its files.
func requireAlone(t *testing.T, dir string, wait time.Duration) {
	t.Helper()
	keys, err := handset.Keys(filepath.Join(dir, journalName))
	require.NoError(t, err)
	q, err := queue.Open(filepath.Join(dir, journalName), keys, &queue.Options{LockWait: wait})
	require.NoError(t, err, "the handset is still there")
	require.NoError(t, q.Verify(context.Background()))
	require.NoError(t, q.Close())
	for deadline := time.Now().Add(wait); ; {
		if _, err = host.ReadLedger(filepath.Join(dir, ledgerName)); !errors.Is(err, host.ErrLedgerHeld) || time.Now().After(deadline) {
			break
		}
	}
	require.NoError(t, err, "the acquirer is still there")
}

// TestInterrupt: Ctrl-C ends all three processes and tells where the files are.
func TestInterrupt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	cmd := courier("-keep", dir, "-kills", "0", "-seed", "1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var seen strings.Builder
	sent := false
	for lines.Scan() {
		seen.WriteString(lines.Text() + "\n")
		if !sent && strings.Contains(lines.Text(), "taken 20 ") {
			sent = true
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
	}
	err = cmd.Wait()
	require.Error(t, err)
	require.Equal(t, exitFailed, cmd.ProcessState.ExitCode(), seen.String())
	require.Contains(t, seen.String(), "interrupted; the day's files are in "+dir)
	requireAlone(t, dir, 0)
}

// TestNoOrphans: when the day itself is killed, its processes end.
func TestNoOrphans(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	cmd := courier("-keep", dir, "-kills", "0", "-seed", "1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "taken 20 ") {
		continue
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	requireAlone(t, dir, 5*time.Minute)
}
