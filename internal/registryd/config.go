package registryd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/auth"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// EnvPrefix begins the environment variables that set keys of the configuration: REGISTRY_HTTP_PROXY_PORT, REGISTRY_STORES_SHARED_DSN, ….
const EnvPrefix = "REGISTRY"

// Config is registry.yaml. Durations are written like 500ms or 30s.
type Config struct {
	Offset        int    `yaml:"offset"`          // added to http_port, https_port and the admin port
	HostName      string `yaml:"host_name"`       // public name in permalinks
	MgtHostName   string `yaml:"mgt_host_name"`   // public name of the console; host_name when empty
	HTTPPort      int    `yaml:"http_port"`       // before offset; 0 takes any free port
	HTTPSPort     int    `yaml:"https_port"`      // before offset; 0 takes any free port
	HTTPProxyPort int    `yaml:"http_proxy_port"` // the load balancer's HTTP port, in permalinks; 0: the node's own
	// HTTPSProxyPort is the load balancer's HTTPS port, in permalinks; 0: the node's own.
	HTTPSProxyPort int    `yaml:"https_proxy_port"`
	ListenHost     string `yaml:"listen_host"` // address to serve on; membership.local_member_host when empty
	Admin          string `yaml:"admin"`       // address of the admin listener, its port before offset
	StateDir       string `yaml:"state_dir"`   // what this node keeps for itself
	NodeName       string `yaml:"node_name"`   // shown to people; the host's name and HTTP port when empty

	Membership Membership             `yaml:"membership"`
	Stores     map[string]StoreConfig `yaml:"stores"`
	UserStore  string                 `yaml:"user_store"` // the store with users and sessions
	Mounts     []MountConfig          `yaml:"mounts"`

	MaxContentSize  int64         `yaml:"max_content_size"` // bytes of one content
	SessionLifetime time.Duration `yaml:"session_lifetime"`
	// MaxSessions is how many sessions one user may have at a time; MaxWatches how many watches one node serves to one user.
	MaxSessions int `yaml:"max_sessions"`
	MaxWatches  int `yaml:"max_watches"`
	// ActivityRetention is how long the change log with who did what is kept; 0: for ever. The newest operations are kept in any case.
	ActivityRetention time.Duration `yaml:"activity_retention"`
	// RetentionInterval is how often, about, the node tries to remove the versions that rules of retention do not keep; 0 for never.
	RetentionInterval time.Duration `yaml:"retention_interval"`
	// TransferTimeout is how long a move to another store may stand still before another node takes it over.
	TransferTimeout time.Duration `yaml:"transfer_timeout"`
	AnonymousAccess bool          `yaml:"anonymous_access"` // requests without credentials may read what the role anonymous is allowed to
	Passwords       Passwords     `yaml:"passwords"`
	// AcceptFindings are checks of the doctor whose errors do not keep the node from starting.
	AcceptFindings []string      `yaml:"accept_findings"`
	AdminUser      string        `yaml:"admin_user"`     // made at first start
	AdminPassword  daemon.Secret `yaml:"admin_password"` // of the administrator made at first start; a random one when empty

	// FetchHosts are the hosts from which users may have files fetched; see [console.Config]. None: nothing is fetched.
	FetchHosts []string `yaml:"fetch_hosts"`
	// ConsoleTexts is a file with what the console says in another language; English without one.
	ConsoleTexts string `yaml:"console_texts"`

	// TrustedProxies are the peers whose X-Forwarded-* headers are believed, as addresses or CIDR ranges; load balancers in the
	// group are trusted as well.
	TrustedProxies []string         `yaml:"trusted_proxies"`
	Webhooks       WebhooksConfig   `yaml:"webhooks"`
	TLS            daemon.TLSFiles  `yaml:"tls"`
	DrainDelay     time.Duration    `yaml:"drain_delay"`   // how long a stopping node goes on serving while load balancers learn of it
	DrainTimeout   time.Duration    `yaml:"drain_timeout"` // how long running requests may take after that
	AccessLog      bool             `yaml:"access_log"`    // a log record for each request
	Log            daemon.LogConfig `yaml:"log"`
}

