package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// privateView tells, on a page about what this node keeps for itself, that the next click may reach a node which does not have it.
type privateView struct {
	Node string // this node's name; may be ""
	Own  string // the address of the thing on this node's own console; "" when that is not known
}

// isPrivate tells whether only this node has what stands at p.
func (c *console) isPrivate(p registry.Path) bool {
	return slices.ContainsFunc(c.Private, func(m registry.Path) bool { return m.Covers(p) })
}

// private is nil unless only this node has what address, the console's page about p, shows, and the request came by another name than the node's own.
func (c *console) private(r *http.Request, p registry.Path, address string) *privateView {
	if !c.isPrivate(p) || c.selfHost != "" && strings.EqualFold(r.Host, c.selfHost) {
		return nil
	}
	v := &privateView{Node: c.Node}
	if c.selfHost != "" {
		v.Own = c.SelfHTTPS + address
	}
	return v
}

// hostOf is the Host header that a browser sends to a base URL; "" for none.
func hostOf(base string) (string, error) {
	if base == "" {
		return "", nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("console: SelfHTTPS: %w", err)
	}
	if u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("console: SelfHTTPS is %q; it must be like https://node3.example:9446", base)
	}
	return strings.TrimSuffix(u.Host, ":443"), nil
}
