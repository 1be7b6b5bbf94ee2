package elbd

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
)

// EnvPrefix begins the environment variables that set keys of the configuration: ELB_HTTP_PORT, ELB_LOG_LEVEL, ….
const EnvPrefix = "ELB"

// Config is elb.yaml. Durations are written like 500ms or 30s.
type Config struct {
	HTTPPort        int              `yaml:"http_port"`   // for clients; 0 takes any free port, -1 none
	HTTPSPort       int              `yaml:"https_port"`  // likewise
	ListenHost      string           `yaml:"listen_host"` // address to serve clients on; all when empty
	LocalMemberHost string           `yaml:"local_member_host"`
	LocalMemberPort int              `yaml:"local_member_port"` // of the group of the ELBs, TCP and UDP
	Members         []string         `yaml:"members"`           // other ELBs, as host:local_member_port
	NodeName        string           `yaml:"node_name"`         // shown to people; the host's name when empty
	Admin           string           `yaml:"admin"`             // address of the admin listener
	AdminTokenFile  string           `yaml:"admin_token_file"`  // holds the token for draining members by the admin listener; without it that is off
	Zone            string           `yaml:"zone"`              // where it runs: members there get the requests while any can be used
	StateDir        string           `yaml:"state_dir"`         // addresses of known members, and the development CA unless tls says otherwise
	TLS             daemon.TLSFiles  `yaml:"tls"`
	GossipKeyFile   string           `yaml:"gossip_key_file"`
	InsecureGossip  bool             `yaml:"insecure_gossip"`   // allow gossip without a key beyond loopback
	AcceptFrom      []string         `yaml:"accept_from"`       // where gossip may come from and members may be, as addresses or CIDR ranges; anywhere when empty
	AffinityKeyFile string           `yaml:"affinity_key_file"` // signs affinity cookies; the gossip keys when empty, else a file in the state folder
	Timeouts        Timeouts         `yaml:"timeouts"`
	Trace           Trace            `yaml:"trace"`           // distributed tracing
	Limits          Limits           `yaml:"limits"`          // how much this ELB carries at once
	Health          Health           `yaml:"health"`          // how members are checked, unless their domain says otherwise
	TrustedProxies  []string         `yaml:"trusted_proxies"` // peers whose forwarding headers are believed, as addresses or CIDR ranges
	AccessLog       bool             `yaml:"access_log"`      // a log record for each request
	AccessLogFile   string           `yaml:"access_log_file"` // where they are appended to; standard output, with the log, when empty
	DrainDelay      time.Duration    `yaml:"drain_delay"`     // how long a stopping ELB goes on accepting while those in front of it learn of it
	DrainTimeout    time.Duration    `yaml:"drain_timeout"`   // how long running requests may take after that
	Log             daemon.LogConfig `yaml:"log"`
	Tenants         Tenants          `yaml:"tenants"`

	Services map[string]Service `yaml:"services"`
}

// Timeouts is the timeouts block. None can be switched off.
type Timeouts struct {
	ReadHeader     time.Duration `yaml:"read_header"`     // a client's request head
	Idle           time.Duration `yaml:"idle"`            // a client's connection between requests
	Body           time.Duration `yaml:"body"`            // between two pieces of a request's body
	Write          time.Duration `yaml:"write"`           // for the client to take a piece of the answer
	Connect        time.Duration `yaml:"connect"`         // TCP and TLS to a member
	ResponseHeader time.Duration `yaml:"response_header"` // a member's answer head
	Stream         time.Duration `yaml:"stream"`          // between two pieces of a member's answer
	MemberIdle     time.Duration `yaml:"member_idle"`     // a connection to a member between requests; keep it below the members' own
	UpgradeIdle    time.Duration `yaml:"upgrade_idle"`    // a websocket without traffic
}

// Trace is the trace block: what is done about requests that bring no valid traceparent.
type Trace struct {
	Start   bool `yaml:"start"`   // they get one, which begins a trace
	Sampled bool `yaml:"sampled"` // and says that members may record it
}

// Service is one entry of services.
type Service struct {
	Hosts   []string          `yaml:"hosts"` // for the domains without hosts of their own
	Domains map[string]Domain `yaml:"domains"`
}

// Domain is one cluster domain of a service.
type Domain struct {
	TenantRange  string      `yaml:"tenant_range"`   // * when empty
	GroupMgtPort int         `yaml:"group_mgt_port"` // where its members find the group, TCP and UDP
	Hosts        []string    `yaml:"hosts"`          // for members without a sub-domain; the service's when empty
	Members      []string    `yaml:"members"`        // static ones, http://host:port
	AcceptFrom   []string    `yaml:"accept_from"`    // where its gossip may come from and its members may be; the ELB's accept_from when empty
	AcceptHosts  []string    `yaml:"accept_hosts"`   // names that its members may announce to be reached at; none when empty
	Balancer     *Balancer   `yaml:"balancer"`       // how a member is chosen; round_robin when nil
	Affinity     *Affinity   `yaml:"affinity"`       // whether sessions stay at one member; they do not when nil
	Health       *Health     `yaml:"health"`         // what differs from the health block at the top
	Limits       *PoolLimits `yaml:"limits"`         // how much each member is given at once; all that comes when nil
	Retry        *Retry      `yaml:"retry"`          // when requests are sent once more; after failed attempts when nil
	Mgt          *SubDomain  `yaml:"mgt"`
	Worker       *SubDomain  `yaml:"worker"`

	SubDomains map[string]SubDomain `yaml:"sub_domains"` // those of other names
}

