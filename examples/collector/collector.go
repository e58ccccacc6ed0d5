package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/custody"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// settings are the flags.
type settings struct {
	dir, listen, names, lang string
	limit                    int64
	salvage                  bool
}

// run is the program: it returns its exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) > 0 && args[0] == "till" {
		return runTill(ctx, args[1:], out, errs)
	}
	var s settings
	f := flag.NewFlagSet("collector", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&s.dir, "dir", "collector.data", "folder of the ledger, its keys and attachments")
	f.StringVar(&s.listen, "listen", "127.0.0.1:8443", "address to listen on")
	f.StringVar(&s.names, "names", "localhost,127.0.0.1", "hosts and addresses that a new certificate is for")
	f.StringVar(&s.lang, "lang", "", "en or zh; default: as the environment says")
	f.BoolVar(&s.salvage, "salvage", false, "get out what is readable of a damaged ledger, and run with that")
	f.Int64Var(&s.limit, "limit", 1_000_00, "the largest request that is approved, in minor units")
	if err := f.Parse(args); err != nil {
		return 2
	}
	if f.NArg() > 0 {
		_, _ = fmt.Fprintf(errs, "unexpected: %s\n", f.Arg(0))
		return 2
	}
	w, err := speak(s.lang)
	if err == nil {
		err = collect(ctx, s, w, in, out, errs)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

// collect runs the ledger until ctx is done or "quit" is read.
func collect(ctx context.Context, s settings, w words, in io.Reader, out, errs io.Writer) (err error) {
	k, err := loadKeys(s.dir, strings.Split(s.names, ","), time.Now())
	if err != nil {
		return err
	}
	engine, l, err := openLedger(ctx, s, k)
	if errors.Is(err, ledger.ErrDamaged) && s.salvage {
		r, failed := ledger.SalvageFile(ctx, filepath.Join(s.dir, ledgerFile), k.seal, nil)
		if failed != nil {
			return failed
		}
		_, _ = fmt.Fprintf(out, w.salvaged+"\n", r.Bookings, r.LostCount, r.Aside)
		engine, l, err = openLedger(ctx, s, k)
	} else if errors.Is(err, ledger.ErrDamaged) {
		return fmt.Errorf("%w: %s", err, w.damaged)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	sc := newScreen(l, w, out)
	if err := sc.catchUp(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	sc.say(w.listening, "https://"+listener.Addr().String())
	sc.say(w.trust, filepath.Join(s.dir, tlsCertFile), fmt.Sprintf("%x", sha256.Sum256(k.tls.Certificate[0])))
	sc.say(w.receipts, base64.StdEncoding.EncodeToString(l.Public()))
	sc.say("%s", w.hint)
	err = serve(ctx, l, k.tls, listener, sc, in, errs)
	if err == nil {
		sc.say("%s", w.bye)
	}
	return err
}

func openLedger(ctx context.Context, s settings, k keys) (*ledger.File, *ledger.Ledger, error) {
	engine, err := ledger.OpenFile(filepath.Join(s.dir, ledgerFile), k.seal, nil)
	if err != nil {
		return nil, nil, err
	}
	l, err := ledger.New(ctx, engine, k.signer, &ledger.Options{
		Decide:      upTo(s.limit),
		Claims:      custody.WaybillOf, // a parcel that two couriers were paid for is a conflict
		Attachments: filepath.Join(s.dir, photoFolder),
	})
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	return engine, l, nil
}

// upTo approves what is not above limit. A collector of cash and codes needs no
// more; one that relays cards asks the issuer here.
func upTo(limit int64) func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) {
	return func(_ context.Context, b ledger.Booking, _ *wire.Card) (queue.Answer, error) {
		if b.Entry.Amount.Minor > limit {
			return queue.Answer{Verdict: queue.Refused, Code: "51"}, nil
		}
		return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
	}
}

// serve answers devices and commands until one of them ends it.
func serve(ctx context.Context, l *ledger.Ledger, cert tls.Certificate, listener net.Listener, sc *screen, in io.Reader, errs io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	handler := l.Handler()
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handler.ServeHTTP(w, r)
			sc.look()
		}),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert},
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // strangers knock; that is no news
	}
	ended := make(chan error, 2)
	go func() { ended <- server.ServeTLS(listener, "", "") }()
	shown := make(chan error, 1)
	go func() { shown <- sc.follow(ctx) }()
	go func() {
		if commands(ctx, l, sc, in) {
			ended <- http.ErrServerClosed // quit; an input that just ends is none
		}
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
	case err = <-shown:
		shown <- nil
	}
	patience, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	stopped := server.Shutdown(patience)
	cancel()
	<-shown
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	if stopped != nil {
		_, _ = fmt.Fprintln(errs, stopped)
	}
	return errors.Join(err, sc.catchUp(context.WithoutCancel(ctx)))
}

// commands obeys what is typed; it returns true on "quit".
func commands(ctx context.Context, l *ledger.Ledger, sc *screen, in io.Reader) bool {
	lines := bufio.NewScanner(in)
	for ctx.Err() == nil && lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "quit" {
			return true
		}
		if err := obey(ctx, l, sc, words); err != nil {
			sc.say("%v", err)
		}
	}
	return false
}

func obey(ctx context.Context, l *ledger.Ledger, sc *screen, words []string) error {
	switch {
	case words[0] == "add" && len(words) == 2:
		// A device that is known keeps what it has, and gets one token more.
		if _, err := l.Device(ctx, words[1]); errors.Is(err, ledger.ErrNotFound) {
			if err := l.SetDevice(ctx, ledger.Device{Name: words[1]}); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		token, err := l.Token(ctx, words[1])
		if err == nil {
			sc.say(sc.w.added, words[1], token)
		}
		return err
	case words[0] == "revoke" && len(words) == 2:
		err := l.Revoke(ctx, words[1])
		if err == nil {
			sc.say(sc.w.revoked, words[1])
		}
		return err
	case words[0] == "list" && len(words) == 1:
		return sc.list(ctx)
	case words[0] == "conflicts" && len(words) == 1:
		return sc.conflicts(ctx)
	case words[0] == "hand" && len(words) == 3:
		id, err := ledger.ParseJournal(words[1])
		if err != nil {
			return err
		}
		return l.Hand(ctx, id, words[2])
	case words[0] == "help":
		sc.say("%s", sc.w.help)
		return nil
	}
	sc.say(sc.w.unknown, words[0])
	return nil
}
