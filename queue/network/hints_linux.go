package network

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// listen has the kernel tell of changes of links, addresses and routes. Several
// may be told as one. The channel is closed when the kernel tells no more.
func listen() (hints <-chan struct{}, stop func(), err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, err
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd)
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), "netlink")
	out, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(out)
		b := make([]byte, 4096) // what it says is not read: a change is a change
		for {
			if _, err := f.Read(b); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out, func() { _ = f.Close(); <-ended }, nil
}
