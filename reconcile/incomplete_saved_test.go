package reconcile

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func saved(t testing.TB, m *Mirror) []byte {
	var b bytes.Buffer
	require.NoError(t, m.Save(&b))
	return b.Bytes()
}

// A loaded Mirror is the one that was saved, and goes on from there.
func TestMirrorLoads(t *testing.T) {
	q, b := journalOf(t, 40)
	for _, ref := range []string{"waits", "asked"} {
		_, err := q.Append(bg, cash(ref, 500))
		require.NoError(t, err)
	}
	m := NewMirror(q, "depot")
	require.NoError(t, m.refresh(bg))
	raw := saved(t, m)
	again, err := LoadMirror(bg, q, "depot", bytes.NewReader(raw))
	require.NoError(t, err)
	require.Equal(t, m.half.Root(42), again.half.Root(42))
	require.Equal(t, m.open, again.open)
	require.Equal(t, raw, saved(t, again))

	_, err = q.Append(bg, cash("since", 500))
	require.NoError(t, err)
	b.lose(7)
	r, err := again.Incomplete(bg, b)
	require.NoError(t, err)
	require.Equal(t, []told{{Missing, 7, false, true}, {NeverSent, 41, false, true}, {NeverSent, 42, false, true}, {NeverSent, 43, false, true}}, lines(r))
	require.True(t, r.Agreed)
	same(t, q, b)

	empty, _ := journalOf(t, 0)
	raw = saved(t, NewMirror(empty, "depot"))
	_, err = LoadMirror(bg, empty, "depot", bytes.NewReader(raw))
	require.NoError(t, err)
}

// What is damaged, cut short or another's is refused, byte by byte.
func TestMirrorRefusesWhatIsNotIt(t *testing.T) {
	q, _ := journalOf(t, 5)
	m := NewMirror(q, "depot")
	require.NoError(t, m.refresh(bg))
	raw := saved(t, m)
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 0x10
		_, err := LoadMirror(bg, q, "depot", bytes.NewReader(bad))
		require.ErrorIs(t, err, ErrMirror, "byte %d", i)
		_, err = LoadMirror(bg, q, "depot", bytes.NewReader(raw[:i]))
		require.ErrorIs(t, err, ErrMirror, "cut at %d", i)
	}
	for name, load := range map[string]func() error{
		"longer": func() error {
			_, err := LoadMirror(bg, q, "depot", bytes.NewReader(append(bytes.Clone(raw), 0)))
			return err
		},
		"another host": func() error { _, err := LoadMirror(bg, q, "other", bytes.NewReader(raw)); return err },
		"other journal": func() error {
			o, _ := journalOf(t, 5)
			_, err := LoadMirror(bg, o, "depot", bytes.NewReader(raw))
			return err
		},
	} {
		require.ErrorIs(t, load(), ErrMirror, name)
	}
}

// The journal's file was exchanged for an older copy, which went on otherwise.
func TestMirrorOfAJournalThatWentBack(t *testing.T) {
	q, b := journalOf(t, 30)
	old := crashed(t, q)
	for i := range 5 {
		_, err := q.Append(bg, cash(fmt.Sprint("lost ", i), 500))
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, cashLane, b))
	m := NewMirror(q, "depot")
	require.NoError(t, m.refresh(bg))
	raw := saved(t, m)
	_, err := LoadMirror(bg, old, "depot", bytes.NewReader(raw))
	require.ErrorIs(t, err, ErrMirror, "entries are not there")
	b.q = old
	for i := range 8 {
		_, err := old.Append(bg, cash(fmt.Sprint("other ", i), 500))
		require.NoError(t, err)
	}
	_, err = LoadMirror(bg, old, "depot", bytes.NewReader(raw))
	require.ErrorIs(t, err, ErrMirror, "entries are others")
	_, err = LoadMirror(bg, q, "depot", bytes.NewReader(raw))
	require.NoError(t, err)
}

// An arbitrary file is loaded or refused.
func FuzzLoadMirror(f *testing.F) {
	q, _ := journalOf(f, 3)
	m := NewMirror(q, "depot")
	require.NoError(f, m.refresh(bg))
	raw := saved(f, m)
	f.Add(raw[len(m.identity()):])
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := append(m.identity(), b...)
		l, err := LoadMirror(bg, q, "depot", bytes.NewReader(whole))
		if err == nil && !bytes.Equal(saved(t, l), whole) {
			t.Fatal("it was loaded as something else")
		}
	})
}
