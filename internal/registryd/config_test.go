package registryd

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/daemon"
)

func loadText(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registry.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := LoadConfig(file, environ)
	return c, err
}

func TestLoadConfig_DefaultsMakeASingleNode(t *testing.T) {
	c, _, err := LoadConfig("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.httpAddr() != "127.0.0.1:9763" || c.httpsAddr() != "127.0.0.1:9443" {
		t.Errorf("serves on %s and %s", c.httpAddr(), c.httpsAddr())
	}
	if got := c.Stores["shared"].DSN.Reveal(); got != "sqlite:run/registry/registry.db" {
		t.Errorf("shared store %s", got)
	}
	if len(c.Mounts) != 3 || c.Mounts[2].TargetPath != "/_system/governance" {
		t.Errorf("mounts %v", c.Mounts)
	}
}

func TestLoadConfig_OffsetMovesServiceAndAdminPorts(t *testing.T) {
	c, err := loadText(t, "offset: 2\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.httpAddr() != "127.0.0.1:9765" || c.httpsAddr() != "127.0.0.1:9445" || c.adminAddr() != "127.0.0.1:9782" {
		t.Errorf("got %s, %s, %s", c.httpAddr(), c.httpsAddr(), c.adminAddr())
	}
}

func TestLoadConfig_EnvironmentSetsTheStore(t *testing.T) {
	c, err := loadText(t, "stores:\n  shared: {dsn: \"sqlite:x\"}\n", "REGISTRY_STORES_SHARED_DSN=mysql:u:p@tcp(127.0.0.1:3306)/db")
	if err != nil || !strings.HasPrefix(c.Stores["shared"].DSN.Reveal(), "mysql:") {
		t.Errorf("%v, %v", c.Stores["shared"].DSN.Reveal(), err)
	}
}

