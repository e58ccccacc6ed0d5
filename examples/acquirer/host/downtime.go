package host

import (
	"errors"
	"net"
	"time"
)

// relisten is how long the host waits before it tries again to get its port
// back from who has taken it.
const relisten = 50 * time.Millisecond

// Down closes the port and drops all connections until Up. What was booked but
// not answered stays booked.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = true
	s.drop()
}

// Up listens again. It fails if the port has been taken meanwhile or the server
// is closed; while up it does nothing.
func (s *Server) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	return s.raise()
}

// drop closes the port and the connections. s.mu is held.
func (s *Server) drop() {
	if s.listener != nil {
		s.listener.Close()
		s.listener = nil
	}
	for c := range s.conns {
		c.Close()
	}
}

// raise opens the port. s.mu is held.
func (s *Server) raise() error {
	if s.ended {
		return net.ErrClosed
	}
	if s.listener != nil || s.held {
		return nil
	}
	ln, err := net.Listen("tcp", s.addr.String())
	if err != nil {
		return err
	}
	s.listener = ln
	if s.serving {
		s.accept(ln)
	}
	return nil
}

// outages takes the host down as the mischief says, until it ends.
func (s *Server) outages() {
	for s.ctx.Err() == nil {
		m, changed := s.imp.get()
		if m.DownEvery <= 0 {
			s.pause(0, changed)
			continue
		}
		if !s.pause(m.DownEvery, changed) {
			continue
		}
		s.mu.Lock()
		s.drop()
		s.mu.Unlock()
		s.cfg.Log.Info("down")
		s.pause(m.DownFor, nil)
		s.restore()
	}
}

// restore raises the port, however long another holds it.
func (s *Server) restore() {
	for s.ctx.Err() == nil {
		s.mu.Lock()
		err := s.raise()
		s.mu.Unlock()
		if err == nil {
			s.cfg.Log.Info("up")
			return
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		s.cfg.Log.Warn("cannot listen again yet", "err", err)
		s.pause(relisten, nil)
	}
}

// pause waits for d (0: for ever), for a change or for the end, and says whether
// d has passed.
func (s *Server) pause(d time.Duration, changed <-chan struct{}) bool {
	var passed <-chan time.Time
	if d > 0 {
		c, stop := s.cfg.after(d)
		defer stop()
		passed = c
	}
	select {
	case <-passed:
		return true
	case <-changed:
	case <-s.ctx.Done():
	}
	return false
}
