package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/freeport"
	"github.com/regent-registry/regent/internal/mariadb"
)

const (
	regUser = "admin"
	// regPassword is that of private servers on loopback, which end with the bench.
	regPassword = "correct horse battery staple"
	regNodes    = 3
)

// regBench is what the runs of `bench registry` share: a folder, the programs and a MariaDB.
type regBench struct {
	regOptions
	dir    string
	self   string
	client *http.Client
	db     *mariadb.Server
	rigs   map[rigName]*regRig // that run now
}

// regRig is running servers and how to reach them.
type regRig struct {
	name      rigName
	addr      string   // where the load goes
	direct    []string // addresses of the nodes
	admins    []string // admin listeners of the nodes
	processes []*child.Process
	database  bool // MariaDB is a part of it
	dbName    string
	dir       string
}

func openRegBench(ctx context.Context, o regOptions) (*regBench, error) {
	b := &regBench{regOptions: o, client: &http.Client{Timeout: time.Minute}, rigs: map[rigName]*regRig{}}
	if err := raiseFileLimit(); err != nil {
		return b, err
	}
	var err error
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if b.dir, err = os.MkdirTemp("", "bench-registry-"); err != nil {
		return b, err
	}
	// As etcd does, a commit waits until the disk has it.
	b.db, err = mariadb.Start(ctx, filepath.Join(b.dir, "mariadb"), "--innodb-flush-log-at-trx-commit=1",
		"--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M")
	return b, err
}

// close ends what runs and removes the folder.
func (b *regBench) close() {
	for _, r := range b.rigs {
		b.stop(context.WithoutCancel(context.Background()), r)
	}
	if b.db != nil {
		b.db.Kill()
	}
	b.client.CloseIdleConnections()
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // in the system's temporary folder, at worst
	}
}

// start starts a rig with nothing in it.
func (b *regBench) start(ctx context.Context, name rigName) (_ *regRig, err error) {
	r := &regRig{name: name}
	b.rigs[name] = r
	defer func() {
		if err != nil {
			err = fmt.Errorf("start %s: %w\n%s", name, err, r.output())
			b.stop(context.WithoutCancel(ctx), r)
		}
	}()
	if r.dir, err = os.MkdirTemp(b.dir, string(name)+"-"); err != nil {
		return nil, err
	}
	switch name {
	case rigNode, rigUngrouped, rigCluster:
		return r, b.startRegistry(ctx, r)
	case rigEtcd, rigGateway:
		return r, b.startEtcd(ctx, r)
	case rigMariaDB:
		r.database = true
		r.dbName, err = b.db.CreateDatabase(ctx)
		r.addr = b.db.DSN(r.dbName)
		return r, err
	case rigHello:
		ports, err := freeport.PickN(1)
		if err != nil {
			return nil, err
		}
		r.addr = loopback(ports[0])
		return r, errors.Join(r.run(b.self, nil, "hello", "-addr", r.addr), b.await(ctx, r, "http://"+r.addr+"/"))
	}
	return nil, fmt.Errorf("no rig is named %s", name)
}

// stop ends a rig and drops what it kept.
func (b *regBench) stop(ctx context.Context, r *regRig) {
	delete(b.rigs, r.name)
	for _, p := range r.processes {
		p.Kill() // what it holds goes with it
	}
	if r.dbName != "" {
		_ = b.db.DropDatabase(ctx, r.dbName) // what is left goes with the server
	}
	_ = os.RemoveAll(r.dir)
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// regSite is what the configuration of a node or of elb is made from.
type regSite struct {
	Name, Dir, DSN             string
	HTTP, HTTPS, Admin, Member int
	Group                      int // the gossip port of elb for the nodes
	Ungrouped                  bool
}

func (b *regBench) startRegistry(ctx context.Context, r *regRig) error {
	nodes := 1
	if r.name == rigCluster {
		nodes = regNodes
	}
	var err error
	if r.dbName, err = b.db.CreateDatabase(ctx); err != nil {
		return err
	}
	r.database = true
	ports, err := freeport.PickN(5 + 4*nodes)
	if err != nil {
		return err
	}
	s := regSite{Name: "elb", Dir: r.dir, HTTP: ports[0], HTTPS: ports[1], Admin: ports[2], Member: ports[3], Group: ports[4]}
	if r.name == rigCluster {
		if err := r.runConfigured(b.elb, s, nil); err != nil {
			return err
		}
		r.addr = loopback(s.HTTP)
	} else {
		s.Group = 0 // a node alone looks for nobody
	}
	s.DSN, s.Ungrouped = "mysql:"+b.db.DSN(r.dbName), r.name == rigUngrouped
	for i := range nodes {
		p := ports[5+4*i:]
		s.Name, s.HTTP, s.HTTPS, s.Admin, s.Member = "node"+strconv.Itoa(i+1), p[0], p[1], p[2], p[3]
		if err := r.runConfigured(b.registry, s, []string{"REGISTRY_ADMIN_PASSWORD=" + regPassword}); err != nil {
			return err
		}
		r.direct, r.admins = append(r.direct, loopback(s.HTTP)), append(r.admins, loopback(s.Admin))
		if err := b.await(ctx, r, "http://"+loopback(s.Admin)+"/readyz"); err != nil {
			return err
		}
	}
	if r.name != rigCluster {
		r.addr = r.direct[0]
		return nil
	}
	return b.awaitMembers(ctx, r, "http://"+loopback(ports[2])+"/members")
}

// runConfigured starts elb or a node by its configuration.
func (r *regRig) runConfigured(program string, s regSite, env []string) error {
	config := "node.yaml"
	if s.Name == "elb" {
		config = "elb.yaml"
	}
	t, err := template.ParseFS(configs, "configs/registry/"+config)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := t.Execute(&text, s); err != nil {
		return err
	}
	file := filepath.Join(r.dir, s.Name+".yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return err
	}
	return r.run(program, env, "-config", file)
}

// run starts a program of the rig; what it says goes to a file.
func (r *regRig) run(program string, env []string, args ...string) error {
	path, err := lookUp(program)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Join(r.dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(path, args...) //nolint:gosec,noctx // a program of our own list; stop ends it
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir}, env...)
	cmd.Stdout, cmd.Stderr = out, out
	p, err := child.Start(cmd)
	if err == nil {
		r.processes = append(r.processes, p)
	}
	return err
}

