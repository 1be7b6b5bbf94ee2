package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/internal/child"
	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/mariadb"
)

const (
	// joinTimeout is how long three nodes may take from nothing to active members, first start of a database included.
	joinTimeout = 60 * time.Second
	// stopTimeout is how long a process may take to finish what it is doing; it is longer than the drain timeout of the nodes.
	stopTimeout = 40 * time.Second

	database = "regent_governance" // in the private MariaDB
)

var nodes = []string{"node1", "node2", "node3"}

// cluster is the processes of one run. One goroutine calls run, then stop.
type cluster struct {
	options
	out       *console
	processes []*process // in order of their start
	database  *mariadb.Server
	died      chan *process // has room for all of them
}

// process is a member of the cluster that was started.
type process struct {
	*child.Process
	name string
}

func newCluster(o options, stdout io.Writer) *cluster {
	return &cluster{options: o, out: newConsole(stdout, append([]string{"elb"}, nodes...)), died: make(chan *process, 1+len(nodes))}
}

// run starts everything, says where it is, and returns when ctx ends or a process does.
func (c *cluster) run(ctx context.Context) error {
	elb, _, err := elbd.LoadConfig(filepath.Join(c.configs, "elb.yaml"), c.environ)
	if err != nil {
		return err
	}
	environ, err := c.nodeEnvironment(ctx)
	if err != nil {
		return err
	}
	if err := c.start("elb", "elb", "elb.yaml", c.environ); err != nil {
		return err
	}
	for _, name := range nodes {
		own := environ
		if c.mysql {
			own = append(own[:len(own):len(own)], "REGISTRY_STATE_DIR="+filepath.Join(c.state, "mysql", name))
		}
		if err := c.start(name, "registry", name+".yaml", own); err != nil {
			return err
		}
	}
	if err := c.awaitMembers(ctx, elb.Admin); err != nil {
		return err
	}
	c.greet(elb)
	return c.wait(ctx)
}

// nodeEnvironment is the environment of the nodes; with -mysql it names the shared store, which is made ready here.
func (c *cluster) nodeEnvironment(ctx context.Context) ([]string, error) {
	if !c.mysql {
		return c.environ, nil
	}
	dsn := strings.TrimPrefix(c.storeDSN, "mysql:")
	if dsn == "" {
		c.out.say("starting a private MariaDB in " + filepath.Join(c.state, "mariadb"))
		// Here, other than in tests, a commit survives a power loss.
		server, err := mariadb.Start(ctx, filepath.Join(c.state, "mariadb"), "--innodb-flush-log-at-trx-commit=1")
		if err != nil {
			return nil, err
		}
		c.database = server
		if err := server.EnsureDatabase(ctx, database); err != nil {
			return nil, err
		}
		dsn = server.DSN(database)
	}
	return append(c.environ[:len(c.environ):len(c.environ)], "REGISTRY_STORES_SHARED_DSN=mysql:"+dsn), nil
}

func (c *cluster) start(name, program, config string, environ []string) error {
	//nolint:gosec,noctx // the programs are those that make built; stop ends them in order, which a context could not
	cmd := exec.Command(filepath.Join(c.bin, program), "-config", filepath.Join(c.configs, config))
	log := c.out.writer(name)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, log, log
	started, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("%s: %w; `make build` makes the programs", name, err)
	}
	p := &process{started, name}
	c.processes = append(c.processes, p)
	go func() { // ends with the process, which stop waits for
		<-p.Done()
		c.died <- p
	}()
	return nil
}

// wait returns when somebody asks to stop, or with an error when a process ends by itself.
func (c *cluster) wait(ctx context.Context) error {
	select {
	case p := <-c.died:
		return deathOf(p)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func deathOf(p *process) error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s ended: %w", p.name, err)
	}
	return fmt.Errorf("%s ended by itself", p.name)
}

// stop ends the nodes at once, then the load balancer, which served for them to the last, then the database.
func (c *cluster) stop() error {
	c.out.say("stopping; Ctrl-C again ends everything at once")
	var balancers, rest []*process
	for _, p := range c.processes {
		if p.name == "elb" {
			balancers = append(balancers, p)
		} else {
			rest = append(rest, p)
		}
	}
	err := errors.Join(stopAll(rest), stopAll(balancers))
	if c.database != nil {
		err = errors.Join(err, c.database.Stop())
	}
	return err
}

func stopAll(list []*process) error {
	faults := make([]error, len(list))
	var all sync.WaitGroup
	for i, p := range list {
		if !p.Running() {
			continue // it has been reported
		}
		all.Go(func() {
			if err := p.Stop(stopTimeout); err != nil {
				faults[i] = fmt.Errorf("%s: %w", p.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// greet tells where the cluster is.
func (c *cluster) greet(elb elbd.Config) {
	c.out.say(
		"",
		"The cluster is up: three active members behind the load balancer.",
		fmt.Sprintf("  console   https://governance.localhost:%d/console/  or  http://governance.localhost:%d/console/", elb.HTTPSPort, elb.HTTPPort),
		"  user      "+c.adminUser,
		"  password  "+c.whereThePasswordIs(),
		"  members   http://"+elb.Admin+"/members",
		"  CA        "+elb.TLS.DevCADir+"/ca.pem signs the certificate: trust it, or accept the browser's warning",
		"Ctrl-C stops it; the state stays in "+c.state+"/ and `make clean` removes it.",
		"",
	)
}

func (c *cluster) whereThePasswordIs() string {
	state := c.state
	if c.mysql {
		state = filepath.Join(state, "mysql")
	}
	files, _ := filepath.Glob(filepath.Join(state, "*", "admin-password")) // the pattern is well-formed
	switch {
	case len(files) > 0:
		return "in " + strings.Join(files, " or ")
	case lookup(c.environ, "REGISTRY_ADMIN_PASSWORD") != "":
		return "the REGISTRY_ADMIN_PASSWORD of this store's first start"
	}
	return "the one from this store's first start"
}

// lookup reads a variable of an environment, "" when it is not set.
func lookup(environ []string, name string) string {
	for _, e := range environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// isTerminal tells whether output goes to a person's screen.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
