// Command acquirer is a test host for UnionPay-style POS terminals. It keeps a
// ledger of its own and misbehaves on demand; see package host.
package main

import (
	"context"
	"os"

	"github.com/tallystick/tallystick/examples/acquirer/host"
)

func main() {
	os.Exit(host.Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