func TestLoadConfig_FaultsNameLineKeyAndCure(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"port out of range", "http_port: 65535\noffset: 1\n", "registry.yaml:2: offset: 1 puts http_port at port 65536"},
		{"SQLite over hosts", "membership:\n  members: [\"10.0.0.9:4321\"]\n", "SQLite is a file of one host, but "},
		{"SQLite over hosts names the member", "membership:\n  members: [\"10.0.0.9:4321\"]\n", "registry.yaml:2 names 10.0.0.9:4321"},
		{"member without port", "membership:\n  members: [\"127.0.0.1\"]\n", "registry.yaml:2: membership.members[0]: \"127.0.0.1\" is not of the form host:port"},
		{"member port", "membership:\n  members: [\"127.0.0.1:x\"]\n", "membership.members[0]: \"127.0.0.1:x\" has no port from 0 to 65535"},
		{"gossip beyond loopback without a key", "membership: {local_member_host: 10.0.0.3}\n", "registry.yaml:1: membership.local_member_host: gossip on 10.0.0.3, beyond this machine, needs a key"},
		{"admin port", "admin: 127.0.0.1:99999\n", "registry.yaml:1: admin: \"127.0.0.1:99999\" has no port"},
		{"one port for both", "http_port: 9000\nhttps_port: 9000\n", "registry.yaml:2: https_port: is the same as http_port"},
		{"short password", "admin_password: abc\n", "registry.yaml:1: admin_password: "},
		{"user name for Basic", "admin_user: \"a:b\"\n", "registry.yaml:1: admin_user: "},
		{"short passwords", "passwords: {min_length: 4}\n", "registry.yaml:1: passwords.min_length: is 4; it must be 8 to 1024"},
		{"classes of passwords", "passwords:\n  min_classes: 5\n", "registry.yaml:2: passwords.min_classes: is 5; it must be 1 to 4"},
		{"no guesses", "passwords:\n  guesses: 0\n", "registry.yaml:2: passwords.guesses: is 0"},
		{"weight", "membership:\n  weight: 1001\n", "registry.yaml:2: membership.weight: is 1001; weights are from 0 to 1000"},
		{"negative drain", "drain_timeout: -1s\n", "registry.yaml:1: drain_timeout: is -1s"},
		{"two dsns", "stores:\n  shared: {dsn: \"sqlite:a\", dsn_file: b}\n", "registry.yaml:2: stores.shared.dsn_file: dsn is set as well"},
		{"malformed dsn", "stores:\n  shared: {dsn: \"mysql:bad\"}\n", "registry.yaml:2: stores.shared.dsn: the database address after"},
		{"unknown dsn", "stores:\n  shared: {dsn: \"postgres:x\"}\n", "registry.yaml:2: stores.shared.dsn: the database address begins with \"postgres\""},
		{"mount of no store", "mounts:\n  - {path: /a, store: nowhere}\n", "registry.yaml:2: mounts[0].store: no store is named \"nowhere\"; there are local, shared"},
		{"mount twice", "mounts:\n  - {path: /a, store: shared}\n  - {path: /a, store: local}\n", "registry.yaml:3: mounts[1].path: /a is mounted twice"},
		{"transfer timeout", "transfer_timeout: 10ms\n", "registry.yaml:1: transfer_timeout: is 10ms; it must be at least 1s"},
		{"overwrite", "mounts:\n  - path: /a\n    store: shared\n    overwrite: virtually\n", "registry.yaml:4: mounts[0].overwrite: \"virtually\" is none of true, false, virtual"},
		{"overwrite as YAML 1.1 has it", "mounts:\n  - {path: /a, store: shared, overwrite: yes}\n", "registry.yaml:2: mounts[0].overwrite: \"yes\" is none of"},
		{"overwrite a list", "mounts:\n  - {path: /a, store: shared, overwrite: [true]}\n", "registry.yaml:2: mounts[0].overwrite: must be a text, not a list"},
		{"bad mount path", "mounts:\n  - {path: /a/../b, store: shared}\n", "mounts[0].path: \"/a/../b\" is not a path of the registry: path has the name"},
		{"certificate file missing", "tls: {cert_file: /nowhere.pem, key_file: /nowhere.key}\n", "registry.yaml:1: tls.cert_file: cannot read the file"},
		{"key without certificate", "tls: {key_file: /nowhere.key}\n", "cert_file and key_file go together"},
		{"log level", "log: {level: loud}\n", "registry.yaml:1: log.level: \"loud\" is none of"},
		{"trusted proxy", "trusted_proxies: [here]\n", "trusted_proxies[0]: \"here\" is neither an IP address nor a CIDR range"},
		{"user store", "user_store: x\n", "registry.yaml:1: user_store: no store is named \"x\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := loadText(t, tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestLoadConfig_NeverShowsAPassword(t *testing.T) {
	c, err := loadText(t, "stores:\n  shared: {dsn: \"mysql:u:hidden-word@tcp(h:1)/db\"}\nadmin_password: hidden-word\nhttp_port: -1\n")
	if err == nil || strings.Contains(err.Error(), "hidden-word") {
		t.Errorf("error %v", err)
	}
	var s strings.Builder
	log := slog.New(slog.NewJSONHandler(&s, nil))
	log.Info("x", "config", c.Stores, "password", daemon.Secret("hidden-word"))
	if strings.Contains(s.String(), "hidden-word") {
		t.Error("the log shows it")
	}
}

func TestLoadConfig_ConsoleTextsAreSound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "de.yaml")
	for text, want := range map[string]string{
		"language: de\ntexts: {Cancel: Abbrechen}\n":    "",
		"language: de\ntexts: {\"Delete {1}?\": weg}\n": "registry.yaml:1: console_texts: " + file + ": texts: \"Delete {1}?\": it has {1} 0 times; the English text has it 1 times",
		"language: nonsense!\n":                         "language tag",
		"Cancel: Abbrechen\n":                           "it is no catalogue",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadText(t, "console_texts: "+file+"\n"); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := loadText(t, "console_texts: /nowhere/de.yaml\n"); err == nil || !strings.Contains(err.Error(), "/nowhere/de.yaml: no such file") {
		t.Error(err)
	}
}

func TestLoadConfig_FetchHostsAreHosts(t *testing.T) {
	c, err := loadText(t, "fetch_hosts: [example.org, \"*.example.org:8443\", 10.0.0.0/8, \"::1\"]\n")
	if err != nil || len(c.FetchHosts) != 4 {
		t.Errorf("%v: %v", c.FetchHosts, err)
	}
	_, err = loadText(t, "fetch_hosts:\n  - example.org\n  - https://example.org/\n")
	if err == nil || !strings.Contains(err.Error(), "registry.yaml:3: fetch_hosts[1]: \"https://example.org/\" is no host to fetch from") {
		t.Error(err)
	}
}
