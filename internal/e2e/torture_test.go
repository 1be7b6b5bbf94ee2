package e2e_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/e2e"
)

// TestTorture_HistoryIsLinearizable lets 32 clients change and read 16 paths on three nodes, directly and through the load balancer, while nodes are
// killed and frozen and the database server is restarted and killed: what they saw must be what one registry could have shown them that did one thing
// after the other, every change whose outcome was unknown must become known when it is repeated, and all that was acknowledged must be there.
// REGENT_TORTURE=10m says how long; otherwise each fault happens once.
func TestTorture_HistoryIsLinearizable(t *testing.T) {
	slow(t)
	e2e.OnEachDatabase(t, func(t *testing.T, db e2e.Database) {
		c := e2e.StartCluster(t, e2e.Options{Database: db})
		faults := []func(*testing.T, *e2e.Cluster){freezeNode, killNode, killTwo}
		if db.Server != nil {
			faults = append(faults, restartDatabase, killDatabase)
		}
		long := tortureTime(t)
		began := time.Now()
		torture := e2e.StartTorture(t, c)
		for again := true; again && !t.Failed(); again = time.Since(began) < long {
			rand.Shuffle(len(faults), func(i, j int) { faults[i], faults[j] = faults[j], faults[i] })
			for _, fault := range faults {
				leave(time.Second)
				fault(t, c)
				c.AwaitReady()
			}
			leave(time.Second)
			if long > 0 {
				torture.EndPeriod()
			}
		}
		torture.AwaitEach(5)
		torture.Finish()
	})
}

// tortureTime is how long to go on; 0 for the short form.
func tortureTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("REGENT_TORTURE")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// leave lets the clients work: how long a fault lasts is part of the fault, and there is no event to wait for.
func leave(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

func someNode(c *e2e.Cluster) *e2e.Node { return c.Nodes[rand.IntN(len(c.Nodes))] }

// freezeNode stops a node where it is, perhaps in the middle of a transaction, for longer than the database lets it hold the write turn, or shorter.
func freezeNode(_ *testing.T, c *e2e.Cluster) {
	n := someNode(c)
	n.Freeze()
	leave(time.Second + rand.N(6*time.Second))
	n.Thaw()
}

func killNode(_ *testing.T, c *e2e.Cluster) {
	n := someNode(c)
	n.Kill()
	leave(rand.N(3 * time.Second))
	n.Start()
}

// killTwo leaves one node, at once.
func killTwo(_ *testing.T, c *e2e.Cluster) {
	spared := rand.IntN(len(c.Nodes))
	for i, n := range c.Nodes {
		if i != spared {
			n.Kill()
		}
	}
	leave(rand.N(time.Second))
	for i, n := range c.Nodes {
		if i != spared {
			n.Start()
		}
	}
}

func restartDatabase(t *testing.T, c *e2e.Cluster) {
	if err := c.Database.Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func killDatabase(t *testing.T, c *e2e.Cluster) {
	c.Database.Server.Kill()
	leave(rand.N(2 * time.Second))
	if err := c.Database.Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
