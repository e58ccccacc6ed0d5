// Decode shows what an ISO 8583 message says: paste its bytes as hexadecimal
// digits, plain or as a dump, with or without what stands around it on the
// line, and read a table of its fields in words, card data masked. Where it is
// wrong, a caret stands under the byte.
//
//	go run ./examples/decode 0800002000000 …
//	go run ./examples/decode -dialect unionpay -mak DAB36167E6DFB5EF < dump.txt
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	statusFine  = 0
	statusWrong = 1 // the message is malformed or its MAC does not match
	statusUsage = 2 // the call, a file or the hexadecimal digits are wrong
)

type options struct {
	dialect, table, moov, mak string
	text, clear               bool
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	var o options
	fs := flag.NewFlagSet("decode", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&o.dialect, "dialect", "", "dialect: "+strings.Join(dialectNames(), ", ")+"; guessed if not given")
	fs.StringVar(&o.table, "table", "", "file with the table of a dialect of your own")
	fs.StringVar(&o.moov, "moov", "", "file with a specification in the JSON of moov-io/iso8583")
	fs.StringVar(&o.mak, "mak", "", "MAC key in hexadecimal digits: check the MAC")
	fs.BoolVar(&o.text, "text", false, "the input is the message's own characters, not hexadecimal digits")
	fs.BoolVar(&o.clear, "clear", false, "show card data too")
	fs.Usage = func() {
		fmt.Fprintln(errs, "usage: decode [flags] [hexadecimal digits …]   (from standard input if none are given)")
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return statusFine
		}
		return statusUsage
	}
	raw, err := input(fs.Args(), in, o.text)
	if err != nil {
		fmt.Fprintln(errs, "decode:", err)
		return statusUsage
	}
	specs, err := o.specs()
	if err != nil {
		fmt.Fprintln(errs, "decode:", err)
		return statusUsage
	}
	key, err := parseKey(o.mak)
	if err != nil {
		fmt.Fprintln(errs, "decode:", err)
		return statusUsage
	}
	g := guess(specs, raw)
	return report{out, o.clear}.show(g, raw, key)
}

func dialectNames() []string {
	var names []string
	for _, s := range codec.Dialects() {
		names = append(names, s.Name())
	}
	return names
}

// specs gives the dialects to try.
func (o options) specs() ([]*codec.Spec, error) {
	switch {
	case o.table != "":
		b, err := os.ReadFile(o.table)
		if err != nil {
			return nil, err
		}
		s, err := codec.ParseSpec(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.table, err)
		}
		return []*codec.Spec{s}, nil
	case o.moov != "":
		b, err := os.ReadFile(o.moov)
		if err != nil {
			return nil, err
		}
		s, err := codec.ParseMoovJSON(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.moov, err)
		}
		return []*codec.Spec{s}, nil
	case o.dialect == "":
		return codec.Dialects(), nil
	}
	for _, s := range codec.Dialects() {
		if s.Name() == o.dialect {
			return []*codec.Spec{s}, nil
		}
	}
	return nil, fmt.Errorf("no dialect is called %q; there are: %s", o.dialect, strings.Join(dialectNames(), ", "))
}
