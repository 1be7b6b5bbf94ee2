package client

import (
	"context"
	"net"
)

// dialLocalhost connects names under localhost to this machine, whatever the name servers say of them: [isLoopback] trusts them.
func dialLocalhost(d *net.Dialer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isLoopback(host) || net.ParseIP(host) != nil {
			return d.DialContext(ctx, network, addr)
		}
		conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err != nil && ctx.Err() == nil {
			if six, also := d.DialContext(ctx, network, net.JoinHostPort("::1", port)); also == nil {
				return six, nil
			}
		}
		return conn, err
	}
}
