package httplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// response is what came back.
type response struct {
	err     error // no response: a *LineError or an *AnswerError
	status  int
	body    []byte        // of a 200
	problem *wire.Problem // of another status, where the host says more
	after   time.Duration // Retry-After
}

// roundTrip sends a request and reads the whole response, within bounds. It sets
// connected before a byte of the request can leave the device. It follows no
// redirect, and no request is sent twice but where provably nothing of it had left.
func (l *Link) roundTrip(req *http.Request, via *http.Transport, connected *atomic.Bool) response {
	during := "entries"
	if req.Method == http.MethodGet {
		during = "line"
	}
	h := req.Header
	h.Set("Accept", "application/json, "+wire.ProblemMedia)
	h.Set("Accept-Encoding", wire.Coding)
	h.Set("User-Agent", "tallystick")
	auth, err := l.opts.bearer(req.Context())
	if err != nil {
		return response{err: &LineError{During: during, Reason: NoToken, Err: err}}
	}
	if auth != "" {
		h.Set("Authorization", auth)
	}
	resp, err := via.RoundTrip(once(req, connected))
	if err != nil {
		l.resumed.Failed(err)
		l.trust(false)
		return response{err: lineError(during, quoting{err})}
	}
	defer resp.Body.Close()
	after := l.heed(resp.Header)
	r := l.read(req.Context(), resp, during)
	r.after = after
	withhold(r.problem, strings.TrimPrefix(auth, "Bearer "))
	l.trust(r.err == nil && (r.status == http.StatusOK || (r.problem != nil && r.problem.Type != "" && !deaf(r.problem.Type))))
	return r
}

// once returns req so that it is sent once only, and sets connected where it gets
// a connection: before it has one, nothing can have left. Over HTTP/2 net/http
// repeats without end what a peer has taken and then answered by PROTOCOL_ERROR:
// from the first byte on there is no body for that.
func once(req *http.Request, connected *atomic.Bool) *http.Request {
	var h2, written atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			connected.Store(true)
			c, secure := got.Conn.(*tls.Conn)
			h2.Store(secure && c.ConnectionState().NegotiatedProtocol == "h2")
		},
		WroteHeaders: func() { written.Store(true) },
	}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
	if body := req.GetBody; body != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			if h2.Load() && written.Load() {
				return nil, errWritten
			}
			return body()
		}
	}
	return req
}

var errWritten = errors.New("the host ended the stream of a request that it had")

// secretLike is what may be a card number, a track, a PIN block or a key.
var secretLike = regexp.MustCompile(`[0-9](?:[ =D-]?[0-9]){11,}|[0-9A-Fa-f]{16,}`)

// quoting is an error that may quote what a host sent.
type quoting struct{ err error }

func (q quoting) Error() string { return secretLike.ReplaceAllString(q.err.Error(), "(withheld)") }

// Format keeps the error from being printed in another way.
func (q quoting) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, q.Error()) }

func (q quoting) Unwrap() error { return q.err }

// withhold takes out of a host's own words what it may repeat of a request and
// nobody must read in a log.
func withhold(p *wire.Problem, token string) {
	if p == nil {
		return
	}
	for _, text := range []*string{&p.Title, &p.Detail, &p.Pointer} {
		if token != "" {
			*text = strings.ReplaceAll(*text, token, "(withheld)")
		}
		*text = secretLike.ReplaceAllString(*text, "(withheld)")
	}
}

func (l *Link) read(ctx context.Context, resp *http.Response, during string) response {
	r := response{status: resp.StatusCode}
	most := wire.MaxResponse
	if r.status != http.StatusOK {
		most = maxRefusal
	}
	body, err := wire.ReadBody(resp.Body, resp.Header.Get("Content-Encoding"), most)
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case r.status != http.StatusOK:
		// What cannot be read of a refusal makes it no other.
		if err == nil && media == wire.ProblemMedia {
			r.problem, _ = wire.DecodeProblem(r.status, body)
		}
	case err != nil:
		r.err = l.unreadable(ctx, during, err)
	case media != "application/json":
		r.err = &AnswerError{Err: errors.New("the Content-Type is not application/json")}
	default:
		r.body = body
	}
	return r
}

// maxRefusal bounds what is read of a response that is no answer.
const maxRefusal = 16 << 10

func (l *Link) unreadable(ctx context.Context, during string, err error) error {
	var p *wire.Problem
	var at *wire.SyntaxError
	switch {
	case errors.As(err, &p), errors.As(err, &at), errors.Is(err, wire.ErrTooLarge):
		return &AnswerError{Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF) && ctx.Err() != nil:
		err = ctx.Err()
	}
	return lineError(during, err)
}
