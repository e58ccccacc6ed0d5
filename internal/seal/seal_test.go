package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/seal"
)

// ring is a set of keys.
type ring struct {
	current string
	keys    map[string][]byte
}

func (r *ring) Current() (string, error) { return r.current, nil }

func (r *ring) Key(name string) ([]byte, error) {
	if k, ok := r.keys[name]; ok {
		return k, nil
	}
	return nil, errors.New("unknown")
}

func newRing(names ...string) *ring {
	r := &ring{current: names[len(names)-1], keys: map[string][]byte{}}
	for i, n := range names {
		r.keys[n] = bytes.Repeat([]byte{byte(i + 1)}, 32)
	}
	return r
}

var (
	journal = [16]byte{7}
	context = []byte("n\x00\x01")
	plain   = []byte("an entry of 12.50 CNY")
)

func boxes() map[string]*seal.Box {
	return map[string]*seal.Box{"digest": seal.New(nil, journal), "sealed": seal.New(newRing("k1"), journal)}
}

func TestRoundTrip(t *testing.T) {
	for name, b := range boxes() {
		for _, p := range [][]byte{plain, nil, bytes.Repeat([]byte{1}, 100000)} {
			s, err := b.Seal([]byte("before"), p, context)
			require.NoError(t, err, name)
			require.Equal(t, "before", string(s[:6]))
			got, err := b.Open(s[6:], context)
			require.NoError(t, err, name)
			require.True(t, bytes.Equal(p, got), name)
		}
	}
}

func TestSealedHidesAndDiffers(t *testing.T) {
	b := seal.New(newRing("k1"), journal)
	one, err := b.Seal(nil, plain, context)
	require.NoError(t, err)
	two, err := b.Seal(nil, plain, context)
	require.NoError(t, err)
	require.NotEqual(t, one, two, "a nonce is never used twice")
	require.False(t, bytes.Contains(one, []byte("entry")))
	require.True(t, b.Sealed())
	require.False(t, seal.New(nil, journal).Sealed())
}

func TestOpensOnlyInItsPlace(t *testing.T) {
	for name, b := range boxes() {
		s, err := b.Seal(nil, plain, context)
		require.NoError(t, err)
		for _, other := range [][]byte{nil, []byte("n\x00\x02"), []byte("c\x00\x01"), []byte("n\x00"), append(bytes.Clone(context), 0)} {
			_, err = b.Open(s, other)
			require.ErrorIs(t, err, seal.ErrDamaged, "%s: moved to %q", name, other)
		}
	}
	keys := newRing("k1")
	s, err := seal.New(keys, journal).Seal(nil, plain, context)
	require.NoError(t, err)
	_, err = seal.New(keys, [16]byte{8}).Open(s, context)
	require.ErrorIs(t, err, seal.ErrDamaged, "a record of another journal")
	s, err = seal.New(nil, journal).Seal(nil, plain, context)
	require.NoError(t, err)
	_, err = seal.New(nil, [16]byte{8}).Open(s, context)
	require.ErrorIs(t, err, seal.ErrDamaged, "a record of another journal")
}

func TestEverySingleBitFlipIsRefused(t *testing.T) {
	for name, b := range boxes() {
		s, err := b.Seal(nil, plain, context)
		require.NoError(t, err)
		for bit := range 8 * len(s) {
			bad := bytes.Clone(s)
			bad[bit/8] ^= 1 << (bit % 8)
			_, err := b.Open(bad, context)
			require.ErrorIs(t, err, seal.ErrDamaged, "%s, bit %d", name, bit)
		}
		for n := range len(s) {
			_, err := b.Open(s[:n], context)
			require.ErrorIs(t, err, seal.ErrDamaged, "%s, cut to %d", name, n)
		}
	}
}

func TestWrongKey(t *testing.T) {
	s, err := seal.New(newRing("k1"), journal).Seal(nil, plain, context)
	require.NoError(t, err)

	other := newRing("k1")
	other.keys["k1"] = bytes.Repeat([]byte{9}, 32)
	_, err = seal.New(other, journal).Open(s, context)
	require.ErrorIs(t, err, seal.ErrDamaged, "another key of the same name")

	_, err = seal.New(newRing("k2"), journal).Open(s, context)
	require.ErrorIs(t, err, seal.ErrKey, "a name that the app does not know")
	require.NotErrorIs(t, err, seal.ErrDamaged)

	_, err = seal.New(nil, journal).Open(s, context)
	require.ErrorIs(t, err, seal.ErrKey, "no keys at all")

	short := newRing("k1")
	short.keys["k1"] = make([]byte, 16)
	_, err = seal.New(short, journal).Seal(nil, plain, context)
	require.ErrorIs(t, err, seal.ErrKey)
	for _, n := range []string{"", string(make([]byte, seal.MaxKeyName+1))} {
		long := &ring{current: n, keys: map[string][]byte{n: make([]byte, 32)}}
		_, err = seal.New(long, journal).Seal(nil, plain, context)
		require.ErrorIs(t, err, seal.ErrKey, "a name of %d bytes", len(n))
	}
}

// A digest proves no origin: with keys, only what is sealed is taken.
func TestDigestIsRefusedWhereKeysAre(t *testing.T) {
	s, err := seal.New(nil, journal).Seal(nil, plain, context)
	require.NoError(t, err)
	_, err = seal.New(newRing("k1"), journal).Open(s, context)
	require.ErrorIs(t, err, seal.ErrDamaged)
}

func TestRotation(t *testing.T) {
	keys := newRing("k1", "k2")
	keys.current = "k1"
	b := seal.New(keys, journal)
	old, err := b.Seal(nil, plain, context)
	require.NoError(t, err)
	keys.current = "k2"
	fresh, err := b.Seal(nil, plain, context)
	require.NoError(t, err)
	for _, s := range [][]byte{old, fresh} {
		got, err := b.Open(s, context)
		require.NoError(t, err)
		require.Equal(t, plain, got)
	}
	delete(keys.keys, "k1")
	after := seal.New(keys, journal)
	_, err = after.Open(old, context)
	require.ErrorIs(t, err, seal.ErrKey)
	_, err = after.Open(fresh, context)
	require.NoError(t, err)
}

func TestChainKeys(t *testing.T) {
	sum := func(b *seal.Box, name string) string {
		newHash, err := b.Chain(name)
		require.NoError(t, err)
		h := newHash()
		h.Write(plain)
		return string(h.Sum(nil))
	}
	keys := newRing("k1", "k2")
	b := seal.New(keys, journal)
	require.Equal(t, sum(b, "k1"), sum(b, "k1"))
	require.NotEqual(t, sum(b, "k1"), sum(b, "k2"))
	require.NotEqual(t, sum(b, "k1"), sum(seal.New(keys, [16]byte{8}), "k1"))
	require.NotEqual(t, sum(b, "k1"), sum(b, ""))
	_, err := seal.New(nil, journal).Chain("k1")
	require.ErrorIs(t, err, seal.ErrKey)
}
