// Package network notices that the device's network is back, so that what waits
// goes out within seconds of it:
//
//	go network.Watch(ctx, nil, q.NetworkBack)
//
// It sends nothing. Whether there is a way to the world is asked of the system's
// routing table, by connecting a datagram socket, for which no packet goes out.
// On Linux the kernel tells when to ask; elsewhere, and where an app is not
// allowed to listen to the kernel, as on newer Androids, it is asked every two
// seconds. Where the system itself tells an app that it is connected, call
// queue.Queue.NetworkBack from there instead.
package network

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Options of Watch. The zero value, or nil, holds the defaults.
type Options struct {
	// Towards are the addresses that a way is looked for to: of the hosts, where
	// they are known and have fixed addresses. Default: an IPv4 and an IPv6
	// address of the blocks kept for documentation, which tell of a default route.
	Towards []netip.Addr
	// Every is how often the way is looked for where the system gives no hints.
	// Default 2 s. Where it does, a look every thirty times as long is made in
	// case that one was lost.
	Every time.Duration
}

var anywhere = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}

// Watch calls back each time that the device has a way to the world which it had
// not before: after being without, or over another address of its own. It
// returns ctx.Err() when ctx is done. back must return soon.
func Watch(ctx context.Context, opts *Options, back func()) error {
	var o Options
	if opts != nil {
		o = *opts
	}
	if len(o.Towards) == 0 {
		o.Towards = anywhere
	}
	if o.Every <= 0 {
		o.Every = 2 * time.Second
	}
	hints, stop, err := listen()
	if err != nil {
		hints, stop = nil, func() {}
	}
	defer stop()
	return watch(ctx, o.Every, hints, func() string { return way(o.Towards) }, back)
}

const (
	// seldom is how much less often is looked where the system gives hints.
	seldom = 30
	// settle bounds how often hints lead to a look: they come in swarms.
	settle = 100 * time.Millisecond
)

func watch(ctx context.Context, every time.Duration, hints <-chan struct{}, look func() string, back func()) error {
	if hints != nil {
		every *= seldom
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for was := look(); ; {
		select {
		case <-tick.C:
		case _, listening := <-hints:
			if !listening {
				hints = nil
				tick.Reset(every / seldom)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		now := look()
		if now != was && now != "" {
			back()
		}
		was = now
		if hints == nil {
			continue
		}
		select {
		case <-time.After(settle):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// way tells by which of its own addresses the device would send to each; "" for
// none at all.
func way(towards []netip.Addr) (by string) {
	for _, to := range towards {
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
		if err != nil {
			continue
		}
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			by += a.IP.String() + " "
		}
		_ = c.Close()
	}
	return by
}
