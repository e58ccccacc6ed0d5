package host

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// run runs the program with nothing on stdin until it ends by itself.
func run(t *testing.T, args ...string) (status int, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Main(context.Background(), args, strings.NewReader(""), &out, &errs)
	return status, errs.String()
}

// Whatever is in the way is said in one sentence, in both languages, with status 2.
func TestWhatIsInTheWay(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	held := start(t, Config{Ledger: ledgerPath(t)})
	noLedger := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(noLedger, bytes.Repeat([]byte("not a ledger "), 2000), 0o600))

	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	few := filepath.Join(t.TempDir(), "few")
	require.NoError(t, os.WriteFile(few, []byte("few"), 0o600))

	for _, row := range []struct {
		name   string
		args   []string
		en, zh string
	}{
		{"port in use", []string{"-listen", taken.Addr().String()}, "in use", "已被占用"},
		{"no such address", []string{"-listen", "256.0.0.1:1"}, "cannot listen", "无法监听"},
		{"ledger in a folder that is not there", []string{"-ledger", filepath.Join(t.TempDir(), "no", "ledger")}, "cannot be used", "无法使用"},
		{"ledger is a folder", []string{"-ledger", t.TempDir()}, "cannot be used", "无法使用"},
		{"ledger is something else", []string{"-ledger", noLedger}, "not a ledger", "不是本主机的账本"},
		{"ledger is a few bytes", []string{"-ledger", few}, "not a ledger", "不是本主机的账本"},
		{"ledger is empty", []string{"-ledger", empty}, "not a ledger", "不是本主机的账本"},
		{"ledger held", []string{"-ledger", held.cfg.Ledger}, "another process", "另一个进程"},
		{"unknown flag", []string{"-nonsense"}, "-nonsense", "-nonsense"},
		{"probability", []string{"-lose-answer", "2"}, "lose-answer", "lose-answer"},
		{"refusal", []string{"-refuse", "91"}, "CODE:PROBABILITY", "CODE:PROBABILITY"},
		{"terminal", []string{"-terminal", "1"}, "TERMINAL:MERCHANT", "TERMINAL:MERCHANT"},
		{"terminal of a wrong length", []string{"-terminal", "1:2"}, "8 characters", "8 characters"},
		{"key", []string{"-tmk", "123456"}, "32 hexadecimal digits", "32 位十六进制数字"},
		{"argument", []string{"up"}, "no arguments", "不接受其他参数"},
	} {
		t.Run(row.name, func(t *testing.T) {
			for lang, want := range map[string]string{"en": row.en, "zh": row.zh} {
				args := []string{"-lang", lang, "-listen", "127.0.0.1:0", "-ledger", ledgerPath(t)}
				status, said := run(t, append(args, row.args...)...)
				require.Equal(t, 2, status)
				require.Contains(t, said, want)
				require.Equal(t, 1, strings.Count(said, "\n"), "one sentence: %s", said)
				require.NotContains(t, said, "123456", "a key is not shown")
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for lang, want := range map[string]string{"en": "in the middle of the answer", "zh": "断开连接"} {
		status, said := run(t, "-lang="+lang, "-h")
		require.Zero(t, status)
		require.Contains(t, said, want)
	}
}

func TestLanguageByLocale(t *testing.T) {
	t.Setenv("LC_ALL", "")
	t.Setenv("LC_MESSAGES", "")
	t.Setenv("LANG", "zh_CN.UTF-8")
	require.Equal(t, chinese().usage, wordsFor("").usage)
	require.Equal(t, english().usage, wordsFor("en").usage)
	t.Setenv("LC_ALL", "C")
	require.Equal(t, english().usage, wordsFor("").usage)
}

// The program is driven by lines on its standard input.
func TestCommands(t *testing.T) {
	in, commands := io.Pipe()
	answers, out := io.Pipe()
	var errs lines
	status := make(chan int, 1)
	go func() {
		status <- Main(context.Background(), []string{"-listen", "127.0.0.1:0", "-ledger", ledgerPath(t), "-v"}, in, out, &errs)
	}()
	said := bufio.NewScanner(answers)
	next := func() string {
		require.True(t, said.Scan())
		return said.Text()
	}
	addr, ok := strings.CutPrefix(next(), "listening ")
	require.True(t, ok)
	p := open(t, addr)
	require.Equal(t, "00", p.codeOf(p.sale(1)))
	io.WriteString(commands, "status\ndown\nstatus\nsideways\nup\nstatus\n")
	require.Equal(t, "up conns=1 bookings=1 tombstones=0 conflicts=0 open-batches=0", next())
	require.True(t, strings.HasPrefix(next(), "down "))
	require.True(t, strings.HasPrefix(next(), "up "))
	open(t, addr)
	io.WriteString(commands, "quit\n")
	require.Zero(t, <-status)
	require.Contains(t, errs.String(), `"sideways"?`)
	require.Contains(t, errs.String(), "msg=0200 terminal=10000001 batch=1 stan=2 type=22 net=0 amount=1 code=00")
}

func TestEndOfInput(t *testing.T) {
	status, _ := run(t, "-listen", "127.0.0.1:0", "-ledger", ledgerPath(t), "-eof-quits")
	require.Zero(t, status)
}

func TestSignalEnds(t *testing.T) {
	path := ledgerPath(t)
	cmd, addr := child(t, "-listen", "127.0.0.1:0", "-ledger", path)
	p := open(t, addr)
	require.Equal(t, "00", p.codeOf(p.sale(1)))
	_, err := ReadLedger(path)
	require.ErrorIs(t, err, ErrLedgerHeld)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	l, err := ReadLedger(path)
	require.NoError(t, err)
	require.Len(t, l.Bookings, 1)
}
