// Command agreebench measures what it costs to find out in what two halves of
// a journal differ, in bytes, round trips and processor time, against sending
// everything, against the tree alone and against a rateless IBLT, and writes a
// table:
//
//	go run ./internal/agreebench -out DIR
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

type config struct {
	out   string
	seeds int
	quick bool
}

func main() {
	if err := start(os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "agreebench:", err)
		}
		os.Exit(1)
	}
}

func start(args []string, progress io.Writer) error {
	var c config
	flags := flag.NewFlagSet("agreebench", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&c.out, "out", "", "folder for RESULTS.md (required)")
	flags.IntVar(&c.seeds, "seeds", 10, "how often each row is measured, with other differences and other keys")
	flags.BoolVar(&c.quick, "quick", false, "small journals only: shows that it works")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.out == "" || c.seeds < 1 {
		flags.Usage()
		return errors.New("-out is required, -seeds is at least 1")
	}
	sizes := []uint64{1_000, 100_000, 1_000_000}
	if c.quick {
		sizes = sizes[:1]
	}
	r := report{seeds: c.seeds, loadBefore: load()}
	began := time.Now()
	for _, n := range sizes {
		fmt.Fprintf(progress, "%6.1f s  %d entries\n", time.Since(began).Seconds(), n)
		if err := r.measure(n); err != nil {
			return err
		}
	}
	entries := 20_000
	if c.quick {
		entries = 500
	}
	fmt.Fprintf(progress, "%6.1f s  reading a journal\n", time.Since(began).Seconds())
	var err error
	if r.reading, err = measureJournal(entries); err != nil {
		return fmt.Errorf("reading a journal: %w", err)
	}
	r.loadAfter = load()
	return os.WriteFile(filepath.Join(c.out, "RESULTS.md"), []byte(r.markdown()), 0o644)
}
