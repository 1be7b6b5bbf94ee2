package freeport_test

import (
	"net"
	"strconv"
	"testing"

	"github.com/regent-registry/regent/internal/freeport"
)

func TestPickN_GivesDifferentPortsThatCanBeBound(t *testing.T) {
	ports, err := freeport.PickN(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports { // all stay bound until the end, so two equal ports would fail
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			t.Fatalf("port %d: %v", p, err)
		}
		defer l.Close()
	}
}
