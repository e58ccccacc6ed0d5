// Package faultproxy stands between a device and its host on real TCP and
// damages what passes, for tests: cut, delayed, doubled, truncated, corrupted,
// dropped or trickled units, connections that are reset, half-open or black
// holes, lines that are slow, narrow or unsteady, and ports that refuse.
//
// What passes is split into units, such as frames, by a bufio.SplitFunc; a fault
// strikes one unit that its Match chooses, at a byte of it. TLS, whose units are
// records, passes as well.
package faultproxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Direction is the way that a unit goes.
type Direction uint8

// The directions.
const (
	ToHost Direction = iota
	ToDevice
)

func (d Direction) String() string { return [...]string{"to the host", "to the device"}[d&1] }

// Kind is what happens to the unit that a fault strikes.
type Kind uint8

// The kinds. Bytes before Fault.At have passed in all but Delay and Drop.
const (
	Cut       Kind = iota + 1 // both connections are closed
	Reset                     // both connections are reset
	Truncate                  // the rest of the unit is missing; what follows passes
	Corrupt                   // the byte at At is inverted
	Duplicate                 // the unit passes twice
	Drop                      // the unit does not pass
	Delay                     // the unit passes after For, and all behind it too
	Trickle                   // each further byte waits For
	BlackHole                 // nothing passes any more, either way; nothing is closed
	HalfOpen                  // as BlackHole, and the host's side is closed: the device is not told
)

var kindNames = [...]string{"", "cut", "reset", "truncate", "corrupt", "duplicate", "drop", "delay", "trickle", "black hole", "half open"}

func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// Fault strikes one unit.
type Fault struct {
	Kind  Kind
	To    Direction
	Match func(unit []byte) bool // nil: the next one
	At    int                    // a byte of the unit; beyond its end means its end, negative counts from there
	For   time.Duration
}

// Proxy passes connections on to a host. Close ends it.
type Proxy struct {
	target string
	split  bufio.SplitFunc
	addr   string
	wg     sync.WaitGroup
	done   chan struct{}
	struck atomic.Int64
	passed [2]atomic.Int64

	mu     sync.Mutex
	ln     net.Listener // nil: refusing
	faults []Fault
	choose func(to Direction, unit []byte) (Fault, bool)
	shape  Shape
	lines  map[*line]struct{}
	closed bool
}

// maxUnit bounds a unit; a longer one ends the connection.
const maxUnit = 64 << 10

// Listen starts a proxy on a free port of this machine in front of target. A nil
// split passes what comes as it comes.
func Listen(target string, split bufio.SplitFunc) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if split == nil {
		split = anything
	}
	p := &Proxy{target: target, split: split, addr: ln.Addr().String(), ln: ln,
		lines: map[*line]struct{}{}, done: make(chan struct{})}
	p.wg.Go(func() { p.accept(ln) })
	return p, nil
}

func anything(data []byte, _ bool) (int, []byte, error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	return len(data), data, nil
}

// Frames splits into frames of two bytes of big-endian length and as many bytes;
// what is left at the end of a connection is a unit of its own.
func Frames(data []byte, atEOF bool) (int, []byte, error) { return sized(data, atEOF, 0) }

// Records splits into the records of TLS: five bytes of head, of which the last
// two are the length of the rest.
func Records(data []byte, atEOF bool) (int, []byte, error) { return sized(data, atEOF, 3) }

// sized splits into units whose length stands at an offset and counts what
// follows it.
func sized(data []byte, atEOF bool, at int) (int, []byte, error) {
	n := at + 2
	known := len(data) >= n
	if known {
		n += int(binary.BigEndian.Uint16(data[at:]))
	}
	switch {
	case known && len(data) >= n:
		return n, data[:n], nil
	case atEOF && len(data) > 0:
		return len(data), data, nil
	}
	return 0, nil, nil
}

// Addr is host:port of the proxy; it stays while it refuses.
func (p *Proxy) Addr() string { return p.addr }

// Strike arms a fault for one unit. Several wait in line, each way by itself.
func (p *Proxy) Strike(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, f)
}

// StrikeEach has choose decide the fault of every unit that no armed one strikes,
// until it is given nil. It is called for one unit at a time.
func (p *Proxy) StrikeEach(choose func(to Direction, unit []byte) (Fault, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.choose = choose
}

// Shape is how a line carries what passes, each way. The zero Shape passes all
// at once.
type Shape struct {
	// Latency is how long each byte is under way, and half of what a connection
	// costs before its first byte.
	Latency time.Duration
	// Jitter is added to Latency, a random part of it for each unit; units stay
	// in their order.
	Jitter time.Duration
	// Rate is how many bytes pass in a second; 0: any number.
	Rate int
}

// Shape shapes the connections to come.
func (p *Proxy) Shape(s Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
}

// Struck is how many faults have struck.
func (p *Proxy) Struck() int { return int(p.struck.Load()) }

// Passed is how many bytes have come to be passed on, each way.
func (p *Proxy) Passed(to Direction) int64 { return p.passed[to&1].Load() }

// Calm disarms what has not struck yet.
func (p *Proxy) Calm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Refuse closes the port and all connections: a dial is refused until Admit.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil {
		p.ln.Close()
		p.ln = nil
	}
	for l := range p.lines {
		l.close()
	}
}

// Admit opens the port again. Where another program was given it meanwhile, it
// waits up to a minute for it.
func (p *Proxy) Admit() error {
	for last := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := p.listen()
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(last) {
			return err
		}
	}
}

func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != nil || p.closed {
		return nil
	}
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.ln = ln
	p.wg.Go(func() { p.accept(ln) })
	return nil
}

// Close ends all connections and returns once nothing runs any more.
func (p *Proxy) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.done)
	}
	p.mu.Unlock()
	p.Refuse()
	p.wg.Wait()
	return nil
}

func (p *Proxy) accept(ln net.Listener) {
	for {
		device, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		host, err := net.Dial("tcp", p.target)
		if err != nil {
			device.Close()
			continue
		}
		p.start(newLine(p, host, device), ln)
	}
}

func (p *Proxy) start(l *line, ln net.Listener) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != ln { // refusing since
		l.close()
		return
	}
	p.lines[l] = struct{}{}
	p.wg.Go(func() {
		var both sync.WaitGroup
		for _, to := range []Direction{ToHost, ToDevice} {
			both.Go(func() { l.pass(to) })
			if l.lag[to] != nil {
				both.Go(func() { l.lag[to].deliver(l, to) })
			}
		}
		both.Wait()
		l.close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.lines, l)
	})
}

// next takes the fault that strikes this unit.
func (p *Proxy) next(to Direction, unit []byte) (Fault, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.faults {
		if f.To != to || f.Match != nil && !f.Match(unit) {
			continue
		}
		p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
		p.struck.Add(1)
		return f, true
	}
	if p.choose == nil {
		return Fault{}, false
	}
	f, struck := p.choose(to, unit)
	if struck {
		p.struck.Add(1)
	}
	return f, struck
}
