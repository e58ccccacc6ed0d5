package ledger

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func photo(size int) ([]byte, [32]byte) {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b, sha256.Sum256(b)
}

func TestAttachmentGoesOnAtTheByte(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		dir := filepath.Join(t.TempDir(), "attachments")
		l := newLedger(t, e, &Options{Attachments: dir})
		data, hash := photo(100_000)
		a := Attachment{Device: "till-1", Hash: hash, Size: int64(len(data)), Type: "image/jpeg"}
		_, err := l.Receive(bg, "till-1", hash, 0, bytes.NewReader(data))
		require.ErrorIs(t, err, ErrNotFound, "it was not announced")
		a, err = l.Announce(bg, journalOf(1), 3, a)
		require.NoError(t, err)
		require.Zero(t, a.Have)

		// The line breaks after 40,001 bytes: they are here, and it goes on there.
		broken := io.MultiReader(bytes.NewReader(data[:40_001]), iotest.ErrReader(io.ErrUnexpectedEOF))
		a, err = l.Receive(bg, "till-1", hash, 0, broken)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.EqualValues(t, 40_001, a.Have)
		l, err = New(bg, e, signer, l.opts) // a restart
		require.NoError(t, err)
		var at *OffsetError
		for _, wrong := range []int64{0, 40_000, 40_002} {
			_, err = l.Receive(bg, "till-1", hash, wrong, bytes.NewReader(data[wrong:]))
			require.ErrorAs(t, err, &at)
			require.EqualValues(t, 40_001, at.Have)
		}
		owed := 0
		for x, err := range l.Attachments(bg) {
			require.NoError(t, err)
			require.False(t, x.Complete)
			require.EqualValues(t, 40_001, x.Have)
			owed++
		}
		require.Equal(t, 1, owed)
		_, err = l.Read(bg, "till-1", hash)
		require.ErrorIs(t, err, ErrNotFound)
		a, err = l.Receive(bg, "till-1", hash, 40_001, bytes.NewReader(data[40_001:]))
		require.NoError(t, err)
		require.True(t, a.Complete)
		a, err = l.Receive(bg, "till-1", hash, int64(len(data)), bytes.NewReader(nil))
		require.NoError(t, err)
		require.True(t, a.Complete)
		got, err := l.Read(bg, "till-1", hash)
		require.NoError(t, err)
		require.Equal(t, data, got)

		// It belongs to a second entry, too, at no cost.
		a.Have = 0
		a, err = l.Announce(bg, journalOf(1), 4, a)
		require.NoError(t, err)
		require.True(t, a.Complete)
		for _, seq := range []int{3, 4} {
			of, err := l.AttachmentsOf(bg, journalOf(1), 3)
			require.NoError(t, err)
			require.Len(t, of, 1, seq)
		}
		require.NoError(t, filepath.WalkDir(dir, func(path string, f os.DirEntry, err error) error {
			info, statErr := f.Info()
			if mode := os.FileMode(0o600); runtime.GOOS != "windows" && !f.IsDir() {
				require.Equal(t, mode, info.Mode().Perm())
			}
			return errors.Join(err, statErr)
		}))
		require.NoError(t, l.Drop(bg, "till-1", hash))
		of, err := l.AttachmentsOf(bg, journalOf(1), 3)
		require.NoError(t, err)
		require.Empty(t, of)
	})
}

// A crash between the file's last name and the engine's knowing is finished; one
// that left bytes that are not those sent is noticed, and it begins anew.
func TestAttachmentAfterACrash(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t, OpenMemory(), &Options{Attachments: dir})
	data, hash := photo(5000)
	a, err := l.Announce(bg, journalOf(1), 1, Attachment{Device: "till-1", Hash: hash, Size: 5000, Type: "image/png"})
	require.NoError(t, err)
	path := l.files.path(a)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	garbled := append(append([]byte{}, data[:1000]...), make([]byte, 1000)...)
	require.NoError(t, os.WriteFile(path+".part", garbled, 0o600))
	a, err = l.Attachment(bg, "till-1", hash)
	require.NoError(t, err)
	require.EqualValues(t, 2000, a.Have)
	a, err = l.Receive(bg, "till-1", hash, 2000, bytes.NewReader(data[2000:]))
	require.ErrorIs(t, err, ErrDigest)
	require.Zero(t, a.Have)
	a, err = l.Attachment(bg, "till-1", hash)
	require.NoError(t, err)
	require.Zero(t, a.Have)

	require.NoError(t, os.WriteFile(path, data, 0o600))
	a, err = l.Attachment(bg, "till-1", hash)
	require.NoError(t, err)
	require.True(t, a.Complete)
	require.NoError(t, os.WriteFile(path, garbled, 0o600))
	_, err = l.Read(bg, "till-1", hash)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestAttachmentLimits(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Attachments: t.TempDir(), Limits: Limits{Attachments: 2, AttachmentBytes: 100}})
	say := func(n byte, size int64, device string) error {
		_, err := l.Announce(bg, journalOf(device[len(device)-1]), 1, Attachment{Device: device, Hash: [32]byte{n}, Size: size, Type: "a/b"})
		return err
	}
	var limit *LimitError
	require.ErrorAs(t, say(1, MaxAttachment+1, "till-1"), &limit)
	require.ErrorAs(t, say(1, 101, "till-1"), &limit)
	require.Equal(t, "attachment bytes", limit.Limit)
	require.NoError(t, say(1, 50, "till-1"))
	require.NoError(t, say(2, 50, "till-1"))
	require.ErrorAs(t, say(3, 1, "till-1"), &limit)
	require.NoError(t, say(1, 50, "till-1"), "announcing again costs nothing")
	require.NoError(t, say(3, 1, "till-2"))
	var invalid *InvalidError
	require.ErrorAs(t, say(1, 49, "till-1"), &invalid)
	_, err := l.Receive(bg, "till-1", [32]byte{1}, 0, bytes.NewReader(make([]byte, 51)))
	require.ErrorAs(t, err, &invalid)
	require.NoError(t, l.Drop(bg, "till-1", [32]byte{1}))
	require.NoError(t, say(3, 1, "till-1"))
	_, err = newLedger(t, OpenMemory(), nil).Announce(bg, journalOf(1), 1, Attachment{Device: "till-1", Size: 1, Type: "a/b"})
	require.ErrorIs(t, err, ErrNotFound)
}

// Two connections that send the same attachment do not mix their bytes.
func TestAttachmentIsReceivedOnce(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Attachments: t.TempDir()})
	data, hash := photo(1000)
	_, err := l.Announce(bg, journalOf(1), 1, Attachment{Device: "till-1", Hash: hash, Size: 1000, Type: "a/b"})
	require.NoError(t, err)
	pr, pw := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := l.Receive(bg, "till-1", hash, 0, pr)
		done <- err
	}()
	_, err = pw.Write(data[:10])
	require.NoError(t, err)
	_, err = l.Receive(bg, "till-1", hash, 0, bytes.NewReader(data))
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorIs(t, l.Drop(bg, "till-1", hash), ErrBusy)
	require.NoError(t, pw.CloseWithError(io.ErrClosedPipe))
	require.Error(t, <-done)
	a, err := l.Receive(bg, "till-1", hash, 10, bytes.NewReader(data[10:]))
	require.NoError(t, err)
	require.True(t, a.Complete)
}
