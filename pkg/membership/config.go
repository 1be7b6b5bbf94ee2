package membership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says who this process is, where it listens and whom it asks. Only Local.Name and Local.Domain are required.
type Config struct {
	// Local is what this process announces. ID is made when it is "" and must be a ULID otherwise; a process may use one ID in several groups.
	// Host is the address to advertise: a name is resolved once; "" means BindHost, or a private address of this machine when that is a
	// wildcard. Port and Since are filled in. What is announced must fit into 512 bytes.
	Local Member

	BindHost string // address or name to listen on, TCP and UDP; Local.Host when "", 127.0.0.1 when that is "" too
	BindPort int    // 0 = any free port, for tests
	PortKey  string // configuration key of BindPort, for the error that says the port is in use; "local_member_port" when ""

	// Seeds are well-known addresses "host:port". They are asked for ever, and only while no member is seen there; this process's own
	// address among them is skipped, so that all members can have the same list.
	Seeds []string

	// Keys are the AES keys of the gossip, each of 16, 24 or 32 bytes: the first encrypts, all decrypt. Group.SetKeys changes them.
	Keys [][]byte

	Policy Policy // who is taken in

	// Receive takes what other members send to this one alone, one message after the other; it must not block. When it is nil, nothing is taken.
	Receive func(Message)

	// InsecureGossip permits an address other than loopback without a key.
	InsecureGossip bool

	RejoinInterval time.Duration // between rounds of asking seeds and lost peers; 10 s when 0

	Logger     *slog.Logger          // nothing is logged when nil
	Registerer prometheus.Registerer // no metrics when nil; groups of different domains may share one

	MetricPrefix string // of the names of metrics; "membership" when ""

	// Transport replaces the sockets, in tests; BindHost and BindPort are not used then. The group owns it and shuts it down.
	Transport memberlist.NodeAwareTransport
}

const (
	defaultRejoinInterval = 10 * time.Second
	defaultPortKey        = "local_member_port"
	defaultMetricPrefix   = "membership"
	resolveTimeout        = 5 * time.Second // of one name
)

// normalize fills the defaults in and checks what can be checked without the network.
func (c *Config) normalize() error {
	if c.RejoinInterval <= 0 {
		c.RejoinInterval = defaultRejoinInterval
	}
	if c.PortKey == "" {
		c.PortKey = defaultPortKey
	}
	if c.MetricPrefix == "" {
		c.MetricPrefix = defaultMetricPrefix
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Local.Name == "" || c.Local.Domain == "" {
		return errors.New("a member needs a name and a domain")
	}
	if n := len(c.Local.Domain); n > memberlist.LabelMaxSize {
		return fmt.Errorf("domain is %d bytes long, the limit is %d", n, memberlist.LabelMaxSize)
	}
	if c.BindPort < 0 || c.BindPort > 65535 {
		return fmt.Errorf("%s: %d is not a port", c.PortKey, c.BindPort)
	}
	if c.Local.ID == "" {
		id, err := NewID()
		if err != nil {
			return err
		}
		c.Local.ID = id
	}
	if c.Local.StartedAt.IsZero() {
		c.Local.StartedAt = time.Now()
	}
	c.Local.StartedAt = c.Local.StartedAt.UTC().Truncate(time.Millisecond)
	c.Local.Since = time.Now()
	if err := checkKeys(c.Keys); err != nil {
		return err
	}
	return c.checkMeta()
}

// NewID makes the id of a member, for a process that is to have the same one in several groups.
func NewID() (string, error) {
	id, err := ulid.New(ulid.Now(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a member id: %w", err)
	}
	return id.String(), nil
}

// checkMeta refuses what could not be announced in every state, so that SetState never meets the size limit.
func (c *Config) checkMeta() error {
	m := c.Local
	m.State = stateCount - 1 // any but zero, which takes no bytes
	if c.Local.State >= stateCount {
		m.State = c.Local.State
	}
	_, err := encodeMeta(m)
	return err
}

// endpoints are where a group is on the network: addresses resolved by Config.resolve, then the open transport.
type endpoints struct {
	bind      netip.Addr // where sockets listen; not valid when a transport was given
	advertise netip.Addr // not valid: the transport finds one
	transport memberlist.NodeAwareTransport
	port      int // bound
}

// onLoopback tells whether only processes of this machine can be heard.
func (e *endpoints) onLoopback() bool {
	if e.bind.IsValid() {
		return e.bind.IsLoopback()
	}
	return e.advertise.IsLoopback()
}

// resolve turns names into addresses and applies the rule that plain gossip stays on loopback.
func (c *Config) resolve(ctx context.Context) (endpoints, error) {
	var e endpoints
	var err error
	if c.Local.Host != "" {
		if e.advertise, err = resolveHost(ctx, c.Local.Host); err != nil {
			return e, err
		}
		if e.advertise.IsUnspecified() {
			e.advertise = netip.Addr{}
		}
	}
	if c.Transport != nil {
		return e, nil
	}
	host := c.BindHost
	if host == "" {
		host = c.Local.Host
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if e.bind, err = resolveHost(ctx, host); err != nil {
		return e, err
	}
	if !e.advertise.IsValid() && !e.bind.IsUnspecified() {
		e.advertise = e.bind
	}
	if err := c.checkExposure("bind", e.bind); err != nil || !e.advertise.IsValid() {
		return e, err // what the transport finds to advertise is checked when it is known
	}
	return e, c.checkExposure("advertise", e.advertise)
}

// checkExposure is the rule that whoever can reach the port could join, or remove members, when gossip is neither on loopback nor keyed.
func (c *Config) checkExposure(verb string, addr netip.Addr) error {
	if c.InsecureGossip || len(c.Keys) > 0 || addr.IsLoopback() {
		return nil
	}
	return fmt.Errorf("will not %s %s without a gossip key, since it is not a loopback address: set gossip_key_file, "+
		"or insecure_gossip: true if everybody who reaches the port may join and remove members", verb, addr)
}

// resolveHost gives the address of host, an IPv4 one if it has any.
func resolveHost(ctx context.Context, host string) (netip.Addr, error) {
	addrs, err := lookup(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if a.Is4() {
			return a, nil
		}
	}
	return addrs[0], nil
}

// lookup gives all addresses of host, at least one unless it fails.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" { // memberlist would drop the zone and bind or announce something else
			return nil, fmt.Errorf("address %s has a zone; gossip needs one without", a)
		}
		return []netip.Addr{a.Unmap()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up host %q: %w", host, err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("look up host %q: it has no address", host)
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, nil
}

// seed is one well-known address; its host may be a name.
type seed struct {
	host string
	port uint16
}

func (s seed) String() string { return net.JoinHostPort(s.host, strconv.Itoa(int(s.port))) }

func parseSeeds(list []string) ([]seed, error) {
	seeds := make([]seed, 0, len(list))
	for _, text := range list {
		host, port, err := net.SplitHostPort(text)
		if err != nil || host == "" {
			return nil, fmt.Errorf("seed %q: want host:port", text)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("seed %q: %q is not a port", text, port)
		}
		seeds = append(seeds, seed{host: host, port: uint16(n)})
	}
	return seeds, nil
}
