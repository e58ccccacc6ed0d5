package handset

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// bench is an acquirer and the place of a journal, for one handset after the
// other.
type bench struct {
	t       *testing.T
	server  *host.Server
	ledger  string
	journal string
}

func newBench(t *testing.T, m host.Mischief) *bench {
	b := &bench{t: t, ledger: filepath.Join(t.TempDir(), "ledger"), journal: filepath.Join(t.TempDir(), "journal")}
	var err error
	b.server, err = host.Listen(host.Config{Ledger: b.ledger, Mischief: m})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, b.server.Close())
		require.NoError(t, <-served)
	})
	return b
}

// books closes the acquirer and reads its ledger.
func (b *bench) books() host.Ledger {
	require.NoError(b.t, b.server.Close())
	l, err := host.ReadLedger(b.ledger)
	require.NoError(b.t, err)
	return l
}

// session is one run of the program, in this process.
type session struct {
	t      *testing.T
	in     *io.PipeWriter
	out    *bufio.Reader
	stderr sentences
	ended  chan int
	events []Line // seen while waiting for something else
}

// sentences is what a session wrote to standard error up to now.
type sentences struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *sentences) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *sentences) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// hurried is for a test in which an answer is waited for that does not come. In
// all others a busy machine is no host that is silent.
var hurried = []string{"-answer-timeout", "300ms"}

func (b *bench) start(flags ...string) *session {
	return b.startWith(nil, flags...)
}

// startWith starts a handset whose links wrap changes; nil: Main itself.
func (b *bench) startWith(wrap func(Host) Host, flags ...string) *session {
	args := append([]string{"-host", b.server.Addr().String(), "-journal", b.journal, "-answer-timeout", "5m", "-retry", "50ms"}, flags...)
	if !slices.Contains(flags, "-lang") {
		args = append(args, "-lang", "en")
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{t: b.t, in: inW, out: bufio.NewReader(outR), ended: make(chan int, 1)}
	go func() {
		status := exitDone
		if wrap == nil {
			status = Main(context.Background(), args, inR, outW, &s.stderr)
		} else if err := runWith(wrap, args, inR, outW, &s.stderr); err != nil {
			io.WriteString(&s.stderr, err.Error())
			status = exitBlocked
		}
		inR.Close()
		outW.Close()
		s.ended <- status
	}()
	return s
}

func runWith(wrap func(Host) Host, args []string, in io.Reader, out, errs io.Writer) error {
	cfg, err := parse(args, io.Discard)
	if err != nil {
		return err
	}
	cfg.connect = func(cfg Config, q *queue.Queue, lane queue.Lane, dial dialer, tell func(isolink.Event)) (Host, error) {
		h, err := connect(cfg, q, lane, dial, tell)
		return wrap(h), err
	}
	cfg.errs = errs
	return run(context.Background(), cfg, in, out)
}

// run starts a handset and waits until it is ready.
func (b *bench) run(flags ...string) *session {
	s := b.start(flags...)
	s.await(WordReady)
	return s
}

// next reads one line; ok is false at the end.
func (s *session) next() (l Line, ok bool) {
	text, err := s.out.ReadString('\n')
	if err != nil {
		return Line{}, false
	}
	return ParseLine(text), true
}

// await reads up to a line with this word; the others are kept as events.
func (s *session) await(word string) Line {
	s.t.Helper()
	for {
		l, ok := s.next()
		require.True(s.t, ok, "no line %q came; %s", word, s.stderr.String())
		if l.Word == word {
			return l
		}
		s.events = append(s.events, l)
	}
}

func (s *session) say(command string) {
	s.t.Helper()
	_, err := io.WriteString(s.in, command+"\n")
	require.NoError(s.t, err)
}

// ask gives a command about a ref and returns its answer.
func (s *session) ask(command string) Answer {
	s.t.Helper()
	s.say(command)
	return ParseAnswer(s.await(WordAnswer))
}

// until asks to show a ref until it has this state.
func (s *session) until(ref string, state State) Answer {
	s.t.Helper()
	for {
		if a := s.ask("show " + ref); a.State == state {
			return a
		}
	}
}

// quit ends the session and returns its exit status.
func (s *session) quit() int {
	s.t.Helper()
	s.say("quit")
	return s.end()
}

// end reads what is left and returns the exit status.
func (s *session) end() int {
	for {
		l, ok := s.next()
		if !ok {
			return <-s.ended
		}
		s.events = append(s.events, l)
	}
}

// told finds the events about something.
func (s *session) told(about string) (out []Line) {
	for _, l := range s.events {
		if l.Word == WordEvent && l.Get("about") == about {
			out = append(out, l)
		}
	}
	return out
}
