package host

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/codec"
)

// Config says what a host is. Its zero value is a host on a free loopback port
// with a ledger of its own that vanishes with it.
type Config struct {
	Listen    string            // address; default "127.0.0.1:0"
	Ledger    string            // path; made when missing; empty: a temporary one, removed by Close
	Terminals map[string]string // terminal (DE 41) to merchant (DE 42); default DefaultTerminals
	TMK       []byte            // master key of 16 bytes; default 16 times 0x11, as published in examples
	Currency  string            // ISO 4217, numeric; default "156"
	Seed      uint64            // of the mischief
	Mischief  Mischief
	// TLS, if not nil, is the host's side of TLS on every connection. Its sessions
	// can be resumed: the state stays here and the terminal gets a handle of 16
	// bytes, unless TLS wraps sessions itself or forbids them.
	TLS *tls.Config
	// Parameters are what a terminal that downloads its parameters gets (DE 62);
	// default DefaultParameters.
	Parameters codec.Parameters62
	Log        *slog.Logger     // one line for each message; default none
	Now        func() time.Time // for DE 12 and 13; default time.Now

	MaxConns     int           // connections beyond are closed at once; default 64
	IdleTimeout  time.Duration // a connection without a message is closed; default 5 min
	FrameTimeout time.Duration // from a frame's first byte to its last, and for writing one; default 10 s

	maxSize int             // of the ledger file; for tests
	onOpen  func(*bbolt.DB) // tests that kill the host take hold of its ledger here
	after   func(d time.Duration) (passed <-chan time.Time, stop func() bool)
}

// DefaultTerminals are two terminals of one test merchant: the first for cards
// and codes, the second for the cash of the depot.
func DefaultTerminals() map[string]string {
	return map[string]string{"10000001": "898100000000001", "10000002": "898100000000001"}
}

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Terminals == nil {
		c.Terminals = DefaultTerminals()
	}
	if c.TMK == nil {
		c.TMK = DefaultTMK()
	}
	if c.Currency == "" {
		c.Currency = "156"
	}
	if c.Parameters.List == nil && c.Parameters.Rest == nil {
		c.Parameters = DefaultParameters()
	}
	if c.TLS != nil {
		c.TLS = resuming(c.TLS)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.after == nil {
		c.after = func(d time.Duration) (<-chan time.Time, func() bool) {
			t := time.NewTimer(d)
			return t.C, t.Stop
		}
	}
	if c.MaxConns == 0 {
		c.MaxConns = 64
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 5 * time.Minute
	}
	if c.FrameTimeout == 0 {
		c.FrameTimeout = 10 * time.Second
	}
	return c
}

// A Server is a running host. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	imp     *imp
	db      *bbolt.DB
	content []byte // key of the content HMAC
	temp    string // folder to remove, when the ledger is temporary
	addr    net.Addr

	ctx   context.Context // ends with the server
	stop  context.CancelCauseFunc
	wg    sync.WaitGroup
	close func() error // once

	writing sync.Mutex // from the check that the ledger is sound to the end of a commit

	mu       sync.Mutex
	listener net.Listener // nil while down
	conns    map[net.Conn]struct{}
	serving  bool
	held     bool // down until Up, whatever the mischief says
	ended    bool
}

// Listen opens the ledger and the port. Connections wait until Serve. Its errors
// are those of the port (a *net.OpError), of the ledger (ErrLedgerHeld,
// ErrLedgerFormat, an *fs.PathError) and of an impossible Config.
func Listen(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg.withDefaults(), conns: map[net.Conn]struct{}{}}
	if err := s.cfg.check(); err != nil {
		return nil, err
	}
	s.imp = newImp(s.cfg.Seed, s.cfg.Mischief)
	s.ctx, s.stop = context.WithCancelCause(context.Background())
	s.close = sync.OnceValue(s.shutdown)
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (c Config) check() error {
	if len(c.TMK) != 16 {
		return fmt.Errorf("the terminal master key has %d bytes, not 16", len(c.TMK))
	}
	for t, m := range c.Terminals {
		if len(t) != 8 || len(m) != 15 {
			return fmt.Errorf("terminal %q of merchant %q: a terminal has 8 characters, a merchant 15", t, m)
		}
	}
	return c.Mischief.Check()
}

