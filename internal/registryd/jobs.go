package registryd

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// startJobs begins what a node does on its own account. The returned function ends it and waits for that.
func (n *node) startJobs(ctx context.Context) func() {
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if n.config.RetentionInterval > 0 {
			n.retain(ctx)
		}
	}()
	return func() {
		end()
		<-done
	}
}

// retain applies the rules of retention now and then. Each node tries; the store's lease lets one at a time do it.
func (n *node) retain(ctx context.Context) {
	every := n.config.RetentionInterval
	for {
		pause := time.NewTimer(every/2 + rand.N(every)) // so that nodes that started together do not come together
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		reports, err := n.service.RunRetention(ctx, registry.Actor{User: "system", Roles: []registry.ID{registry.RoleAdmin}})
		if err != nil && ctx.Err() == nil {
			n.log.WarnContext(ctx, "retention ended early", "error", err)
		}
		for _, r := range reports {
			if r.Versions+r.Contents > 0 {
				n.log.InfoContext(ctx, "retention removed old versions", "store", r.Store, "versions", r.Versions, "contents", r.Contents)
			}
		}
	}
}