// output is the end of what the rig's programs said, for people.
func (r *regRig) output() string {
	text, _ := os.ReadFile(filepath.Join(r.dir, "output"))
	return strings.TrimSpace(string(text[max(0, len(text)-2000):]))
}

func (b *regBench) startEtcd(ctx context.Context, r *regRig) error {
	ports, err := freeport.PickN(2)
	if err != nil {
		return err
	}
	client, peer := "http://"+loopback(ports[0]), "http://"+loopback(ports[1])
	r.addr = loopback(ports[0])
	err = r.run("etcd", nil, "--name=bench", "--data-dir="+filepath.Join(r.dir, "data"), "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=bench="+peer, "--logger=zap", "--log-level=error")
	if err != nil {
		return err
	}
	return b.await(ctx, r, client+"/health")
}

// await polls until there is a page.
func (b *regBench) await(ctx context.Context, r *regRig, url string) error {
	return b.poll(ctx, r, func(ctx context.Context) error {
		_, err := b.page(ctx, url)
		return err
	})
}

// page asks for a page under the name that is in the URL; anything but 200 is an error.
func (b *regBench) page(ctx context.Context, url string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Accept", "application/json, text/plain, */*") // elb has a page for browsers, too
	return exchange(b.client, request)
}

// awaitMembers polls until elb has all nodes as active members.
func (b *regBench) awaitMembers(ctx context.Context, r *regRig, url string) error {
	return b.poll(ctx, r, func(ctx context.Context) error {
		a, err := b.page(ctx, url)
		if err != nil {
			return err
		}
		if n := bytes.Count(a.body, []byte(`"state":"active"`)) + bytes.Count(a.body, []byte(`"state": "active"`)); n != regNodes {
			return fmt.Errorf("elb has %d active members: %s", n, a.body)
		}
		return nil
	})
}

func (b *regBench) poll(ctx context.Context, r *regRig, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		for _, p := range r.processes {
			if !p.Running() {
				return fmt.Errorf("a program ended at its start: %w", errors.Join(p.Err(), err))
			}
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}

// cpu is what the server processes of the rig have used so far, MariaDB not counted.
func (b *regBench) cpu(r *regRig) (time.Duration, error) {
	var sum time.Duration
	for _, p := range r.processes {
		t, err := treeTime(p.PID())
		if err != nil {
			return 0, err
		}
		sum += t
	}
	return sum, nil
}

// statements are those that the rig's nodes have sent to the database so far.
func (b *regBench) statements(ctx context.Context, r *regRig) (float64, error) {
	var sum float64
	for _, admin := range r.admins {
		a, err := b.page(ctx, "http://"+admin+"/metrics")
		if err != nil {
			return 0, err
		}
		n, err := sumOf(a.body, "registry_store_statements_total{", `store="shared"`)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// sumOf adds the samples of a metric whose labels have that pair.
func sumOf(text []byte, metric, pair string) (float64, error) {
	var sum float64
	for line := range strings.Lines(string(text)) {
		labels, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if !ok || !strings.HasPrefix(labels, metric) || !strings.Contains(labels, pair) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