func (s *Server) open() (err error) {
	if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
		return err
	}
	s.addr = s.listener.Addr()
	path := s.cfg.Ledger
	if path == "" {
		if s.temp, err = os.MkdirTemp("", "acquirer-"); err != nil {
			return err
		}
		path = filepath.Join(s.temp, "ledger")
	}
	if s.db, err = openLedger(path, s.cfg.maxSize); err != nil {
		return err
	}
	if s.cfg.onOpen != nil {
		s.cfg.onOpen(s.db)
	}
	return s.db.View(func(tx *bbolt.Tx) error {
		s.content = append([]byte(nil), tx.Bucket(bucketMeta).Get(keyContent)...)
		return nil
	})
}

// Addr is the address the host listens at, also while it is down.
func (s *Server) Addr() net.Addr { return s.addr }

// Serve answers until ctx is done or Close is called, both of which give nil.
// When the ledger cannot be written it stops at once and gives that error: what
// it had answered is in the ledger, what it had not may be. It closes the server
// before it returns. A second Serve is refused.
func (s *Server) Serve(ctx context.Context) error {
	s.mu.Lock()
	if s.serving {
		s.mu.Unlock()
		return errors.New("acquirer: this server is served already")
	}
	if s.ended {
		s.mu.Unlock()
		return nil
	}
	s.serving = true
	if s.listener != nil {
		s.accept(s.listener)
	}
	s.wg.Go(s.outages)
	s.mu.Unlock()

	select {
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	err := s.Close()
	if cause := context.Cause(s.ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(cause, err)
	}
	return err
}

// Close stops the host, waits for what it was doing and closes the ledger. It
// may be called more than once.
func (s *Server) Close() error { return s.close() }

func (s *Server) shutdown() (err error) {
	s.stop(context.Canceled)
	s.mu.Lock()
	s.ended = true
	s.drop()
	s.mu.Unlock()
	s.wg.Wait()
	if s.db != nil {
		err = s.db.Close()
	}
	if s.temp != "" {
		err = errors.Join(err, os.RemoveAll(s.temp))
	}
	return err
}

// Mischief is how the host misbehaves now; Forget counts down.
func (s *Server) Mischief() Mischief {
	m, _ := s.imp.get()
	return m
}

// SetMischief changes it for the messages to come.
func (s *Server) SetMischief(m Mischief) error {
	if err := m.Check(); err != nil {
		return err
	}
	s.imp.set(m)
	return nil
}

// Status is a glance at a running host.
type Status struct {
	Up                                                  bool
	Conns, Bookings, Tombstones, Conflicts, OpenBatches int
}

// Status looks into the ledger.
func (s *Server) Status() (st Status, err error) {
	s.mu.Lock()
	st.Up, st.Conns = s.listener != nil, len(s.conns)
	s.mu.Unlock()
	err = s.db.View(func(tx *bbolt.Tx) error {
		st.Bookings = tx.Bucket(bucketBookings).Stats().KeyN
		st.Tombstones = tx.Bucket(bucketTombs).Stats().KeyN
		st.Conflicts = tx.Bucket(bucketConflicts).Stats().KeyN
		batches, err := all(tx, bucketBatches, func(b *Batch) Batch { return *b })
		for _, b := range batches {
			if b.State != BatchClosed {
				st.OpenBatches++
			}
		}
		return err
	})
	return st, err
}

// update runs one transaction of the ledger; it returns after the sync. A ledger
// that cannot be written stops the host: what a failed commit left is unknown
// until the file is read anew. errNoMessage only takes the transaction back.
func (s *Server) update(fn func(books) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return fn(books{tx}) })
	if err != nil && !errors.Is(err, errNoMessage) {
		s.stop(fmt.Errorf("ledger: %w", err))
	}
	return err
}

// fingerprint is the HMAC of what makes a message the same message.
func (s *Server) fingerprint(parts ...string) []byte {
	h := hmac.New(sha256.New, s.content)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return h.Sum(nil)
}
