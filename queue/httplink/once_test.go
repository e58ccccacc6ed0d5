package httplink_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// abortingHost speaks HTTP/2, takes each request whole and then ends its stream
// as one that breaks the protocol.
type abortingHost struct{ taken atomic.Int32 }

func (h *abortingHost) serve(c net.Conn) {
	defer c.Close()
	if _, err := io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	const settings, reset, endStream, protocolError = 4, 3, 1, 1
	frame := func(kind byte, stream uint32, payload []byte) {
		b := []byte{0, 0, byte(len(payload)), kind, 0, 0, 0, 0, 0}
		binary.BigEndian.PutUint32(b[5:], stream)
		_, _ = c.Write(append(b, payload...))
	}
	frame(settings, 0, nil)
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		n := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, c, n); err != nil {
			return
		}
		if kind := head[3]; kind <= 1 && head[4]&endStream != 0 { // the last of HEADERS or DATA
			h.taken.Add(1)
			frame(reset, binary.BigEndian.Uint32(head[5:]), []byte{0, 0, 0, protocolError})
		}
	}
}

func TestAnAttemptIsOneTransmission(t *testing.T) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: lender.TLS.Certificates, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	defer ln.Close()
	var host abortingHost
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go host.serve(c)
		}
	}()
	link, err := httplink.New(lane, "https://"+ln.Addr().String(), fakeJournal{}, &httplink.Options{
		TLS: lender.Client().Transport.(*http.Transport).TLSClientConfig})
	require.NoError(t, err)
	defer link.Close()
	_, err = link.Send(context.Background(), entryOf(1, queue.Request))
	require.Error(t, err)
	require.NotErrorIs(t, err, queue.ErrNotSent)
	require.EqualValues(t, 1, host.taken.Load(), "the host had the request more than once in one attempt")
}

func TestAHostThatRepeatsWhatItWasTold(t *testing.T) {
	const token = "s3cr3t.of-the_device"
	said := fmt.Sprintf("card %s, 6216 2610 0000 0000 018, track %s=30122010000000000, PIN 1A2B3C4D5E6F7081, token %s", testPAN, testPAN, token)
	host := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := wire.ProblemType("")
		if r.Method == http.MethodGet {
			kind = wire.ProblemUnauthorized
		}
		p := wire.NewProblem(kind, said)
		p.Title, p.Pointer = said, "/"+testPAN
		if p.Status == 0 {
			p.Status = http.StatusInternalServerError
		}
		_ = p.Write(w)
	})
	server := httptest.NewTLSServer(host)
	defer server.Close()
	link, err := httplink.New(lane, server.URL, fakeJournal{}, &httplink.Options{Card: true,
		Token: func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil },
		TLS:   server.Client().Transport.(*http.Transport).TLSClientConfig})
	require.NoError(t, err)
	defer link.Close()
	_, prepared := link.Prepare(context.Background())
	_, sent := link.Send(context.Background(), entryOf(1, queue.Request))
	for _, err := range []error{prepared, sent} {
		var p *wire.Problem
		require.True(t, errors.As(err, &p), "%v", err)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", *p, p)} {
			require.Contains(t, text, "card")
			for _, secret := range []string{testPAN, "6216 2610", "0000000018", "30122010", "1A2B3C4D", token} {
				require.NotContains(t, text, secret)
			}
		}
	}
}

// net/http quotes what it cannot read.
func TestAHostThatSpeaksAnotherProtocol(t *testing.T) {
	for _, raw := range []string{"0210 " + testPAN + "\r\n\r\n", "HTTP/1.1 200 OK\r\n" + testPAN + "\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: " + testPAN + "x\r\n\r\n"} {
		link, err := httplink.New(lane, "http://host", fakeJournal{}, &httplink.Options{Plain: true, Dial: rawHost{[]byte(raw)}.dial})
		require.NoError(t, err)
		defer link.Close()
		_, err = link.Send(context.Background(), entryOf(1, queue.Advice))
		var line *httplink.LineError
		require.True(t, errors.As(err, &line), "%v", err)
		require.NotContains(t, fmt.Sprintf("%v %+v", err, *line), testPAN)
	}
}
