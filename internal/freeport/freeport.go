// Package freeport finds ports on 127.0.0.1 that nothing uses, for servers that must know their port before they start.
//
// A port is free when it is returned; nothing reserves it. The ports lie below the range from which the kernel takes the ports of outgoing
// connections (32768 and up on Linux), so no client of a busy test takes one between the look and the bind, or while a server restarts.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	first = 20000
	last  = 32000
	tries = 200
)

// Pick gives a port on which both TCP and UDP are free. The error means that 200 random ports were all in use.
func Pick() (int, error) {
	for range tries {
		port := first + rand.IntN(last-first)
		if free(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port found on 127.0.0.1")
}

// PickN gives n different ports.
func PickN(n int) ([]int, error) {
	ports := make([]int, 0, n)
	seen := map[int]bool{}
	for len(ports) < n {
		p, err := Pick()
		if err != nil {
			return nil, err
		}
		if !seen[p] {
			seen[p] = true
			ports = append(ports, p)
		}
	}
	return ports, nil
}

func free(port int) bool {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	return udp.Close() == nil
}
