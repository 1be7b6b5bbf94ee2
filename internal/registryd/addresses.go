// The addresses that a node listens on.

package registryd

import (
	"net"
	"strconv"

	"github.com/regent-registry/regent/internal/daemon"
)

// moved is a port with the offset; port 0, any free one, stays 0.
func (c *Config) moved(port int) int {
	if port == 0 {
		return 0
	}
	return port + c.Offset
}

func (c *Config) httpAddr() string {
	return net.JoinHostPort(c.ListenHost, strconv.Itoa(c.moved(c.HTTPPort)))
}

func (c *Config) httpsAddr() string {
	return net.JoinHostPort(c.ListenHost, strconv.Itoa(c.moved(c.HTTPSPort)))
}

func (c *Config) adminAddr() string {
	host, port, err := daemon.SplitAddr(c.Admin)
	if err != nil {
		return c.Admin // validated before; listening there says what is wrong
	}
	return net.JoinHostPort(host, strconv.Itoa(c.moved(port)))
}

func (c *Config) memberAddr() string {
	return net.JoinHostPort(c.Membership.LocalMemberHost, strconv.Itoa(c.Membership.LocalMemberPort))
}
