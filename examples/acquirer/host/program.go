package host

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/codec"
)

// Exit statuses of Main.
const (
	exitDone    = 0
	exitBlocked = 2 // bad flags, a port or ledger that cannot be had, a ledger that cannot be written
)

// Main is the program: flags in args, commands (down, up, status, ask, quit) a line
// each on stdin, and on stdout first "listening ADDRESS", then an answer to each
// status. It runs until ctx is done, SIGINT or SIGTERM comes, or stdin says quit,
// and gives the exit status: 0, or 2 with one sentence on stderr.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, o.words.sentence(o.cfg, err))
		return exitBlocked
	}
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	s, err := Listen(o.cfg)
	if err != nil {
		fmt.Fprintln(stderr, o.words.sentence(o.cfg, err))
		return exitBlocked
	}
	fmt.Fprintf(stdout, "listening %s\n", s.Addr())
	go obey(ctx, s, stdin, stdout, stderr, cancel, o.eofQuits)
	if err := s.Serve(ctx); err != nil {
		fmt.Fprintf(stderr, o.words.stopped+"\n", err)
		return exitBlocked
	}
	return exitDone
}

// obey carries out the commands on stdin. It ends with stdin, or with the
// process: a read cannot be called off.
func obey(ctx context.Context, s *Server, stdin io.Reader, stdout, stderr io.Writer, quit func(), eofQuits bool) {
	if stdin == nil {
		return
	}
	lines := bufio.NewScanner(stdin)
	for lines.Scan() && ctx.Err() == nil {
		switch command := strings.TrimSpace(lines.Text()); command {
		case "":
		case "down":
			s.Down()
		case "up":
			if err := s.Up(); err != nil {
				fmt.Fprintln(stderr, "up:", err)
			}
		case "status":
			st, err := s.Status()
			if err != nil {
				fmt.Fprintln(stderr, "status:", err)
				continue
			}
			fmt.Fprintln(stdout, st)
		case "quit":
			quit()
			return
		default:
			if ask, ok := strings.CutPrefix(command, "ask "); ok {
				if err := s.askOn(ask); err != nil {
					fmt.Fprintln(stderr, "ask:", err)
				}
				continue
			}
			fmt.Fprintf(stderr, "%q? down, up, status, ask TERMINAL DIGIT, quit\n", command)
		}
	}
	if eofQuits {
		quit()
	}
}

// askOn carries out "ask TERMINAL DIGIT".
func (s *Server) askOn(line string) error {
	terminal, digit, _ := strings.Cut(line, " ")
	n, err := strconv.ParseUint(digit, 10, 4)
	if err != nil || n > 8 {
		return errors.New("ask TERMINAL DIGIT, a digit from 0 to 8")
	}
	return s.Ask(terminal, codec.Processing(n))
}

// String is the line that answers the command status.
func (st Status) String() string {
	way := "down"
	if st.Up {
		way = "up"
	}
	return fmt.Sprintf("%s conns=%d bookings=%d tombstones=%d conflicts=%d open-batches=%d",
		way, st.Conns, st.Bookings, st.Tombstones, st.Conflicts, st.OpenBatches)
}

type options struct {
	cfg      Config
	words    words
	eofQuits bool
}

func parse(args []string, stderr io.Writer) (o options, err error) {
	o.words = wordsFor(argument(args, "lang"))
	f := flag.NewFlagSet("acquirer", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	c, m := &o.cfg, &o.cfg.Mischief
	w := o.words
	f.String("lang", "", w.flag("lang"))
	f.StringVar(&c.Listen, "listen", "127.0.0.1:8583", w.flag("listen"))
	f.StringVar(&c.Ledger, "ledger", "acquirer.ledger", w.flag("ledger"))
	f.Func("terminal", w.flag("terminal"), func(v string) error { return addTerminal(c, v) })
	tmk := f.String("tmk", "", w.flag("tmk"))
	f.Uint64Var(&c.Seed, "seed", 1, w.flag("seed"))
	verbose := f.Bool("v", false, w.flag("v"))
	f.BoolVar(&o.eofQuits, "eof-quits", false, w.flag("eof-quits"))
	f.Float64Var(&m.LoseRequest, "lose-request", 0, w.flag("lose-request"))
	f.Float64Var(&m.LoseAnswer, "lose-answer", 0, w.flag("lose-answer"))
	f.Float64Var(&m.Cut, "cut", 0, w.flag("cut"))
	f.Float64Var(&m.Late, "late", 0, w.flag("late"))
	f.DurationVar(&m.LateBy, "late-by", 3*time.Second, w.flag("late-by"))
	f.Float64Var(&m.Twice, "twice", 0, w.flag("twice"))
	f.Float64Var(&m.Foreign, "foreign", 0, w.flag("foreign"))
	f.Func("refuse", w.flag("refuse"), func(v string) error { return setRefuse(m, v) })
	f.IntVar(&m.Forget, "forget", 0, w.flag("forget"))
	f.DurationVar(&m.DownEvery, "down-every", 0, w.flag("down-every"))
	f.DurationVar(&m.DownFor, "down-for", 0, w.flag("down-for"))
	f.Func("only", w.flag("only"), func(v string) error { return setOnly(m, v) })
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, w.usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%s: %q", w.extra, f.Arg(0))
	}
	if *tmk != "" {
		if c.TMK, err = hex.DecodeString(*tmk); err != nil || len(c.TMK) != 16 {
			return o, errors.New(w.badKey)
		}
	}
	if *verbose {
		c.Log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	return o, nil
}

// argument finds the value of a flag before the flags are parsed.
func argument(args []string, name string) string {
	for i, a := range args {
		a = strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
		if a == name && i+1 < len(args) && strings.HasPrefix(args[i], "-") {
			return args[i+1]
		}
	}
	return ""
}

func addTerminal(c *Config, v string) error {
	terminal, merchant, ok := strings.Cut(v, ":")
	if !ok {
		return errors.New("TERMINAL:MERCHANT")
	}
	if c.Terminals == nil {
		c.Terminals = map[string]string{}
	}
	c.Terminals[terminal] = merchant
	return nil
}

func setRefuse(m *Mischief, v string) (err error) {
	refusal, p, _ := strings.Cut(v, ":")
	if m.Refuse, err = strconv.ParseFloat(p, 64); err != nil {
		return errors.New("CODE:PROBABILITY")
	}
	m.RefuseCode = refusal
	return nil
}

func setOnly(m *Mischief, v string) error {
	for part := range strings.SplitSeq(v, ",") {
		mti, err := codec.ParseMTI(part)
		if err != nil {
			return err
		}
		m.Only = append(m.Only, mti)
	}
	return nil
}

// sentence says in one sentence what is in the way.
func (w words) sentence(c Config, err error) string {
	var port *net.OpError
	var path *fs.PathError
	switch {
	case errors.Is(err, ErrLedgerHeld):
		return fmt.Sprintf(w.held, c.Ledger)
	case errors.Is(err, ErrLedgerFormat):
		return fmt.Sprintf(w.format, c.Ledger)
	case errors.Is(err, ErrLedgerDamage):
		return fmt.Sprintf(w.damage, c.Ledger)
	case errors.As(err, &port) && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf(w.inUse, c.Listen)
	case errors.As(err, &port):
		return fmt.Sprintf(w.port, c.Listen, port.Err)
	case errors.As(err, &path):
		return fmt.Sprintf(w.path, c.Ledger, path.Err)
	}
	return fmt.Sprintf(w.other, err)
}
