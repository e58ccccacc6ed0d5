// Package resume keeps TLS sessions over lines that break.
package resume

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
)

// Sessions is a tls.ClientSessionCache that keeps what can be resumed over a line
// that broke in the handshake: crypto/tls forgets it with every handshake that
// fails, whose fault it was or not. Whoever dials tells Sessions of the failure,
// and what the host would not have is then dropped.
type Sessions struct {
	tls.ClientSessionCache
	mu     sync.Mutex
	failed []string // keys that crypto/tls wanted to forget
}

// New keeps the sessions of at most so many hosts.
func New(hosts int) *Sessions {
	return &Sessions{ClientSessionCache: tls.NewLRUClientSessionCache(hosts)}
}

// Put is that of a tls.ClientSessionCache.
func (s *Sessions) Put(key string, state *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != nil {
		s.ClientSessionCache.Put(key, state)
		s.failed = slices.DeleteFunc(s.failed, func(k string) bool { return k == key })
		return
	}
	if !slices.Contains(s.failed, key) {
		s.failed = append(s.failed, key)
	}
}

// Failed tells why a dial, or what it was made for, has failed.
func (s *Sessions) Failed(err error) {
	if err == nil || broke(err) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.failed {
		s.ClientSessionCache.Put(key, nil)
	}
	s.failed = nil
}

// broke tells whether it was the line that ended a handshake, not the host.
func broke(err error) bool {
	var errno syscall.Errno
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) ||
		errors.As(err, &errno) || (errors.As(err, &network) && network.Timeout())
}