// SubDomain is a part of a domain: its members that announce one sub-domain.
type SubDomain struct {
	TenantRange string      `yaml:"tenant_range"` // the domain's when empty
	Hosts       []string    `yaml:"hosts"`
	Members     []string    `yaml:"members"`  // static ones
	Balancer    *Balancer   `yaml:"balancer"` // the domain's when nil
	Affinity    *Affinity   `yaml:"affinity"` // likewise
	Limits      *PoolLimits `yaml:"limits"`   // likewise
	Retry       *Retry      `yaml:"retry"`    // likewise
}

// Balancer is a balancer block; a word alone is its policy.
type Balancer struct {
	Policy    string        `yaml:"policy,word"` // round_robin when empty
	Key       string        `yaml:"key"`         // hash: header NAME, cookie NAME, path or client
	LoadBound float64       `yaml:"load_bound"`  // hash: requests in flight that a member may have, times the average; 1.25 when not set
	SlowStart time.Duration `yaml:"slow_start"`  // how long the share of a member grows after its start; 0: not at all
}

// Default is the configuration before file and environment.
func Default() Config {
	t := lb.DefaultTimeouts()
	return Config{
		HTTPPort:        8280,
		HTTPSPort:       8243,
		LocalMemberHost: "127.0.0.1",
		LocalMemberPort: 4000,
		Admin:           "127.0.0.1:9280",
		StateDir:        "run/elb",
		Timeouts: Timeouts{
			ReadHeader: 10 * time.Second, Idle: 2 * time.Minute,
			Body: t.Body, Write: t.Write, Connect: t.Connect, ResponseHeader: t.ResponseHeader,
			Stream: t.Stream, MemberIdle: t.MemberIdle, UpgradeIdle: t.UpgradeIdle,
		},
		Trace:        Trace{Start: true, Sampled: true},
		Health:       defaultHealth(),
		AccessLog:    true,
		DrainDelay:   3 * time.Second,
		DrainTimeout: 30 * time.Second,
		Log:          daemon.LogConfig{Format: "text", Level: "info"},
		Tenants:      defaultTenants(),
	}
}

// LoadConfig reads file ("" for none), an elb.yaml or a loadbalancer.conf of WSO2, and the environment over the defaults, and checks the
// result. All faults come together; the document, if the file could be read at all, has the warnings.
func LoadConfig(file string, environ []string) (Config, *daemon.Document, error) {
	c := Default()
	d, err := c.read(file, environ)
	if d == nil {
		return Config{}, nil, err
	}
	c.complete()
	if err := d.Verdict(c.validate(d)); err != nil {
		return Config{}, d, err
	}
	return c, d, nil
}

// read reads a file of either format. With faults in its keys the document is there as well; without it nothing could be read.
func (c *Config) read(file string, environ []string) (*daemon.Document, error) {
	if file == "" {
		return daemon.LoadYAML(file, c, EnvPrefix, environ)
	}
	text, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w; name a configuration file with -config", err)
	}
	if !isWSO2(file, text) {
		return daemon.ParseYAML(file, text, c, EnvPrefix, environ)
	}
	r := c.readWSO2(file, text, environ)
	r.doc.Overlay(c, EnvPrefix, environ)
	r.giveGroupPorts()
	return r.doc, nil
}

// maxFileSize bounds a configuration; those of large installations have some ten thousand bytes.
const maxFileSize = 1 << 20

// readFile reads a file of at most maxFileSize bytes.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFileSize {
		return nil, fmt.Errorf("%s: has more than %d bytes, too many for a configuration", name, maxFileSize)
	}
	return text, nil
}

// complete derives what was left out.
func (c *Config) complete() {
	if !c.TLS.Own() && c.TLS.DevCADir == "" {
		c.TLS.DevCADir = filepath.Join(c.StateDir, "ca")
	}
	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "elb"
		}
		c.NodeName = host
	}
}

func (c *Config) validate(d *daemon.Document) []error {
	faults := slices.Concat(c.validatePorts(d), c.validateGossip(d), c.validateTimeouts(d), c.Limits.validate(d), c.Tenants.validate(d), c.Log.Validate(d, "log"), c.TLS.Validate(d, "tls"))
	if c.StateDir == "" {
		faults = append(faults, d.Fault("state_dir", "must name a folder"))
	}
	for i, p := range c.TrustedProxies {
		if _, err := daemon.ParsePrefix(p); err != nil {
			faults = append(faults, d.Fault(fmt.Sprintf("trusted_proxies[%d]", i), "%q is neither an IP address nor a CIDR range", p))
		}
	}
	if c.AdminTokenFile != "" {
		if _, err := daemon.ReadToken(c.AdminTokenFile); err != nil {
			faults = append(faults, d.Fault("admin_token_file", "%s; make one with: head -c 32 /dev/urandom | base64 > FILE", err))
		}
	}
	_, healthFaults := c.Health.spec(d, "health")
	_, routeFaults := c.pools(d)
	return slices.Concat(faults, healthFaults, routeFaults)
}

