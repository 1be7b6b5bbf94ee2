package registryd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// startJobs begins what a node does on its own account. The returned function ends it and waits for that.
func (n *node) startJobs(ctx context.Context) func() {
	ctx, end := context.WithCancel(ctx)
	var jobs sync.WaitGroup
	jobs.Go(func() { n.recoverTransfers(ctx) })
	jobs.Go(func() { n.sweepStars(ctx) })
	jobs.Go(func() { n.announce(ctx) })
	jobs.Go(func() { n.doctor.attend(ctx, n.book) })
	jobs.Go(func() { n.service.NewCourier().Run(ctx) })
	jobs.Go(func() { n.samples.take(ctx) })
	jobs.Go(func() { n.post.run(ctx) })
	if n.config.RetentionInterval > 0 {
		jobs.Go(func() { n.retain(ctx) })
	}
	return func() {
		end()
		jobs.Wait()
	}
}

// recoverTransfers ends, now and again and again, the moves to other stores that nobody is at any more.
func (n *node) recoverTransfers(ctx context.Context) {
	tick := time.NewTicker(n.config.TransferTimeout / 2)
	defer tick.Stop()
	for {
		noted := n.book.begin(jobTransfers, "", time.Now().Add(n.config.TransferTimeout/2))
		ended, err := n.service.RecoverTransfers(ctx)
		noted(fmt.Sprintf("ended %d", ended), err)
		if err != nil && ctx.Err() == nil {
			n.log.WarnContext(ctx, "moves to other stores could not be ended", "error", err)
		}
		if ended > 0 {
			n.log.InfoContext(ctx, "ended moves to other stores that stood still", "count", ended)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const (
	// starsEvery is how often a node looks for stars of users who are gone.
	starsEvery = time.Hour
	starsLimit = time.Minute
)

// sweepStars takes away, now and then, the stars of users who are gone: another node removed them, and what only this one has it could not reach.
func (n *node) sweepStars(ctx context.Context) {
	for {
		pause := starsEvery/2 + rand.N(starsEvery)
		n.book.due(jobStars, time.Now().Add(pause))
		due := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		}
		n.sweepStarsOnce(ctx)
	}
}

func (n *node) sweepStarsOnce(ctx context.Context) {
	ended := n.book.begin(jobStars, "", time.Time{})
	limited, cancel := context.WithTimeout(ctx, starsLimit)
	defer cancel()
	count, err := n.service.SweepStars(limited)
	if err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "stars of users who are gone were not removed", "error", err)
	}
	ended(fmt.Sprintf("removed %d", count), err)
}

// forgetStars takes away the stars of a user who was just removed. What it cannot take away goes with the next sweep.
func (n *node) forgetStars(ctx context.Context, user string) {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	if _, err := n.service.ForgetStars(ctx, user); err != nil {
		n.log.WarnContext(ctx, "stars of a removed user stay until the next sweep", "user", user, "error", err)
	}
}

// retain applies the rules of retention now and then. Each node tries; the store's lease lets one at a time do it.
func (n *node) retain(ctx context.Context) {
	every := n.config.RetentionInterval
	for {
		pause := every/2 + rand.N(every) // so that nodes that started together do not come together
		n.book.due(jobRetention, time.Now().Add(pause))
		due := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-n.retainNow:
			due.Stop()
		case <-due.C:
		}
		n.retainOnce(ctx)
	}
}

// retainOnce applies the rules of all stores, and says what came of it.
func (n *node) retainOnce(ctx context.Context) {
	ended := n.book.begin(jobRetention, "", time.Time{})
	reports, err := n.service.RunRetention(ctx, registry.Actor{User: "system", Roles: []registry.ID{registry.RoleAdmin}})
	if err != nil && ctx.Err() == nil {
		n.log.WarnContext(ctx, "retention ended early", "error", err)
	}
	var said []string
	for _, r := range reports {
		switch {
		case r.Busy:
			said = append(said, r.Store+": another node was at it")
		default:
			said = append(said, fmt.Sprintf("%s: removed %d versions, %d contents", r.Store, r.Versions, r.Contents))
		}
		if r.Versions+r.Contents > 0 {
			n.log.InfoContext(ctx, "retention removed old versions", "store", r.Store, "versions", r.Versions, "contents", r.Contents)
		}
	}
	ended(cutText(strings.Join(said, "; ")), err)
	n.post.tell()
}

// runJob makes a job run at this node at once, in the background.
func (n *node) runJob(name string) error {
	if name != jobRetention || n.config.RetentionInterval <= 0 {
		return registry.Errorf(registry.CodeInvalid, "the job %q cannot be run by hand here", cutText(name))
	}
	select {
	case n.retainNow <- struct{}{}:
	default: // it is to run already
	}
	return nil
}
