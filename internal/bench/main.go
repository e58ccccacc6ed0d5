// Command bench measures what the journal's durability costs, against a raw
// file and against other stores, interleaved in one run and with durable
// settings only. It writes a table and a chart:
//
//	go run . -out DIR
//
// It is a module of its own, so that the stores it compares with burden nobody
// who imports tallystick.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	out     string
	dir     string
	quick   bool
	rounds  int
	entries int
}

func main() {
	if err := start(os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func start(args []string, progress io.Writer) error {
	var c config
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.StringVar(&c.out, "out", "", "folder for RESULTS.md and chart.svg (required)")
	flags.StringVar(&c.dir, "dir", ".", "folder on a real disk in which the stores are made; they are removed at the end")
	flags.BoolVar(&c.quick, "quick", false, "do a little of everything: shows that it works, measures nothing")
	flags.IntVar(&c.rounds, "rounds", 5, "how often everything is measured")
	flags.IntVar(&c.entries, "entries", 100_000, "how many entries the large journal has")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.out == "" || c.rounds < 1 || c.entries <= 2*commitsMeasured {
		flags.Usage()
		return fmt.Errorf("-out is required, -rounds is at least 1, -entries more than %d", 2*commitsMeasured)
	}
	began := time.Now()
	return run(c, func(format string, args ...any) {
		fmt.Fprintf(progress, "%6.1f s  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	})
}

// run measures everything and writes the report.
func run(c config, log func(string, ...any)) (err error) {
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	dir, fs, err := workFolder(c.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log("on %s", fs)
	m := measured{quick: c.quick, fs: fs, roundCount: c.rounds, heapEntries: 10_000, loadBefore: load()}
	scale, repeats, entries := 16, 3, c.entries
	if c.quick {
		scale, repeats, entries = 1, 1, 500
		m.roundCount, m.heapEntries = 2, 200
	}
	if m.rounds, err = runRounds(dir, m.roundCount, scale, log); err != nil {
		return err
	}
	if m.online, err = measureOnline(dir); err != nil {
		return fmt.Errorf("online sale: %w", err)
	}
	if m.heap, err = heapWith(dir, m.heapEntries); err != nil {
		return fmt.Errorf("heap: %w", err)
	}
	// What did not work here is missed, in a report of everything else.
	if m.large, err = measureLarge(dir, entries, repeats, log); err != nil {
		err = fmt.Errorf("large journal: %w", err)
		m.largeFailed = err
	}
	m.loadAfter = load()
	return errors.Join(err, m.write(c.out))
}

// write leaves the report and its chart in a folder. What people have noted in
// the report that it replaces is kept.
func (m measured) write(dir string) error {
	path := filepath.Join(dir, "RESULTS.md")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	err = os.WriteFile(path, []byte(m.markdown()+noted(string(old))), 0o644)
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "chart.svg"), []byte(svg(m.panels())), 0o644))
}

// notes is the heading from which on a report is written by people.
const notes = "\n## Why, and what would help next\n"

// noted returns what people have written at the end of a report.
func noted(report string) string {
	if i := strings.Index(report, notes); i >= 0 {
		return report[i:]
	}
	return ""
}
