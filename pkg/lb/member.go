package lb

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

// Member is one process that requests can be sent to. It either announced itself in a gossip group or
// stands in the configuration (Static). A Member is a value and never changes once it is in a table.
type Member struct {
	ID        string // unique per start of the process; the URL for a static member
	Name      string // for people
	Domain    string
	SubDomain string // "" = none
	Host      string // name or address to connect to
	// HTTPPort and HTTPSPort are the ports for requests that came by that scheme; 0 = not offered. A member
	// that offers only one scheme gets all its requests by that one: what it offers is its operator's choice.
	HTTPPort  int
	HTTPSPort int
	// PortMappings sends a request that came to the ELB's port (key) to another port of the member.
	PortMappings map[int]int
	// Weight is its share of the requests relative to the others; 0 = not announced, which counts as 1; below 0, as
	// WeightNone = it wants nothing new, and gets requests only while nobody else can be used.
	Weight   int
	Zone     string // where it runs; "" = near to everybody
	Backup   bool   // gets requests only while no other member can be used
	Draining bool   // takes no new requests unless nobody else is left
	Suspect  bool   // gossip lost it, and it answers its checks: gets requests only while nobody else can be used
	Static   bool
	// HealthPath answers well while the member can serve; "" = not announced.
	HealthPath string
	StartedAt  time.Time // when its process started, by its own clock; zero = unknown
	Since      time.Time // when this process first saw it
}

// WeightNone is the weight of a member that wants no new requests.
const WeightNone = membership.WeightNone

// endpoint says how to reach the member for a request that came by scheme to listenPort: the scheme to
// use and "host:port". Both are empty if the member offers neither scheme.
func (m *Member) endpoint(scheme string, listenPort int) (toScheme, addr string) {
	port := m.HTTPPort
	toScheme = scheme
	switch {
	case scheme == schemeHTTPS && m.HTTPSPort != 0:
		port = m.HTTPSPort
	case scheme == schemeHTTPS:
		toScheme = schemeHTTP
	case port == 0:
		toScheme, port = schemeHTTPS, m.HTTPSPort
	}
	if mapped := m.PortMappings[listenPort]; mapped != 0 && toScheme == scheme {
		port = mapped
	}
	if port == 0 {
		return "", ""
	}
	return toScheme, net.JoinHostPort(m.Host, strconv.Itoa(port))
}

// sameEndpoints reports whether endpoint gives the same for both members, whatever it is asked.
func (m *Member) sameEndpoints(other *Member) bool {
	return m.Host == other.Host && m.HTTPPort == other.HTTPPort && m.HTTPSPort == other.HTTPSPort &&
		maps.Equal(m.PortMappings, other.PortMappings)
}

const (
	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

// ParseStatic reads a static member as the configuration writes it: a URL, "http://127.0.0.1:9001", and behind it, as
// far as needed, "weight=3", "zone=west" and "backup". Of a URL only scheme, host and port may be given; without a port it is
// the scheme's own.
func ParseStatic(raw string) (Member, error) {
	words := strings.Fields(raw)
	if len(words) == 0 {
		words = []string{raw}
	}
	m, err := parseStaticURL(words[0])
	if err != nil {
		return Member{}, err
	}
	for _, word := range words[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case word == "backup":
			m.Backup = true
		case name == "zone" && value != "":
			m.Zone = value
		case name == "weight":
			if m.Weight, err = ParseWeight(value); err != nil {
				return Member{}, fmt.Errorf("%q: %w", raw, err)
			}
		default:
			return Member{}, fmt.Errorf("%q: %s is not known; behind the URL write weight=NUMBER, zone=NAME or backup", raw, word)
		}
	}
	return m, nil
}

// ParseWeight reads a weight as the configuration writes it, a number from 0 to MaxWeight, where 0 is WeightNone.
func ParseWeight(s string) (int, error) {
	n, err := strconv.Atoi(s)
	switch {
	case err != nil || n < 0 || n > MaxWeight:
		return 0, fmt.Errorf("weight %s is not a number from 0 to %d", s, MaxWeight)
	case n == 0:
		return WeightNone, nil
	}
	return n, nil
}

func parseStaticURL(raw string) (Member, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Member{}, fmt.Errorf("%q is not a URL; write http://host:port or https://host:port", raw)
	}
	if u.Scheme != schemeHTTP && u.Scheme != schemeHTTPS {
		return Member{}, fmt.Errorf("%q: write http://host:port or https://host:port", raw)
	}
	if u.Hostname() == "" {
		return Member{}, fmt.Errorf("%q names no host; write %s://host:port", raw, u.Scheme)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return Member{}, fmt.Errorf("%q: only scheme, host and port may be given, as in %s://%s", raw, u.Scheme, u.Host)
	}
	port := 80
	if u.Scheme == schemeHTTPS {
		port = 443
	}
	if p := u.Port(); p != "" {
		port, err = strconv.Atoi(p)
		if err != nil || port < 1 || port > 65535 {
			return Member{}, fmt.Errorf("%q: port %s is not between 1 and 65535", raw, p)
		}
	}
	m := Member{
		ID:     u.Scheme + "://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(port)),
		Host:   u.Hostname(),
		Static: true,
	}
	m.Name = m.ID
	if u.Scheme == schemeHTTPS {
		m.HTTPSPort = port
	} else {
		m.HTTPPort = port
	}
	return m, nil
}
