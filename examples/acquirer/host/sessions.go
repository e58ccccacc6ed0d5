package host

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"time"
)

const (
	maxSessions      = 4096           // TLS sessions that are remembered; the oldest goes first
	maxSessionsOfOne = 4              // of one certificate: who connects often displaces himself
	sessionLife      = 24 * time.Hour // TLS has no more than a week
)

// sessions keeps the state of TLS sessions here and gives terminals a handle of
// 16 bytes for it. The ticket that TLS makes by itself carries the terminal's
// certificate, back and forth with each connection. A handle can be used again:
// a connection that broke in its handshake does not cost the next one a full one.
type sessions struct {
	mu    sync.Mutex
	order *list.List // of *tlsSession, oldest first
	by    map[[16]byte]*list.Element
	of    map[[32]byte][]*list.Element // by certificate, oldest first
	now   func() time.Time
}

type tlsSession struct {
	handle [16]byte
	owner  [32]byte // SHA-256 of the certificate; zero: none was shown
	state  []byte
	until  time.Time
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{order: list.New(), by: map[[16]byte]*list.Element{}, of: map[[32]byte][]*list.Element{}, now: now}
}

// resuming is config with its sessions kept here. One that has a way of its own
// with them stays as it is.
func resuming(config *tls.Config) *tls.Config {
	c := config.Clone()
	if c.WrapSession == nil && c.UnwrapSession == nil && !c.SessionTicketsDisabled {
		s := newSessions(time.Now)
		c.WrapSession, c.UnwrapSession = s.wrap, s.unwrap
	}
	return c
}

func (s *sessions) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	b, err := state.Bytes()
	if err != nil {
		return nil, err
	}
	k := &tlsSession{state: b, until: s.now().Add(sessionLife)}
	rand.Read(k.handle[:]) // never fails
	if len(cs.PeerCertificates) > 0 {
		k.owner = sha256.Sum256(cs.PeerCertificates[0].Raw)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.order.PushBack(k)
	s.by[k.handle] = e
	if k.owner != [32]byte{} {
		s.of[k.owner] = append(s.of[k.owner], e)
		if mine := s.of[k.owner]; len(mine) > maxSessionsOfOne {
			s.drop(mine[0])
		}
	}
	if s.order.Len() > maxSessions {
		s.drop(s.order.Front())
	}
	return k.handle[:], nil
}

// unwrap gives the session of a handle; none leads to a full handshake.
func (s *sessions) unwrap(identity []byte, _ tls.ConnectionState) (*tls.SessionState, error) {
	if len(identity) != len(tlsSession{}.handle) {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.by[[16]byte(identity)]
	if e == nil {
		return nil, nil
	}
	k := e.Value.(*tlsSession)
	if s.now().After(k.until) {
		s.drop(e)
		return nil, nil
	}
	return tls.ParseSessionState(k.state)
}

// drop forgets a session.
func (s *sessions) drop(e *list.Element) {
	k := e.Value.(*tlsSession)
	delete(s.by, k.handle)
	s.order.Remove(e)
	if mine := s.of[k.owner]; len(mine) > 1 {
		for i, o := range mine {
			if o == e {
				s.of[k.owner] = append(mine[:i:i], mine[i+1:]...)
				break
			}
		}
	} else {
		delete(s.of, k.owner)
	}
}
