package network

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// In a network of its own, where nothing else changes, the kernel's hint is
// enough: a look without one would come an hour later.
func TestKernelTells(t *testing.T) {
	if os.Getenv("TALLYSTICK_IN_NAMESPACE") != "" {
		inNamespace(t)
		return
	}
	self := exec.Command(os.Args[0], "-test.run=^TestKernelTells$", "-test.v")
	self.Env = append(os.Environ(), "TALLYSTICK_IN_NAMESPACE=1")
	self.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	out, err := self.CombinedOutput()
	if _, ran := err.(*exec.ExitError); err != nil && !ran {
		t.Skipf("no namespaces here: %v", err)
	}
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS")
}

func inNamespace(t *testing.T) {
	here := netip.MustParseAddr("10.9.9.1")
	loopbackUp(t)
	require.Empty(t, way([]netip.Addr{here}))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	backs := make(chan struct{}, 9)
	ended := make(chan error, 1)
	go func() {
		ended <- Watch(ctx, &Options{Towards: []netip.Addr{here}, Every: time.Hour}, func() { backs <- struct{}{} })
	}()
	for range 3 {
		// The watch may not have begun yet: a change before it is not one.
		for up := false; !up; {
			address(t, here)
			select {
			case <-backs:
				up = true
			case <-time.After(time.Second):
			case <-ctx.Done():
				require.NoError(t, ctx.Err(), "the kernel's hint did not come")
			}
			address(t, netip.IPv4Unspecified()) // takes it away
			<-time.After(3 * settle)            // long enough to be seen; if not, once more
		}
	}
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func loopbackUp(t *testing.T) {
	ask(t, func(fd int, r *unix.Ifreq) {
		require.NoError(t, unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r))
		r.SetUint16(r.Uint16() | uint16(unix.IFF_UP))
		require.NoError(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r))
	})
}

func address(t *testing.T, a netip.Addr) {
	ask(t, func(fd int, r *unix.Ifreq) {
		require.NoError(t, r.SetInet4Addr(a.AsSlice()))
		require.NoError(t, unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r))
	})
}

func ask(t *testing.T, fn func(fd int, r *unix.Ifreq)) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	require.NoError(t, err)
	fn(fd, r)
}
