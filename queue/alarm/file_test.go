package alarm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

func someHistories() map[queue.Lane]*history {
	all := map[queue.Lane]*history{}
	for lane := range 3 {
		h := new(history)
		for day := range int64(4) {
			for i := range 500 {
				h.add(hour{day, i % 24}, class(i%2), time.Duration(i*i)*time.Millisecond, 7)
			}
		}
		all[queue.Lane{Host: "acquirer", Merchant: "m", Terminal: fmt.Sprint(lane)}] = h
	}
	return all
}

func TestHistoriesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers")
	none, err := readHistories(path)
	require.NoError(t, err)
	require.Empty(t, none)
	for range 2 { // the second replaces the first
		require.NoError(t, replaceFile(path, encodeHistories(someHistories())))
	}
	got, err := readHistories(path)
	require.NoError(t, err)
	require.Equal(t, someHistories(), got)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1)
	t.Logf("%d bytes a lane", info.Size()/3)
}

// Any cut and any flipped bit is noticed; nothing is half believed.
func TestDamagedHistories(t *testing.T) {
	whole := encodeHistories(map[queue.Lane]*history{{Host: "h", Merchant: "m", Terminal: "t"}: someHistories()[queue.Lane{Host: "acquirer", Merchant: "m", Terminal: "1"}]})
	for n := 0; n < len(whole); n += 1 + len(whole)/400 {
		_, err := decodeHistories(whole[:n])
		require.ErrorIs(t, err, errDamaged)
		b := bytes.Clone(whole)
		b[n] ^= 1 << (n % 8)
		_, err = decodeHistories(b)
		require.ErrorIs(t, err, errDamaged)
	}
}

// A file that someone made on purpose, with a digest that fits, is refused as
// well, without taking memory for what it claims.
func FuzzDecodeHistories(f *testing.F) {
	whole := encodeHistories(someHistories())
	f.Add(whole[len(magic) : len(whole)-sha256.Size])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Add([]byte{1, 1, 'h', 1, 'm', 1, 't', 33})
	f.Add([]byte{1, 1, 'h', 1, 'm', 1, 't', 1, 2, 200, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(magic), body...)
		sum := sha256.Sum256(b)
		b = append(b, sum[:]...)
		all, err := decodeHistories(b)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			require.Nil(t, all)
			return
		}
		require.LessOrEqual(t, len(all), maxLanes)
		again, err := decodeHistories(encodeHistories(all))
		require.NoError(t, err)
		require.Equal(t, all, again)
	})
}

// However much there is to count, a week of it has a bound.
func TestSizeOfAWeek(t *testing.T) {
	full := new(counts)
	for i := range full {
		full[i] = 1<<16 - 1
	}
	h := new(history)
	for n := range int64(8) {
		d := day{n: 20000 + n}
		for of := range d.hours {
			d.hours[of] = [classes]*counts{full, full}
		}
		h.days = append(h.days, d)
	}
	b := encodeHistories(map[queue.Lane]*history{{}: h})
	require.Less(t, len(b), 110_000)
	got, err := decodeHistories(b)
	require.NoError(t, err)
	require.Equal(t, h, got[queue.Lane{}])
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	require.Error(t, replaceFile(filepath.Join(dir, "answers"), nil))
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "answers")
	require.NoError(t, os.Mkdir(path, 0o700)) // a rename onto it fails
	require.Error(t, replaceFile(path, []byte("x")))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "no file is left behind")
}
