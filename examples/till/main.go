// Command till is a small till: the shortest program that takes cash and cards,
// undoes what was taken, closes the day, and shows what a cashier must know.
// It is there to be read; start with till.go. Its host is examples/acquirer.
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/screen"
)

// config is what a till is started with.
type config struct {
	host, journal string
	lang          screen.Lang
	tmk           []byte        // terminal master key
	retry, look   time.Duration // the longest pause after a failure, and between two looks of the alarm; 0: the default
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, in io.Reader, out, problems io.Writer) int {
	lang, err := screen.Language(screen.LanguageFlag(args), os.Getenv)
	cfg := config{lang: lang}
	flags := flag.NewFlagSet("till", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&cfg.host, "host", "127.0.0.1:8583", "the acquirer's address / 收单主机地址")
	flags.StringVar(&cfg.journal, "journal", "till.journal", "the journal's path / 流水文件")
	flags.String("lang", "", "zh or en; by default the locale's / 语言")
	tmk := flags.String("tmk", hex.EncodeToString(host.DefaultTMK()), "terminal master key, 32 hexadecimal digits / 终端主密钥")
	if flags.Parse(args) != nil {
		return 2
	}
	if err == nil {
		cfg.tmk, err = hex.DecodeString(*tmk)
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		err = open(ctx, cfg, in, out)
	}
	if err != nil {
		fmt.Fprintln(problems, "till:", said(lang, err))
		return 2
	}
	return 0
}
