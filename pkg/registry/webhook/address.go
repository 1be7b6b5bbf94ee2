package webhook

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/regent-registry/regent/pkg/publicaddr"
)

// The reasons of permit say nothing of the address: names of the inside are no business of who only has a webhook.
var (
	errPlain  = errors.New("http is only for addresses that webhooks.allow names, and this is none; use https")
	errInside = errors.New("the address is a loopback, private, link-local or special one, and webhooks.allow does not name it")
)

// permit decides about the address that a name led to, after it was resolved: what a name says now it need not say next time.
func (s *Sender) permit(a netip.Addr, encrypted bool) error {
	a = a.Unmap().WithZone("")
	switch {
	case slices.ContainsFunc(s.allow, func(p netip.Prefix) bool { return p.Contains(a) }):
		return nil
	case !encrypted:
		return errPlain
	case !publicaddr.Is(a):
		return errInside
	}
	return nil
}
