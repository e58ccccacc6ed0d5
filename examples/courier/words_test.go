package main

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWordsAreComplete: both languages say all that the other says, with the
// same verbs in the same order.
func TestWordsAreComplete(t *testing.T) {
	for r := agrees + 1; r < reasons; r++ {
		require.NotEmpty(t, english.reasons[r], "reason %d", r)
		require.NotEmpty(t, chinese.reasons[r], "reason %d", r)
	}
	require.Len(t, chinese.flags, len(english.flags))
	for name, text := range english.flags {
		require.NotEmpty(t, text, name)
		require.NotEmpty(t, chinese.flags[name], name)
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	for _, pair := range [][2]string{
		{english.extra, chinese.extra}, {english.badFlag, chinese.badFlag}, {english.noKeep, chinese.noKeep},
		{english.keepFull, chinese.keepFull}, {english.noTemp, chinese.noTemp}, {english.noSelf, chinese.noSelf},
		{english.died, chinese.died}, {english.silent, chinese.silent}, {english.interrupted, chinese.interrupted},
		{english.unsettled, chinese.unsettled}, {english.verify, chinese.verify}, {english.fewTaken, chinese.fewTaken},
		{english.fewReversals, chinese.fewReversals}, {english.noJournal, chinese.noJournal},
		{english.noLedger, chinese.noLedger}, {english.noCSV, chinese.noCSV},
		{english.noReport, chinese.noReport}, {english.dayTitle, chinese.dayTitle}, {english.noLine, chinese.noLine},
	} {
		require.NotEmpty(t, pair[1], pair[0])
		require.Equal(t, verbs.FindAllString(pair[0], -1), verbs.FindAllString(pair[1], -1), pair[0])
	}
}
