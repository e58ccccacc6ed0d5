// Decode shows what an ISO 8583 message says: paste its bytes as hexadecimal
// digits, plain or as a dump, with or without what stands around it on the
// line, and read a table of its fields in words, card data masked. Where it is
// wrong, a caret stands under the byte.
//
//	go run ./examples/decode 0800002000000 …
//	go run ./examples/decode -dialect unionpay -mak DAB36167E6DFB5EF < dump.txt
//
// It speaks the language of the locale; -lang en and -lang zh choose one.
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
	dialect, table, moov, mak, lang string
	text, clear                     bool
}

func run(args []string, in io.Reader, out, errs io.Writer) int {
	var o options
	words, err := speak(langOf(args), os.Getenv)
	if err != nil {
		fmt.Fprintln(errs, "decode:", err)
		return statusUsage
	}
	fs := flag.NewFlagSet("decode", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.StringVar(&o.dialect, "dialect", "", fmt.Sprintf(words.say("dialect: %s; guessed if not given"), strings.Join(dialectNames(), ", ")))
	fs.StringVar(&o.table, "table", "", words.say("file with the table of a dialect of your own"))
	fs.StringVar(&o.moov, "moov", "", words.say("file with a specification in the JSON of moov-io/iso8583"))
	fs.StringVar(&o.mak, "mak", "", words.say("MAC key in hexadecimal digits: check the MAC"))
	fs.StringVar(&o.lang, "lang", "", words.say("language: en or zh; the locale's if not given"))
	fs.BoolVar(&o.text, "text", false, words.say("the input is the message's own characters, not hexadecimal digits"))
	fs.BoolVar(&o.clear, "clear", false, words.say("show card data too"))
	fs.Usage = func() {
		fmt.Fprintln(errs, words.say("usage: decode [flags] [hexadecimal digits …]   (from standard input if none are given)"))
		fs.PrintDefaults()
	}
	digits, err := parseAll(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return statusFine
	}
	if err != nil {
		return statusUsage
	}
	raw, specs, key, err := o.read(words, digits, in)
	if err != nil {
		fmt.Fprintln(errs, "decode:", err)
		return statusUsage
	}
	return report{words, out, o.clear}.show(guess(specs, raw), raw, key)
}

// parseAll reads flags in front of, between and behind what is not one.
func parseAll(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// langOf finds the value of -lang before the flags are read, so that what is
// wrong with them can be said in that language.
func langOf(args []string) (lang string) {
	for i, a := range args {
		name, value, has := strings.Cut(strings.TrimLeft(a, "-"), "=")
		switch {
		case name != "lang" || a == name:
		case has:
			lang = value
		case i+1 < len(args):
			lang = args[i+1]
		}
	}
	return lang
}

// read gives the message, the dialects to try and the MAC key.
func (o options) read(words lang, args []string, in io.Reader) (raw []byte, specs []*codec.Spec, key []byte, err error) {
	if raw, err = input(words, args, in, o.text); err != nil {
		return nil, nil, nil, err
	}
	if specs, err = o.specs(words); err != nil {
		return nil, nil, nil, err
	}
	key, err = parseKey(words, o.mak)
	return raw, specs, key, err
}

func dialectNames() []string {
	var names []string
	for _, s := range codec.Dialects() {
		names = append(names, s.Name())
	}
	return names
}

// specs gives the dialects to try.
func (o options) specs(words lang) ([]*codec.Spec, error) {
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
	return nil, words.errorf("no dialect is called %q; there are: %s", o.dialect, strings.Join(dialectNames(), ", "))
}