// Membership is the membership block.
type Membership struct {
	Domain          string   `yaml:"domain"`
	SubDomain       string   `yaml:"sub_domain"`
	LocalMemberHost string   `yaml:"local_member_host"` // the address others reach this node at
	LocalMemberPort int      `yaml:"local_member_port"` // gossip, TCP and UDP
	Members         []string `yaml:"members"`           // well-known members, host:port
	GossipKeyFile   string   `yaml:"gossip_key_file"`
	InsecureGossip  bool     `yaml:"insecure_gossip"` // allow gossip without a key beyond loopback
	AcceptFrom      []string `yaml:"accept_from"`     // where gossip may come from and members may be, as addresses or CIDR ranges; anywhere when empty
	AcceptHosts     []string `yaml:"accept_hosts"`    // names that members may announce to be reached at; none when empty
	Weight          int      `yaml:"weight"`          // share of the requests relative to the other nodes; 0: nothing new unless nobody else is there
	Zone            string   `yaml:"zone"`            // where it runs, for load balancers that prefer their own zone
	Backup          bool     `yaml:"backup"`          // requests only while no other node can be used
}

// StoreConfig is one store.
type StoreConfig struct {
	DSN     daemon.Secret `yaml:"dsn"`      // sqlite:FILE or mysql:USER:PASSWORD@tcp(HOST:PORT)/DATABASE
	DSNFile string        `yaml:"dsn_file"` // a file whose first line is the dsn
	// CommitGroup is the most changes that one transaction takes; 0 is the default, 64.
	CommitGroup int `yaml:"commit_group"`
}

// maxCommitGroup bounds what one transaction takes: those who wait for it wait for all of it.
const maxCommitGroup = 1024

// MountConfig is one mount.
type MountConfig struct {
	Path       string `yaml:"path"`
	Store      string `yaml:"store"`
	TargetPath string `yaml:"target_path"` // the same as path when empty
	// Overwrite tells what the mount may cover of that which the mount around it has at that path.
	Overwrite Overwrite `yaml:"overwrite"`
	ReadOnly  bool      `yaml:"read_only"`
}

// Default is the configuration before file and environment.
func Default() Config {
	return Config{
		HostName:  "localhost",
		HTTPPort:  9763,
		HTTPSPort: 9443,
		Admin:     "127.0.0.1:9780",
		StateDir:  "run/registry",
		Membership: Membership{
			Domain:          "wso2.governance.domain",
			SubDomain:       "mgt",
			LocalMemberHost: "127.0.0.1",
			LocalMemberPort: 4250,
			Weight:          1,
		},
		Stores:    map[string]StoreConfig{"local": {}, "shared": {}},
		UserStore: "shared",
		Mounts: []MountConfig{
			{Path: "/_system/local", Store: "local"},
			{Path: "/_system/config", Store: "shared", Overwrite: OverwriteAll},
			{Path: "/_system/governance", Store: "shared", Overwrite: OverwriteAll},
		},
		MaxContentSize:    registry.DefaultContentLimit,
		SessionLifetime:   12 * time.Hour,
		MaxSessions:       auth.DefaultSessions,
		MaxWatches:        registry.DefaultUserWatches,
		RetentionInterval: time.Hour,
		TransferTimeout:   registry.DefaultTransferTimeout,
		Passwords:         Passwords{MinLength: auth.MinPasswordLength, MinClasses: 1, Guesses: 10},
		AdminUser:         "admin",
		TrustedProxies:    []string{"127.0.0.0/8", "::1"},
		Webhooks:          WebhooksConfig{Timeout: 10 * time.Second, GiveUpAfter: registry.DefaultWebhookGiveUp, KeepLog: registry.DefaultWebhookKeep},
		DrainDelay:        2 * time.Second,
		DrainTimeout:      30 * time.Second,
		Log:               daemon.LogConfig{Format: "text", Level: "info"},
	}
}

