package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/freeport"
)

const (
	startTimeout = 15 * time.Second
	stopTimeout  = 5 * time.Second
)

// probePath is what members answer and proxies are known to forward by.
const probePath = "/1k"

//go:embed configs
var configs embed.FS

// proxy is one of those that are compared: its program, its configuration and how both come together.
type proxy struct {
	name    string
	program string // a path, or a name to look up
	config  string // in configs
	probe   string // the path of a request that shows that it forwards
	args    func(config string) []string
	version []string // arguments that make the program tell its version
	splice  bool     // HAProxy's option splice-response
	logs    bool     // writes a line for each request to its standard output
	only    []string // names of scenarios; all when empty
}

// proxies are all there are. elb is the path of the load balancer's program.
func proxies(elb string) []proxy {
	haproxy := proxy{
		name: "haproxy", probe: probePath, program: "haproxy", config: "haproxy.cfg", version: []string{"-v"},
		args: func(c string) []string { return []string{"-db", "-q", "-f", c} },
	}
	splicing := haproxy
	splicing.name, splicing.splice, splicing.only = "haproxy-splice", true, []string{"64k", "1m"}
	return []proxy{
		{
			name: "elb", probe: probePath, program: elb, config: "elb.yaml", version: []string{"version"}, logs: true,
			args: func(c string) []string { return []string{"-config", c} },
		},
		{
			name: "nginx", probe: probePath, program: "nginx", config: "nginx.conf", version: []string{"-v"},
			args: func(c string) []string {
				return []string{"-c", c, "-p", filepath.Dir(c), "-e", filepath.Join(filepath.Dir(c), "error.log")}
			},
		},
		haproxy,
		splicing,
		{
			name: "caddy", probe: probePath, program: "caddy", config: "Caddyfile", version: []string{"version"},
			args: func(c string) []string { return []string{"run", "--config", c, "--adapter", "caddyfile"} },
		},
	}
}

// runs tells whether the proxy takes part in a scenario.
func (p proxy) runs(s scenario) bool { return len(p.only) == 0 || slices.Contains(p.only, s.Name) }

// lookUp finds a program, also in the folder of system programs that a user's PATH may lack.
func lookUp(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if sbin, err := exec.LookPath(filepath.Join("/usr/sbin", program)); err == nil {
			return sbin, nil
		}
		return "", fmt.Errorf("%w; `make bench-lb` installs the rivals and builds elb", err)
	}
	return filepath.Abs(path)
}

// site is what a configuration is made from.
type site struct {
	Dir                        string
	HTTP, HTTPS, Admin, Gossip int
	Members                    []string
	Cert, Key, Both            string // files; Both holds certificate and key
	Host, Cipher               string
	Splice                     bool
	Group, Peer                int // of elb: the gossip port of the members' domain, and that of the other elb, if there is one
}

func (s site) addr(tls bool) string {
	port := s.HTTP
	if tls {
		port = s.HTTPS
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// instance is a running proxy. One goroutine uses it.
type instance struct {
	proxy
	site
	process *child.Process
	output  *os.File // its standard output and error
}

// start starts a proxy with a folder and ports of its own, and returns when it forwards requests.
func (w *workspace) start(ctx context.Context, p proxy) (*instance, error) {
	dir, err := os.MkdirTemp(w.dir, p.name+"-")
	if err != nil {
		return nil, err
	}
	ports, err := freeport.PickN(4)
	if err != nil {
		return nil, err
	}
	return launch(ctx, p, site{
		Dir: dir, HTTP: ports[0], HTTPS: ports[1], Admin: ports[2], Gossip: ports[3], Members: w.memberAddrs(),
		Cert: w.cert.cert, Key: w.cert.key, Both: w.cert.both, Host: host, Cipher: cipher, Splice: p.splice,
	})
}

// launch starts a proxy in the folder of its site, and returns when it forwards requests.
func launch(ctx context.Context, p proxy, s site) (_ *instance, err error) {
	program, err := lookUp(p.program)
	if err != nil {
		return nil, err
	}
	i := &instance{proxy: p, site: s}
	config, err := i.configure()
	if err != nil {
		return nil, err
	}
	if i.output, err = os.Create(filepath.Join(s.Dir, "output")); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, p.args(config)...) //nolint:gosec,noctx // a program of our own list; stop ends it
	// Nothing of the user's environment configures a proxy, and what it keeps stays in the folder.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir, "XDG_DATA_HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir}
	cmd.Stdout, cmd.Stderr = i.output, i.output
	passOn(cmd)
	if i.process, err = child.Start(cmd); err != nil {
		return nil, err
	}
	if err := i.awaitReady(ctx); err != nil {
		said := i.lastOutput()
		i.stop()
		return nil, fmt.Errorf("%s: %w\n%s", p.name, err, said)
	}
	return i, nil
}

// configure writes the configuration and gives its path.
func (i *instance) configure() (string, error) {
	t, err := template.ParseFS(configs, "configs/"+i.config)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, i.site); err != nil {
		return "", err
	}
	file := filepath.Join(i.Dir, filepath.Base(i.config))
	return file, os.WriteFile(file, text.Bytes(), 0o600)
}

// awaitReady returns when a request passes through.
func (i *instance) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := get(ctx, client, "http://"+i.addr(false)+i.probe)
		if err == nil {
			return nil
		}
		select {
		case <-i.process.Done():
			return fmt.Errorf("ended at its start: %w", i.process.Err())
		case <-ctx.Done():
			return fmt.Errorf("forwards no request after %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

// stop ends the proxy and all its processes, and removes its folder.
func (i *instance) stop() {
	tree, _ := processTree(i.process.PID()) // empty when it has ended already
	_ = i.process.Stop(stopTimeout)         // how it ends is not what is measured; it is gone in any case
	killLeft(tree)
	_ = i.output.Close()
	_ = os.RemoveAll(i.Dir) // what is left goes with the workspace
}

// lastOutput is the end of what the proxy said, for people.
func (i *instance) lastOutput() string {
	text, _ := os.ReadFile(i.output.Name())
	if own, err := os.ReadFile(filepath.Join(i.Dir, "error.log")); err == nil {
		text = append(text, own...)
	}
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

// loggedLines counts the lines that the proxy has written.
func (i *instance) loggedLines() (int64, error) {
	f, err := os.Open(i.output.Name())
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return countLines(f)
}
