package httplink_test

import (
	"io"
	"log"
	"os"
	"testing"
)

// net/http logs what a host sends unasked, which doubled answers are.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}