// LoadConfig reads file ("" for none) and the environment over the defaults and checks the result. All faults come together.
func LoadConfig(file string, environ []string) (Config, *daemon.Document, error) {
	c := Default()
	d, err := daemon.LoadYAML(file, &c, EnvPrefix, environ)
	if d == nil {
		return Config{}, nil, err
	}
	faults := []error{c.complete(d)}
	if faults[0] == nil {
		faults = c.validate(d)
	}
	if err := d.Verdict(faults); err != nil {
		return Config{}, nil, err
	}
	return c, d, nil
}

// complete derives what was left out.
func (c *Config) complete(d *daemon.Document) error {
	if c.MgtHostName == "" {
		c.MgtHostName = c.HostName
	}
	if c.ListenHost == "" {
		c.ListenHost = c.Membership.LocalMemberHost
	}
	if !c.TLS.Own() && c.TLS.DevCADir == "" {
		c.TLS.DevCADir = filepath.Join(c.StateDir, "ca")
	}
	if c.NodeName == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "registry"
		}
		c.NodeName = fmt.Sprintf("%s-%d", host, c.HTTPPort+c.Offset)
	}
	for i := range c.Mounts {
		if c.Mounts[i].TargetPath == "" {
			c.Mounts[i].TargetPath = c.Mounts[i].Path
		}
	}
	for name, s := range c.Stores {
		switch {
		case s.DSNFile != "" && s.DSN != "":
			return d.Fault("stores."+name+".dsn_file", "dsn is set as well; leave one of them out")
		case s.DSNFile != "":
			dsn, err := daemon.ReadSecretFile(s.DSNFile)
			if err != nil {
				return d.Fault("stores."+name+".dsn_file", "%s", err)
			}
			s.DSN = dsn
		case s.DSN == "" && name == "shared":
			s.DSN = daemon.Secret("sqlite:" + filepath.Join(c.StateDir, "registry.db"))
		case s.DSN == "":
			s.DSN = daemon.Secret("sqlite:" + filepath.Join(c.StateDir, name+".db"))
		}
		c.Stores[name] = s
	}
	return nil
}

func (c *Config) validate(d *daemon.Document) []error {
	faults := slices.Concat(c.validatePorts(d), c.validateMembership(d), c.validateStores(d), c.validateFindings(d), c.Passwords.validate(d), c.Webhooks.validate(d), c.Log.Validate(d, "log"), c.TLS.Validate(d, "tls"))
	fault := func(key, format string, args ...any) { faults = append(faults, d.Fault(key, format, args...)) }
	if c.StateDir == "" {
		fault("state_dir", "must name a folder")
	}
	if c.MaxContentSize < 1 {
		fault("max_content_size", "is %d; it must be at least 1 byte", c.MaxContentSize)
	}
	if c.SessionLifetime < time.Minute {
		fault("session_lifetime", "is %s; it must be at least 1m", c.SessionLifetime)
	}
	if n := c.MaxSessions; n < 1 || n > auth.MaxSessions {
		fault("max_sessions", "is %d; it must be 1 to %d", n, auth.MaxSessions)
	}
	if n := c.MaxWatches; n < 1 || n > registry.MaxWatches {
		fault("max_watches", "is %d; it must be 1 to %d", n, registry.MaxWatches)
	}
	if c.TransferTimeout < time.Second {
		fault("transfer_timeout", "is %s; it must be at least 1s", c.TransferTimeout)
	}
	if c.ActivityRetention != 0 && c.ActivityRetention < time.Hour {
		fault("activity_retention", "is %s; it must be at least 1h, or 0s to keep all", c.ActivityRetention)
	}
	for key, d := range map[string]time.Duration{
		"drain_delay": c.DrainDelay, "drain_timeout": c.DrainTimeout, "retention_interval": c.RetentionInterval,
	} {
		if d < 0 {
			fault(key, "is %s; it must not be negative", d)
		}
	}
	if err := auth.CheckUserName(c.AdminUser); err != nil {
		fault("admin_user", "%s", err)
	}
	if c.AdminPassword != "" {
		if err := auth.CheckPassword(c.AdminPassword.Reveal()); err != nil {
			fault("admin_password", "%s", err)
		}
	}
	for i, host := range c.FetchHosts {
		if err := console.CheckFetchHost(host); err != nil {
			fault(fmt.Sprintf("fetch_hosts[%d]", i), "%s", err)
		}
	}
	if _, err := c.consoleTexts(); err != nil {
		fault("console_texts", "%s", err)
	}
	for i, p := range c.TrustedProxies {
		if _, err := daemon.ParsePrefix(p); err != nil {
			fault("trusted_proxies["+strconv.Itoa(i)+"]", "%q is neither an IP address nor a CIDR range", p)
		}
	}
	return faults
}

