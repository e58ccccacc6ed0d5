package faultkit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// childEnv makes the test binary the device that TestKill kills.
const childEnv = "TALLYSTICK_CHILD_JOURNAL"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		device(path)
		return
	}
	os.Exit(m.Run())
}

// much is how much a test does: all in the long mode, TALLYSTICK_LONG=1.
func much(long, short int) int {
	if os.Getenv("TALLYSTICK_LONG") != "" {
		return long
	}
	return short
}

var (
	cards = queue.Lane{Host: "host", Merchant: "M", Terminal: "T1"}
	bg    = context.Background()
)

// ring is the app's one key.
type ring struct{}

func (ring) Current() (string, error)   { return "k1", nil }
func (ring) Key(string) ([]byte, error) { return bytes.Repeat([]byte{1}, 32), nil }

func options() *queue.Options {
	return &queue.Options{MaxSize: 3 << 19, RetryMin: time.Microsecond, RetryMax: time.Millisecond}
}

func sale(ref string) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: cards, Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, EntryMode: "051",
		Card: queue.Card{PAN: queue.NewSecret("6221558812340000"), Expiry: queue.NewSecret("3012")}}
}

func offline(ref string) queue.Transaction {
	t := sale(ref)
	t.Approval = "Y1"
	t.Data = make([]byte, 2000) // so that checkpoints come early
	return t
}

// uplink calls itself.
type uplink func(e queue.Entry) (queue.Answer, error)

func (u uplink) Send(_ context.Context, e queue.Entry) (queue.Answer, error) { return u(e) }

var errSilent = errors.New("no answer")

func approved(e queue.Entry) queue.Answer {
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: fmt.Sprintf("%012d", e.ID)}
}
