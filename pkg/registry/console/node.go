package console

import (
	"cmp"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// nodeView is what every page about this node alone shows above its own part: whose page it is, and where those of the others are. Through the load
// balancer the next click may reach another node.
type nodeView struct {
	Node   string // this node's name; may be ""
	Tab    string // the tab that is open
	Asked  string // the node that the address asks for; "" for whichever answers
	Own    string // the address of this page on this node's own console; "" when the reader is there, or it is not known
	Others []sibling
}

// sibling is another node of the cluster, and this page on its own console.
type sibling struct {
	Name, Address string
}

// Elsewhere tells that the address asks for another node than the one that answers.
func (v nodeView) Elsewhere() bool { return v.Asked != "" && v.Asked != v.Node }

// AskedAt is the page on the console of the node that was asked for; "" when it is not in sight.
func (v nodeView) AskedAt() string {
	for _, s := range v.Others {
		if s.Name == v.Asked {
			return s.Address
		}
	}
	return ""
}

// mostTries is how often a request for one node is sent back to the load balancer, which sends it on to another node each time.
const mostTries = 8

// retry sends a request that is for another node back to where it came from, with its form, so that the load balancer may choose that one. It tells
// false when this is of no use: the request is for this node, it came here past the load balancer, the other node is not in sight, or it was tried enough.
func (v nodeView) retry(w http.ResponseWriter, r *http.Request) bool {
	q := r.URL.Query()
	tries, err := strconv.Atoi(cmp.Or(q.Get("try"), "0"))
	if !v.Elsewhere() || v.Own == "" || v.AskedAt() == "" || err != nil || tries < 0 || tries >= mostTries {
		return false
	}
	q.Set("try", strconv.Itoa(tries+1))
	w.Header().Set("Location", r.URL.EscapedPath()+"?"+q.Encode())
	w.WriteHeader(http.StatusTemporaryRedirect)
	return true
}

// nodeOf describes this node for the page at address.
func (c *console) nodeOf(r *http.Request, tab, address string) nodeView {
	v := nodeView{Node: c.Node, Tab: tab, Asked: r.FormValue("node")}
	if c.selfHost != "" && !strings.EqualFold(r.Host, c.selfHost) {
		v.Own = c.SelfHTTPS + address
	}
	for _, m := range c.Members() {
		if !m.Balancer && !m.Self && m.HTTPSPort > 0 {
			v.Others = append(v.Others, sibling{m.Name, "https://" + net.JoinHostPort(m.Host, strconv.Itoa(m.HTTPSPort)) + address})
		}
	}
	slices.SortFunc(v.Others, func(x, y sibling) int { return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.Address, y.Address)) })
	return v
}