func (c *Config) validatePorts(d *daemon.Document) []error {
	var faults []error
	_, admin, err := daemon.SplitAddr(c.Admin)
	if err != nil {
		faults = append(faults, d.Fault("admin", "%s", err))
	}
	for _, p := range []struct {
		key   string
		port  int
		moves bool // by offset
	}{
		{"http_port", c.HTTPPort, true},
		{"https_port", c.HTTPSPort, true},
		{"admin", admin, true},
		{"http_proxy_port", c.HTTPProxyPort, false},
		{"https_proxy_port", c.HTTPSProxyPort, false},
		{"membership.local_member_port", c.Membership.LocalMemberPort, false},
	} {
		switch moved := c.moved(p.port); {
		case p.port < 0 || p.port > 65535:
			faults = append(faults, d.Fault(p.key, "is port %d; ports are from 0 to 65535", p.port))
		case p.moves && (moved < 0 || moved > 65535):
			return append(faults, d.Fault("offset", "%d puts %s at port %d; ports are from 0 to 65535", c.Offset, p.key, moved))
		}
	}
	if c.HTTPPort == c.HTTPSPort && c.HTTPPort != 0 {
		faults = append(faults, d.Fault("https_port", "is the same as http_port, %d; each needs a port of its own", c.HTTPPort))
	}
	return faults
}

// weightMost is the largest weight that load balancers count.
const weightMost = 1000

func (c *Config) validateMembership(d *daemon.Document) []error {
	var faults []error
	m := c.Membership
	if m.Domain == "" {
		faults = append(faults, d.Fault("membership.domain", "must not be empty"))
	}
	if m.Weight < 0 || m.Weight > weightMost {
		faults = append(faults, d.Fault("membership.weight", "is %d; weights are from 0 to %d", m.Weight, weightMost))
	}
	if m.LocalMemberHost == "" {
		faults = append(faults, d.Fault("membership.local_member_host", "must name the address that others reach this node at"))
	}
	for i, addr := range m.Members {
		host, port, err := daemon.SplitAddr(addr)
		if err == nil && (host == "" || port == 0) {
			err = fmt.Errorf("%q names no host or no port", addr)
		}
		if err != nil {
			faults = append(faults, d.Fault(fmt.Sprintf("membership.members[%d]", i), "%s", err))
		}
	}
	if m.GossipKeyFile == "" && !m.InsecureGossip && m.LocalMemberHost != "" && !daemon.IsLoopback(m.LocalMemberHost) {
		faults = append(faults, d.Fault("membership.local_member_host", "gossip on %s, beyond this machine, needs a key: set gossip_key_file, "+
			"or write insecure_gossip: true to go without", m.LocalMemberHost))
	}
	if m.GossipKeyFile != "" {
		if _, err := daemon.ReadGossipKeys(m.GossipKeyFile); err != nil {
			faults = append(faults, d.Fault("membership.gossip_key_file", "%s; make one with: registry keys > FILE", err))
		}
	}
	return append(faults, m.validatePolicy(d)...)
}
