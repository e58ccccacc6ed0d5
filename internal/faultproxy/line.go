package faultproxy

import (
	"bufio"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// line is one connection of a device and the one to the host that it is passed
// on to.
type line struct {
	p    *Proxy
	ends [2]net.Conn // where each Direction leads
	dark atomic.Bool // a black hole
	lag  [2]*lag     // nil: what passes passes at once
	once sync.Once
	gone chan struct{} // closed with the line
}

func newLine(p *Proxy, host, device net.Conn) *line {
	l := &line{p: p, ends: [2]net.Conn{host, device}, gone: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shape != (Shape{}) {
		l.lag = [2]*lag{newLag(p.shape), newLag(p.shape)}
	}
	return l
}

func (l *line) close() {
	l.once.Do(func() {
		close(l.gone)
		for _, c := range l.ends {
			c.Close()
		}
	})
}

// reset closes both connections so that their peers see a reset.
func (l *line) reset() {
	for _, c := range l.ends {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
	l.close()
}

// wait passes the time, or returns false when the line ends first.
func (l *line) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.gone:
	case <-l.p.done:
	}
	return false
}

// pass carries units one way until either side ends. The end of one side is
// passed on, unless the line has gone dark.
func (l *line) pass(to Direction) {
	in := bufio.NewScanner(l.ends[1-to])
	in.Buffer(make([]byte, 0, 4096), maxUnit)
	in.Split(l.p.split)
	for in.Scan() {
		l.p.passed[to].Add(int64(len(in.Bytes())))
		if l.dark.Load() {
			continue
		}
		if !l.unit(to, in.Bytes()) {
			l.hangUp(to)
			return
		}
	}
	if !l.dark.Load() {
		l.hangUp(to)
	}
}

// hangUp ends the line when what is under way has arrived.
func (l *line) hangUp(to Direction) {
	if l.lag[to] == nil || !l.lag[to].add(l, nil) {
		l.close()
	}
}

// unit passes one unit on, as the fault that strikes it will have it. It returns
// false when the line is done.
func (l *line) unit(to Direction, u []byte) bool {
	f, struck := l.p.next(to, u)
	if !struck {
		return l.write(to, u)
	}
	at := f.At
	if at < 0 {
		at += len(u)
	}
	at = max(0, min(at, len(u)))
	switch f.Kind {
	case Drop:
		return true
	case Delay:
		return l.wait(f.For) && l.write(to, u)
	case Duplicate:
		return l.write(to, append(u[:len(u):len(u)], u...))
	case Corrupt:
		bad := append([]byte(nil), u...)
		if at < len(bad) {
			bad[at] ^= 0xFF
		}
		return l.write(to, bad)
	}
	if !l.write(to, u[:at]) {
		return false
	}
	switch f.Kind {
	case Truncate:
		return true
	case Trickle:
		for i := at; i < len(u); i++ {
			if !l.wait(f.For) || !l.write(to, u[i:i+1]) {
				return false
			}
		}
		return true
	case BlackHole:
		l.dark.Store(true)
		return true
	case HalfOpen:
		l.dark.Store(true)
		l.ends[ToHost].Close()
		return true
	case Reset:
		l.reset()
	}
	return false
}

func (l *line) write(to Direction, b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if l.lag[to] != nil {
		return l.lag[to].add(l, append([]byte(nil), b...))
	}
	_, err := l.ends[to].Write(b)
	return err == nil
}
