package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// keyIn gives a body the keys that its content asks for, so that fuzzing gets
// behind the check of the digest.
func keyIn(body []byte) (wire.Key, bool) {
	var in struct{ Entries []struct{ Key string } }
	if json.Unmarshal(body, &in) != nil || len(in.Entries) == 0 {
		return wire.Key{}, false
	}
	var entries []wire.Entry
	for _, e := range in.Entries {
		k, err := wire.ParseKey(e.Key)
		if err != nil {
			return wire.Key{}, false
		}
		entries = append(entries, wire.Entry{Key: k})
	}
	return wire.BatchKey(entries), len(entries) > 1
}

// FuzzSubmission: what is read is written again as the same, has the key it came
// with, and is JSON to others as well; what is not read is a problem with a place.
func FuzzSubmission(f *testing.F) {
	for n := range 3 {
		s := sample(n + 1)
		f.Add([]byte(encoded(f, s)), s.Key().String())
	}
	full := sample(1)
	full.Entries[0].Data, full.Entries[0].MaskedPAN = []byte("data"), "621626*********0018"
	full.Entries[0].Of, full.Entries[0].Card = nil, &wire.Card{Sequence: "1"}
	full.Entries[0].Key = full.KeyFor(full.Entries[0])
	f.Add([]byte(encoded(f, full)), full.Key().String())
	f.Fuzz(func(t *testing.T, body []byte, text string) {
		key, err := wire.ParseKey(text)
		if k, many := keyIn(body); err != nil || many {
			key = k
		}
		s, err := wire.DecodeSubmission(body, key)
		var p *wire.Problem
		if err != nil {
			require.True(t, errors.As(err, &p))
			require.Contains(t, []wire.ProblemType{wire.ProblemMalformed, wire.ProblemKeyMismatch}, p.Type)
			return
		}
		require.True(t, json.Valid(body))
		require.Equal(t, key, s.Key())
		again, err := s.Encode()
		require.NoError(t, err)
		s2, err := wire.DecodeSubmission(again, key)
		require.NoError(t, err)
		third, err := s2.Encode()
		require.NoError(t, err)
		require.Equal(t, string(again), string(third))
		for i, e := range s.Entries {
			require.Equal(t, e.Digest(s), s2.Entries[i].Digest(s2))
			require.Equal(t, e.Fingerprint(s), s2.Entries[i].Fingerprint(s2))
		}
	})
}

// FuzzResponse reads whatever a host may answer.
func FuzzResponse(f *testing.F) {
	a := wire.AnswersTo(sample(2))
	for _, e := range sample(2).Entries {
		x := wire.AnswerTo(e, wire.Approved)
		x.Code, x.RRN, x.Time = "00", "123456789012", time.Unix(1_795_000_000, 0)
		a.Answers = append(a.Answers, x)
	}
	body, err := a.Encode()
	require.NoError(f, err)
	f.Add(body, 200)
	f.Add(wire.NewLine(lane, time.Unix(1_795_000_000, 0)).Encode(), 200)
	f.Add([]byte(`{"type":"`+wire.ProblemBase+`busy","title":"t","status":503,"detail":"d","pointer":"/a","more":[{}]}`), 503)
	f.Add([]byte("{}"), 200)
	f.Add([]byte(`{"time":"2026-11-22T08:00:00.000+08:00"}`), 200)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		if a, err := wire.DecodeAnswers(body); err == nil {
			again, err := a.Encode()
			require.NoError(t, err)
			b, err := wire.DecodeAnswers(again)
			require.NoError(t, err)
			third, err := b.Encode()
			require.NoError(t, err)
			require.Equal(t, string(again), string(third))
		}
		if l, err := wire.DecodeLine(body); err == nil {
			m, err := wire.DecodeLine(l.Encode())
			require.NoError(t, err)
			require.Equal(t, string(l.Encode()), string(m.Encode()))
		}
		if p, err := wire.DecodeProblem(status, body); err == nil && p.Type != "" {
			known := wire.NewProblem(p.Type, "")
			require.True(t, known.Status == status || (p.Type == wire.ProblemBusy && status == 429))
		}
	})
}

// FuzzBody reads whatever may come in the coding, and the headers beside it.
func FuzzBody(f *testing.F) {
	f.Add(wire.Compress([]byte(encoded(f, sample(3)))), wire.Coding, sample(1).Key().Header(), "120")
	f.Add([]byte("{}"), "identity", `"x";a=b`, "Fri, 31 Dec 1999 15:04:05 GMT")
	f.Fuzz(func(t *testing.T, body []byte, coding, key, retry string) {
		const most = 64 << 10
		got, err := wire.ReadBody(bytes.NewReader(body), coding, most)
		require.LessOrEqual(t, len(got), most)
		if err == nil && strings.EqualFold(coding, wire.Coding) {
			again, err := wire.ReadBody(bytes.NewReader(wire.Compress(got)), wire.Coding, most)
			require.NoError(t, err)
			require.True(t, bytes.Equal(got, again))
		}
		if k, err := wire.KeyOf(http.Header{wire.KeyHeader: {key}}); err == nil {
			require.Contains(t, key, k.Header())
		}
		wait := wire.RetryAfter(http.Header{"Retry-After": {retry}}, time.Unix(0, 0), time.Hour)
		require.True(t, wait >= 0 && wait <= time.Hour)
	})
}
