package agree

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The protocol's bytes are the same in every version, for device and host are
// not updated together: testdata/golden.txt is what version 1 was when it was
// laid down.
func TestGolden(t *testing.T) {
	var got strings.Builder
	put := func(name string, b []byte) { fmt.Fprintf(&got, "%s %s\n", name, hex.EncodeToString(b)) }

	h := dense(t, 20)
	require.NoError(t, h.Set(300, leaf(300, 1)))
	root := h.Root(300)
	put("root", root[:])
	two := LeafOf(digest(1, 2), digest(1, 1))
	require.Equal(t, LeafOf(digest(1, 1), digest(1, 2)), two)
	put("leaf-of-two", two[:])
	counts := countersOf(h, 300, nonce{1})
	put("counters", counts[:])

	about := head{Subject: Subject{Journal: [16]byte{15: 9}, Epoch: 2}, upTo: 300}
	for _, q := range []body{
		&rootQuery{root: root, room: 32}, &sketchQuery{device: nonce{1}, counts: counts},
		&moreQuery{device: nonce{1}, host: nonce{2}, check: [8]byte{3}, way: spreads, from: 40, count: 200},
		&nodesQuery{level: 2, indexes: []uint64{0, 1, 700}}, &heldQuery{seqs: []uint64{0, 5, 6, 300}}, &beyondQuery{},
	} {
		put(fmt.Sprintf("message-%d", q.kind()), writeMessage(about, q))
	}
	put("answer-1-equal", writeAnswer(h.answerRoot(about, &rootQuery{root: root})))
	put("answer-1-gaps", writeAnswer(h.answerRoot(about, &rootQuery{room: 1})))
	put("answer-1-cut", writeAnswer(h.answerRoot(about, &rootQuery{})))
	for _, w := range []way{byPower, spreads} {
		s := sketchOf(h, 299, someSecret, w, 9)
		put(fmt.Sprintf("answer-2-way-%d", w), writeAnswer(&sketchAnswer{asked: askSketch, host: nonce{2}, root: s.root, way: w, cells: s.cells}))
	}
	put("answer-4", writeAnswer(h.answerNodes(about, &nodesQuery{level: 2, indexes: []uint64{0, 1}})))
	put("answer-6", writeAnswer(&beyondAnswer{highest: 900, seen: []Range{{301, 301}, {500, 900}}, upTo: 300}))

	want, err := os.ReadFile("testdata/golden.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}
