package host

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
)

const (
	maxFrame = 2048 // bytes of one request, its length prefix not counted
	maxLate  = 64   // answers that wait on one connection
	retry    = 20 * time.Millisecond
)

// accept starts to take connections from ln. s.mu is held.
func (s *Server) accept(ln net.Listener) {
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			switch {
			case err == nil:
				s.welcome(c)
			case errors.Is(err, net.ErrClosed):
				return
			default: // out of descriptors, or a connection gone before it was taken
				s.cfg.Log.Warn("accept", "err", err)
				s.pause(retry, nil)
			}
		}
	})
}

// welcome serves c unless there are too many or the host is down.
func (s *Server) welcome(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil || len(s.conns) >= s.cfg.MaxConns {
		c.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Go(func() {
		s.secure(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, c)
	})
}

// secure shakes hands where that is wanted, then converses.
func (s *Server) secure(c net.Conn) {
	if s.cfg.TLS == nil {
		s.converse(c)
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.FrameTimeout)
	defer cancel()
	secured := tls.Server(c, s.cfg.TLS)
	if err := secured.HandshakeContext(ctx); err != nil {
		s.cfg.Log.Warn("handshake failed", "err", err)
		return
	}
	s.converse(secured)
}

// line is one connection.
type line struct {
	net.Conn
	s    *Server
	ctx  context.Context // ends with the connection
	late chan struct{}   // a place for each answer that waits
	wg   sync.WaitGroup
	mu   sync.Mutex // one frame is written at a time
}

// converse reads requests from c and answers them until either side is done.
func (s *Server) converse(c net.Conn) {
	ctx, cancel := context.WithCancel(s.ctx)
	l := &line{Conn: c, s: s, ctx: ctx, late: make(chan struct{}, maxLate)}
	defer l.wg.Wait()
	defer c.Close()
	defer cancel()
	framing := codec.Framing{Max: maxFrame}
	in := bufio.NewReaderSize(c, maxFrame)
	for ctx.Err() == nil {
		c.SetReadDeadline(time.Now().Add(s.cfg.IdleTimeout))
		if _, err := in.Peek(1); err != nil {
			return
		}
		c.SetReadDeadline(time.Now().Add(s.cfg.FrameTimeout))
		frame, err := framing.Read(in, nil)
		if err != nil {
			s.cfg.Log.Warn("frame refused", "err", err)
			return
		}
		a, err := s.answer(framing, frame)
		if err != nil || !l.deliver(a) {
			return
		}
	}
}

// deliver sends an answer as its fate will have it, and says whether the
// connection goes on.
func (l *line) deliver(a answer) bool {
	switch {
	case a.frame == nil:
		return true
	case a.fate.cut:
		l.write(a.frame[:len(a.frame)/2])
		return false
	case a.fate.late > 0:
		return l.postpone(a)
	}
	return l.send(a)
}

func (l *line) send(a answer) bool {
	if a.fate.twice && !l.write(a.frame) {
		return false
	}
	return l.write(a.frame)
}

// postpone sends the answer later, while the connection goes on.
func (l *line) postpone(a answer) bool {
	select {
	case l.late <- struct{}{}:
	case <-l.ctx.Done():
		return false
	}
	l.wg.Go(func() {
		defer func() { <-l.late }()
		passed, stop := l.s.cfg.after(a.fate.late)
		defer stop()
		select {
		case <-passed:
			l.send(a)
		case <-l.ctx.Done():
		}
	})
	return true
}

func (l *line) write(b []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.SetWriteDeadline(time.Now().Add(l.s.cfg.FrameTimeout)) != nil {
		return false
	}
	_, err := l.Write(b)
	return err == nil
}
