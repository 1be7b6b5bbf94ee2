package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/mariadb"
)

const (
	// joinTimeout is how long three nodes may take from nothing to active members, first start of a database included.
	joinTimeout = 60 * time.Second
	// stopTimeout is how long a process may take to finish what it is doing; it is longer than the drain timeout of the nodes.
	stopTimeout = 40 * time.Second

	balancer = "elb"
	mariaDB  = "mariadb"
	database = "regent_governance" // in the private MariaDB

	storeDSN  = "REGISTRY_STORE_DSN"         // what the user sets
	sharedDSN = "REGISTRY_STORES_SHARED_DSN" // what the nodes read
)

var nodes = []string{"node1", "node2", "node3"}

// cluster is the programs of one run. One goroutine calls run, then stop.
type cluster struct {
	options
	out   *console
	parts []*part    // in order of their start
	ended chan *part // has room for all of them: each is in it at most once
}

func newCluster(o options, stdout io.Writer) *cluster {
	return &cluster{options: o, out: newConsole(stdout, append([]string{balancer}, nodes...)), ended: make(chan *part, 2+len(nodes))}
}

// run starts everything, says where it is, and keeps it up until ctx ends. Before it is up, a program that ends is an error.
func (c *cluster) run(ctx context.Context) error {
	elb, _, err := elbd.LoadConfig(filepath.Join(c.configs, balancer+".yaml"), c.environ)
	if err != nil {
		return err
	}
	if err := unused(elb.Admin); err != nil {
		return err
	}
	environ, err := c.nodeEnvironment(ctx)
	if err != nil {
		return err
	}
	if err := c.start(ctx, balancer, c.newService(balancer, "elb", c.environ)); err != nil {
		return err
	}
	for _, name := range nodes {
		if err := c.start(ctx, name, c.newService(name, "registry", c.environmentOf(name, environ))); err != nil {
			return err
		}
	}
	members, err := c.awaitMembers(ctx, elb.Admin)
	if err != nil {
		return err
	}
	c.greet(elb, c.whereThePasswordIs(ctx, members))
	return c.keepUp(ctx)
}

// unused tells of another process at the load balancer's admin address: its members would be taken for ours.
func unused(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%w: perhaps a cluster runs in another folder; stop it first", err)
	}
	return l.Close()
}

// nodeEnvironment is the environment of the nodes; with -mysql it names the shared store, which is made ready here.
func (c *cluster) nodeEnvironment(ctx context.Context) ([]string, error) {
	switch {
	case !c.mysql && c.storeDSN != "":
		c.out.say(storeDSN + " is set, and not used: only `make run-mysql` uses it")
		return c.environ, nil
	case !c.mysql:
		return c.environ, nil
	case c.storeDSN != "":
		c.out.say(storeDSN + " is given to the nodes as " + sharedDSN)
		return with(c.environ, sharedDSN+"=mysql:"+strings.TrimPrefix(c.storeDSN, "mysql:")), nil
	}
	c.out.say("starting a private MariaDB in " + filepath.Join(c.state, "mariadb"))
	// Here, other than in tests, a commit survives a power loss.
	server, err := mariadb.Start(ctx, filepath.Join(c.state, "mariadb"), "--innodb-flush-log-at-trx-commit=1")
	if err != nil {
		return nil, err
	}
	c.watch(c.add(mariaDB, server))
	if err := server.EnsureDatabase(ctx, database); err != nil {
		return nil, err
	}
	return with(c.environ, sharedDSN+"=mysql:"+server.DSN(database)), nil
}

// environmentOf is the environment of one node: with -mysql it keeps its state apart from that of `make run`, which is of another store.
func (c *cluster) environmentOf(node string, environ []string) []string {
	if !c.mysql {
		return environ
	}
	state := c.nodeState(node)
	return with(environ, "REGISTRY_STATE_DIR="+state, "REGISTRY_STORES_LOCAL_DSN=sqlite:"+filepath.Join(state, "local.db"))
}

// nodeState is the folder of a node's state.
func (c *cluster) nodeState(node string) string {
	if c.mysql {
		return filepath.Join(c.state, "mysql", node)
	}
	return filepath.Join(c.state, node)
}

func (c *cluster) start(ctx context.Context, name string, program program) error {
	if err := program.Restart(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	c.watch(c.add(name, program))
	return nil
}

// add takes a program that has just been started.
func (c *cluster) add(name string, program program) *part {
	p := &part{program: program, name: name, began: time.Now()}
	c.parts = append(c.parts, p)
	return p
}

// watch reports the end of a part's last start.
func (c *cluster) watch(p *part) {
	done := p.Done()
	go func() { // ends with the program, which stop waits for
		<-done
		c.ended <- p
	}()
}

// keepUp starts again what ends, until somebody asks to stop.
func (c *cluster) keepUp(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-c.ended:
			c.rest(p, deathOf(p))
		case <-timer.C:
			c.startDue(ctx)
		}
		if next, ok := c.nextDue(); ok {
			timer.Reset(time.Until(next))
		}
	}
}

// rest says what happened to a part and when it is started again.
func (c *cluster) rest(p *part, why error) {
	p.rest()
	c.out.say(fmt.Sprintf("%v; starting it again in %v", why, p.pause))
}

func (c *cluster) startDue(ctx context.Context) {
	for _, p := range c.parts {
		if p.due.IsZero() || time.Now().Before(p.due) {
			continue
		}
		p.began = time.Now()
		if err := p.Restart(ctx); err != nil {
			if ctx.Err() == nil { // else it is the end of everything that kept it from starting
				c.rest(p, fmt.Errorf("%s: %w", p.name, err))
			}
			continue
		}
		p.due = time.Time{}
		c.watch(p)
		c.out.say(p.name + " started again")
	}
}

// nextDue is when the next start is due, if one is.
func (c *cluster) nextDue() (next time.Time, ok bool) {
	for _, p := range c.parts {
		if !p.due.IsZero() && (!ok || p.due.Before(next)) {
			next, ok = p.due, true
		}
	}
	return next, ok
}

// stop ends the nodes at once, then the load balancer, which served for them to the last, then the database.
func (c *cluster) stop() error {
	if len(c.parts) > 0 {
		c.out.say("stopping; Ctrl-C again ends everything at once")
	}
	return errors.Join(c.stopAll(nodes...), c.stopAll(balancer), c.stopAll(mariaDB))
}

func (c *cluster) stopAll(names ...string) error {
	faults := make([]error, len(c.parts))
	var all sync.WaitGroup
	for i, p := range c.parts {
		if !slices.Contains(names, p.name) || !p.running() {
			continue // the end of one that does not run has been reported
		}
		all.Go(func() {
			if err := p.Stop(); err != nil {
				faults[i] = fmt.Errorf("%s: %w", p.name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}

// greet tells where the cluster is.
func (c *cluster) greet(elb elbd.Config, password string) {
	c.out.say(
		"",
		"The cluster is up: three active members behind the load balancer.",
		fmt.Sprintf("  console   https://governance.localhost:%d/console/  or  http://governance.localhost:%d/console/", elb.HTTPSPort, elb.HTTPPort),
		"  user      "+c.adminUser,
		"  password  "+password,
		"  members   http://"+elb.Admin+"/members",
		"  CA        "+elb.TLS.DevCADir+"/ca.pem signs the certificate: trust it, or accept the browser's warning",
		"Ctrl-C stops it; the state stays in "+c.state+"/ and `make clean` removes it.",
		"",
	)
}
