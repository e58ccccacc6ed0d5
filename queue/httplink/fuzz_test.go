package httplink_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// rawHost answers each request that it could read with the same bytes, and closes.
type rawHost struct{ raw []byte }

func (h rawHost) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		r, err := http.ReadRequest(bufio.NewReader(theirs))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		_, _ = theirs.Write(h.raw) // whoever has seen enough hangs up
	}()
	return ours, nil
}

// FuzzHost lets a host send any bytes instead of an answer: no panic, no hang, no
// approval that does not name the entry's key. Memory is bounded by what is read.
func FuzzHost(f *testing.F) {
	e := entryOf(1, queue.Advice)
	w, of := wire.FromQueue(e, fakeJournal{}.JournalID())
	s := wire.Submission{Journal: of, Epoch: 1, Lane: lane}
	w.Key = s.KeyFor(w)
	http11 := func(status string, header string, body []byte) []byte {
		return fmt.Appendf(nil, "HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), header, body)
	}
	answers := wire.AnswersTo(s)
	answers.Answers = []wire.Answer{wire.AnswerTo(w, wire.Approved)}
	body, err := answers.Encode()
	require.NoError(f, err)
	const isJSON = "Content-Type: application/json\r\n"
	f.Add(http11("200 OK", isJSON, body))
	f.Add(http11("200 OK", isJSON, wire.NewLine(lane, time.Unix(1_795_000_000, 0)).Encode()))
	f.Add(http11("200 OK", isJSON+"Content-Encoding: "+wire.Coding+"\r\n", wire.Compress(body)))
	f.Add(http11("503 Service Unavailable", "Retry-After: 1\r\nContent-Type: application/problem+json\r\n", []byte(`{"type":"`+wire.ProblemBase+`busy","title":"t","status":503}`)))
	f.Add(http11("307 Temporary Redirect", "Location: /\r\n", nil))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + isJSON + "\r\n5\r\n{\"a\":\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := httplink.New(lane, "http://host", fakeJournal{}, &httplink.Options{Plain: true, Dial: rawHost{raw}.dial})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if line, err := l.Prepare(ctx); err == nil {
			require.False(t, line.HostTime.IsZero())
		}
		for _, kind := range []queue.Kind{queue.Request, queue.Advice} {
			e := entryOf(1, kind)
			a, err := l.Send(ctx, e)
			var wait *httplink.WaitError
			require.False(t, errors.Is(err, queue.ErrNotSent) && !errors.As(err, &wait), "the message was read: %v", err)
			if err == nil && (a.Verdict == queue.Approved || a.Verdict == queue.Partial) {
				mine, _ := wire.FromQueue(e, of)
				named := bytes.Contains(raw, []byte(s.KeyFor(mine).String())) || bytes.Contains(raw, []byte(wire.Coding))
				require.True(t, named, "an approval of something else")
			}
		}
		require.NoError(t, ctx.Err(), "the end of the connection ends the wait")
		require.NoError(t, l.Close())
	})
}
