package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// FuzzReceipt: what is read of a receipt's body is written as the same bytes, and
// no input makes it read what was not signed.
func FuzzReceipt(f *testing.F) {
	pub := signer.Public().(ed25519.PublicKey)
	for _, r := range []Receipt{{}, {Journal: [16]byte{1}, Epoch: 2, Issued: time.UnixMilli(5), Ranges: []agree.Range{{From: 1, To: 9}, {From: 11, To: 12}}}} {
		b := r.Sign(signer)
		f.Add(b)
		f.Add(b[:len(b)-ed25519.SignatureSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := OpenReceipt(b, pub); err == nil {
			require.Equal(t, b, r.Sign(signer))
		}
		if len(b) > maxReceipt-ed25519.SignatureSize {
			return
		}
		// As if it were signed: the reader behind the signature.
		signed := append(slices.Clone(b), ed25519.Sign(signer, b)...)
		r, err := OpenReceipt(signed, pub)
		if err != nil {
			require.ErrorIs(t, err, ErrReceipt)
			return
		}
		require.Equal(t, signed, r.Sign(signer))
		last := uint64(0)
		for _, x := range r.Ranges {
			require.Greater(t, x.From, last)
			require.LessOrEqual(t, x.From, x.To)
			last = x.To
		}
		require.Equal(t, last, r.Last())
	})
}

// FuzzHandler: no body, at no endpoint, makes the handler panic or answer with a
// fault of its own, and the ledger stays whole.
func FuzzHandler(f *testing.F) {
	in := sub(journalOf(1), 1, request(1))
	in.Entries[0].Key = in.KeyFor(in.Entries[0])
	body, err := in.Encode()
	require.NoError(f, err)
	key, name, hash := in.Key().Header(), journalOf(1).String(), hex.EncodeToString(make([]byte, 32))
	paths := []struct{ method, path string }{
		{"POST", wire.EntriesPath}, {"POST", AgreePath}, {"POST", RetellPath}, {"POST", ReceiptPath}, {"POST", ClaimPath}, {"POST", ReleasePath},
		{"GET", ConflictsPath + "?journal=" + name}, {"POST", AttachmentsPath}, {"PATCH", AttachmentsPath + "/" + hash}, {"HEAD", AttachmentsPath + "/" + hash},
		{"GET", wire.LinePath + "?host=h&merchant=m&terminal=t"},
	}
	f.Add(byte(0), key, "0", body)
	f.Add(byte(2), key, "", []byte(`{"submission":`+string(body)+`,"code":"00","partial":9}`))
	f.Add(byte(3), "", "", []byte(`{"journal":"`+name+`","ranges":[[1,2],[4,1000]]}`))
	f.Add(byte(4), "", "", []byte(`{"journal":"`+name+`","key":"k"}`))
	f.Add(byte(5), "", "", []byte(`{"journal":"`+name+`","key":"k"}`))
	f.Add(byte(7), "", "", []byte(`{"journal":"`+name+`","seq":1,"hash":"`+hash+`","size":5,"type":"a/b"}`))
	f.Add(byte(8), "", "0", []byte("abcde"))
	var half agree.Half
	require.NoError(f, half.Set(1, agree.Leaf{1}))
	for _, m := range messages(f, &half) {
		f.Add(byte(1), "", "", m)
	}
	f.Fuzz(func(t *testing.T, which byte, key, offset string, body []byte) {
		l, err := New(bg, OpenMemory(), signer, &Options{Decide: yes, Attachments: t.TempDir()})
		require.NoError(t, err)
		require.NoError(t, l.SetDevice(bg, Device{Name: "till-1"}))
		token, err := l.Token(bg, "till-1")
		require.NoError(t, err)
		for _, seq := range []queue.ID{1, 3, 900} {
			require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(seq))).Err)
		}
		p := paths[int(which)%len(paths)]
		for range 2 { // what is booked, or not, the first time is repeated
			r := httptest.NewRequest(p.method, p.path, bytes.NewReader(body))
			r.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}}
			if strings.HasPrefix(p.path, AttachmentsPath) && p.method == "PATCH" {
				r.Header.Set("Content-Type", PartMedia)
			}
			r.Header[wire.KeyHeader], r.Header["Upload-Offset"] = []string{key}, []string{offset}
			w := httptest.NewRecorder()
			l.Handler().ServeHTTP(w, r)
			require.Less(t, w.Code, 500, "%s %s: %s", p.method, p.path, w.Body.String())
		}
		require.NoError(t, l.Verify(bg))
	})
}

// messages are those that a comparison sends.
func messages(f *testing.F, mine *agree.Half) (out [][]byte) {
	theirs := &agree.Half{}
	require.NoError(f, theirs.Set(2, agree.Leaf{2}))
	_, _ = agree.Compare(bg, mine, agree.Subject{Journal: journalOf(1), Epoch: 1}, func(_ context.Context, m []byte) ([]byte, error) {
		out = append(out, m)
		return agree.Answer(bg, m, theirs, func(uint64) ([]agree.Held, error) { return nil, nil })
	})
	return out
}
