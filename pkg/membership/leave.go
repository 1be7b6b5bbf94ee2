package membership

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// The bounds of a leave, each cut shorter by the caller's context.
const (
	drainTellTimeout = 1 * time.Second // until peers were told that this process is draining
	leaveTellTimeout = 3 * time.Second // until peers were told that it leaves
	propagateRounds  = 2               // gossip rounds that it goes on answering, while the news travels
	balancersTimeout = 500 * time.Millisecond
)

// Leave says that this process is draining, if that was not said, then that it leaves, then closes the sockets and ends the subscriptions. It
// takes two seconds with peers and no time without, and never longer than ctx: when ctx ends first, Leave returns its error, and the sockets
// are closed in the background at most three seconds later. Later calls wait for the first and return what it returned. An error means
// that peers may not have been told and will find out by themselves; the group is shut down all the same.
func (g *Group) Leave(ctx context.Context) error {
	g.leaving.Do(func() {
		close(g.ending)
		go func() {
			g.leaveErr = g.leave(ctx)
			close(g.left)
		}()
	})
	select {
	case <-g.left:
		return g.leaveErr
	case <-ctx.Done():
		select {
		case <-g.left: // both at once: the result counts
			return g.leaveErr
		default:
			return fmt.Errorf("leave %s: %w", g.view.domain, ctx.Err())
		}
	}
}

func (g *Group) leave(ctx context.Context) error {
	g.stop() // no more joining
	told := g.tell(ctx)
	down := g.list.Shutdown()
	g.running.Wait()
	g.metrics.unregister()
	g.view.hub.close()
	if err := errors.Join(told, down); err != nil {
		return fmt.Errorf("leave %s: %w", g.view.domain, err)
	}
	return nil
}

// tell announces draining and leaving, as far as ctx lets it. Without peers both return at once.
func (g *Group) tell(ctx context.Context) error {
	alone := g.view.others.Load() == 0
	// That peers were not told of draining in time is no reason to stop here: the leave that follows says more.
	if err := g.announceState(ctx, StateDraining, drainTellTimeout, nil); err != nil {
		g.log.DebugContext(ctx, "draining not announced", "error", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	timeout := leaveTellTimeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(deadline), time.Millisecond))
	}
	if err := g.list.Leave(timeout); err != nil || alone {
		return err
	}
	select {
	case <-time.After(propagateRounds * g.interval):
	case <-ctx.Done():
	}
	return nil
}

// tellBalancers tells every load balancer in sight the state of this process itself, over a stream. Gossip takes some rounds, more when there is much
// to tell, as when all members of a group are restarted, and a load balancer that did not hear yet goes on sending requests. It waits for the answers for
// half a second at most.
func (g *Group) tellBalancers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, balancersTimeout)
	defer cancel()
	var told sync.WaitGroup
	for _, m := range g.Members() {
		ip, err := netip.ParseAddr(m.Host)
		if !m.Balancer || m.ID == g.Local().ID || err != nil {
			continue
		}
		addr := netip.AddrPortFrom(ip, uint16(m.Port))
		told.Go(func() {
			if err := g.ask(addr); err != nil {
				g.log.DebugContext(ctx, "load balancer not told of draining", "id", m.ID, "name", m.Name, "error", err)
			}
		})
	}
	all := make(chan struct{})
	go func() {
		told.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-ctx.Done(): // one does not answer: gossip tells it when it does again
	}
}