// validatePorts checks the ports that this process binds: each in range, no two alike.
func (c *Config) validatePorts(d *daemon.Document) []error {
	var faults []error
	taken := map[int]string{}
	use := func(key string, port, least int) {
		if port < least || port > 65535 {
			faults = append(faults, d.Fault(key, "is %d; ports are from %d to 65535", port, max(least, 0)))
			return
		}
		if other, ok := taken[port]; ok && port > 0 {
			faults = append(faults, d.Fault(key, "%d is the same port as %s (%s); each needs its own", port, other, d.Where(other)))
			return
		}
		taken[port] = key
	}
	use("http_port", c.HTTPPort, -1)
	use("https_port", c.HTTPSPort, -1)
	use("local_member_port", c.LocalMemberPort, 0)
	for service, domain := range c.eachDomain() {
		key := domainKey(service, domain)
		dom := c.Services[service].Domains[domain]
		switch {
		case dom.GroupMgtPort != 0:
			use(key+".group_mgt_port", dom.GroupMgtPort, 1)
		case len(dom.staticMembers()) == 0:
			faults = append(faults, d.Fault(key+".group_mgt_port", "is missing: give the port where the domain's members join, or list static members"))
		}
	}
	if c.HTTPPort < 0 && c.HTTPSPort < 0 {
		faults = append(faults, d.Fault("http_port", "http_port and https_port are both off; clients need one of them"))
	}
	if _, port, err := net.SplitHostPort(c.Admin); err != nil {
		faults = append(faults, d.Fault("admin", "%q is not of the form host:port", c.Admin))
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		faults = append(faults, d.Fault("admin", "%q: port %s is not from 0 to 65535", c.Admin, port))
	} else {
		use("admin", int(n), 0)
	}
	return faults
}

func (c *Config) validateGossip(d *daemon.Document) []error {
	var faults []error
	switch addr, err := netip.ParseAddr(c.LocalMemberHost); {
	case c.LocalMemberHost == "":
		faults = append(faults, d.Fault("local_member_host", "must name the address that members reach this ELB at"))
	case err == nil && !addr.IsLoopback() && c.GossipKeyFile == "" && !c.InsecureGossip:
		faults = append(faults, d.Fault("local_member_host", "%s is not a loopback address, so gossip needs a key: set gossip_key_file, "+
			"or insecure_gossip: true if everybody who reaches the port may join and remove members", addr))
	}
	for i, addr := range c.Members {
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || !isPort(port) {
			faults = append(faults, d.Fault(fmt.Sprintf("members[%d]", i), "%q is not of the form host:port", addr))
		}
	}
	if c.GossipKeyFile != "" {
		if _, err := daemon.ReadGossipKeys(c.GossipKeyFile); err != nil {
			faults = append(faults, d.Fault("gossip_key_file", "%s; make one with: elb keys > FILE", err))
		}
	}
	if c.AffinityKeyFile != "" {
		if _, err := daemon.ReadGossipKeys(c.AffinityKeyFile); err != nil {
			faults = append(faults, d.Fault("affinity_key_file", "%s; make one with: elb keys > FILE", err))
		}
	}
	return append(faults, c.validatePolicies(d)...)
}

func (c *Config) validateTimeouts(d *daemon.Document) []error {
	var faults []error
	t := c.Timeouts
	for key, value := range map[string]time.Duration{
		"timeouts.read_header": t.ReadHeader, "timeouts.idle": t.Idle, "timeouts.body": t.Body, "timeouts.write": t.Write,
		"timeouts.connect": t.Connect, "timeouts.response_header": t.ResponseHeader, "timeouts.stream": t.Stream,
		"timeouts.member_idle": t.MemberIdle, "timeouts.upgrade_idle": t.UpgradeIdle, "drain_timeout": c.DrainTimeout,
	} {
		if value < time.Millisecond {
			faults = append(faults, d.Fault(key, "is %s; it must be at least 1ms, and cannot be switched off", value))
		}
	}
	if c.DrainDelay < 0 {
		faults = append(faults, d.Fault("drain_delay", "is %s; it must not be negative", c.DrainDelay))
	}
	sortFaults(faults)
	return faults
}

// sortFaults orders faults that were found in no order.
func sortFaults(faults []error) {
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// eachDomain gives service and domain names, in order.
func (c *Config) eachDomain() func(yield func(service, domain string) bool) {
	return func(yield func(service, domain string) bool) {
		for _, service := range slices.Sorted(maps.Keys(c.Services)) {
			for _, domain := range slices.Sorted(maps.Keys(c.Services[service].Domains)) {
				if !yield(service, domain) {
					return
				}
			}
		}
	}
}

func serviceKey(service string) string        { return "services." + service }
func domainKey(service, domain string) string { return serviceKey(service) + ".domains." + domain }
