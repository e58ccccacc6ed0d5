// Command collector is a back office's end of the HTTPS link: it runs a ledger
// (package ledger) for many devices and shows on a screen what they bring.
//
//	collector -dir collector.data                  run it; keys are made on the first run
//	collector till -url https://127.0.0.1:8443 …   a device that sells to it, to try
//
// While it runs it takes commands on its standard input; "help" lists them.
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
