package alarm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

var update = flag.Bool("update", false, "write the sentences to testdata")

var testLane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}

// everyWarning is each kind with each cause that it can have.
func everyWarning() (all []Warning) {
	w := Warning{Lane: testLane, State: Raised, Have: 60, Threshold: 50}
	for c := Cause(0); c <= Settlement+1; c++ {
		b := w
		b.Kind, b.Cause = Backlog, c
		if c == HostRefused {
			b.Code = "58"
		}
		all = append(all, b)
	}
	amount := w
	amount.Kind, amount.Cause, amount.Currency, amount.Have, amount.Threshold = Amount, NoNetwork, queue.CNY, 1234567, 1000000
	age := w
	age.Kind, age.Cause, age.Have, age.Threshold = Age, Unanswered, (95 * time.Minute).Milliseconds(), (30 * time.Minute).Milliseconds()
	lost := age
	lost.Have = (1<<63 - 1) / 1_000_000
	sign := w
	sign.Kind, sign.Cause, sign.Have, sign.Threshold = SignIn, KeysWrong, 1, 1
	slow := w
	slow.Kind, slow.Cause, slow.Have, slow.Threshold = Answers, HostSlow, 320, 200
	slow.Percentile, slow.Took, slow.Usual = 95, 12800*time.Millisecond, 4*time.Second
	parked := w
	parked.Kind, parked.Cause, parked.Have, parked.Threshold, parked.Entry, parked.Why = Parked, NeedsPerson, 1, 1, 17, "the host refused it"
	all = append(all, amount, age, lost, sign, slow, parked)
	for k := Backlog; k <= Parked; k++ {
		all = append(all, Warning{Lane: testLane, Kind: k, State: Cleared, Have: 0, Threshold: 50, Currency: queue.USD})
	}
	return append(all, Warning{Lane: testLane, Kind: 99, Cause: 99, State: 99})
}

// Every sentence is whole, in its own language, and as it stands in testdata,
// where a person has read it.
func TestSentences(t *testing.T) {
	var b strings.Builder
	for _, w := range everyWarning() {
		fmt.Fprintf(&b, "%s %s %s\n", w.Kind, w.Cause, w.State)
		for _, s := range []string{w.Cashier(Chinese), w.Support(Chinese), w.Cashier(English), w.Support(English)} {
			require.NotContains(t, s, "{")
			require.NotContains(t, s, "%!")
			fmt.Fprintf(&b, "  %s\n", s)
		}
		for _, s := range []string{w.Cashier(English), w.Support(English)} {
			require.False(t, strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }), s)
			require.True(t, strings.HasSuffix(s, ".") && !unicode.IsLower(rune(s[0])), s)
		}
		for _, s := range []string{w.Cashier(Chinese), w.Support(Chinese)} {
			require.True(t, strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }), s)
			require.True(t, strings.HasSuffix(s, "。"), s)
		}
		require.Equal(t, w.Support(English), (&w).Error())
	}
	path := filepath.Join("testdata", "sentences.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// No text is forgotten when a kind or a cause is added.
func TestEveryTextIsThere(t *testing.T) {
	for _, in := range []Language{English, Chinese} {
		words := wordsOf(in)
		for to := range readers {
			for k := range words.facts[to] {
				require.NotEmpty(t, words.facts[to][k], "%s", Kind(k))
				require.NotEmpty(t, words.cleared[to][k], "%s", Kind(k))
			}
			for c, text := range words.causes[to] {
				require.NotEmpty(t, text.why, "%s", Cause(c))
				require.NotEmpty(t, text.step, "%s", Cause(c))
			}
		}
	}
	require.Len(t, causeNames, int(NeedsPerson)+1)
	require.Len(t, kindNames, int(Parked)+1)
	require.Equal(t, "unknown(99)", Cause(99).String())
}
