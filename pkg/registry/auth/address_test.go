package auth_test

import (
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/auth"
)

func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.9:1234": "192.0.2.9", "192.0.2.9": "192.0.2.9", "[2001:db8::1]:443": "2001:db8::1", "2001:db8::1": "2001:db8::1", "[fe80::1%eth0]:443": "fe80::1",
		"[::ffff:192.0.2.9]:80": "192.0.2.9", "::1": "::1", "": "", ":80": "", "[": "", "[::1]": "::1",
		strings.Repeat("x", 200) + ":80": strings.Repeat("x", 64),
	} {
		if got := auth.AddressOf(remote); got != want {
			t.Errorf("AddressOf(%q) = %q, want %q", remote, got, want)
		}
	}
}
