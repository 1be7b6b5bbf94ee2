package console

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// Member is one process of the cluster, as this node sees it.
type Member struct {
	ID                  string
	Name                string
	Domain, SubDomain   string
	Host                string
	MemberPort          int // gossip
	HTTPPort, HTTPSPort int // 0 when it has no such listener
	State               string
	Since               time.Time // when this node first saw it
	Version             string    // of its program; "" when not announced
	Started             time.Time // its process; zero when not announced
	Balancer            bool      // a load balancer of the group, not an application member
	Self                bool
	Facts               *MemberFacts // what it told of itself last; nil when it told nothing
}

// clusterView groups the members by what they serve; load balancers, which serve no pool, come last.
type clusterView struct {
	Pools  []pool
	Total  int // without load balancers
	Active int
	Orders bool // the reader may drain members
	Last   *lastView
	Error  string
}

type pool struct {
	Domain, SubDomain string
	Balancers         bool
	Members           []memberView
}

// order compares load balancers as greater than members.
func (m Member) order() int {
	if m.Balancer {
		return 1
	}
	return 0
}

func (c *console) cluster(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showCluster(w, r, a, nil, nil)
}

// showCluster renders the page; last asks whether the last active member of a pool is to be drained, and failed is why an order came to nothing.
func (c *console) showCluster(w http.ResponseWriter, r *http.Request, a registry.Actor, last *lastView, failed error) error {
	if _, err := c.Service.ServerView(a); err != nil {
		return err
	}
	members := slices.Clone(c.Members())
	slices.SortStableFunc(members, func(x, y Member) int {
		return cmp.Or(cmp.Compare(x.order(), y.order()), cmp.Compare(x.Domain, y.Domain), cmp.Compare(x.SubDomain, y.SubDomain), cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	v := clusterView{Orders: c.Order != nil && c.Service.Operates(a), Last: last}
	for i, m := range members {
		if !m.Balancer {
			v.Total++
			if m.State == "active" {
				v.Active++
			}
		}
		last := len(v.Pools) - 1
		if last < 0 || v.Pools[last].Balancers != m.Balancer || v.Pools[last].Domain != m.Domain || v.Pools[last].SubDomain != m.SubDomain {
			v.Pools = append(v.Pools, pool{Domain: m.Domain, SubDomain: m.SubDomain, Balancers: m.Balancer})
			last++
		}
		v.Pools[last].Members = append(v.Pools[last].Members, memberView{Member: members[i], Lags: lagsOf(m, members)})
	}
	var status int
	if v.Error, status = c.outcome(r, a, failed); last != nil {
		status = http.StatusConflict
	}
	f := c.frame(r, a, c.say("Cluster"))
	f.Section, f.Page = "cluster", v
	return c.render(w, status, "cluster", f)
}
