package daemon

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentMost is how many bytes the kernel takes for a client beyond those on their way to it.
//
// Without a limit it takes up to net.ipv4.tcp_wmem, 4 MiB, for each client that reads slowly. A thousand of them fill the memory that the kernel has
// for TCP (2.2 GiB of a machine with 24), and when that is full the kernel resets connections of others. With 128 KiB, a fast client costs a fifth
// more CPU time for bodies of 1 MiB; with this, nothing.
const unsentMost = 512 << 10

// limitUnsent limits unsent bytes on a listening socket (TCP_NOTSENT_LOWAT). The connections that it accepts inherit the limit.
func limitUnsent(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
	})
	return errors.Join(err, failed)
}
