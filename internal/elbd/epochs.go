package elbd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/membership"
)

// How the configurations of ELBs compare: each announces the epoch of the part that all should share.

// differing is an ELB whose configuration is another one.
type differing struct {
	since time.Time
	told  bool
}

// differsFor is how long another configuration stays unsaid: a change is rolled out ELB by ELB.
const differsFor = time.Minute

// compare warns once of each ELB whose configuration stays another one.
func (x *exchange) compare(ctx context.Context, others []colleague, now time.Time) {
	own := x.epoch()
	maps.DeleteFunc(x.differs, func(id string, _ *differing) bool {
		return !slices.ContainsFunc(others, func(c colleague) bool { return c.ID == id })
	})
	for _, other := range others {
		d := x.differs[other.ID]
		switch {
		case compareEpoch(own, other.Member) != epochOther:
			delete(x.differs, other.ID)
			if d != nil && d.told {
				x.log.InfoContext(ctx, "another ELB has the same configuration again", "id", other.ID, "name", other.Name, "epoch", formatEpoch(own))
			}
		case d == nil:
			x.differs[other.ID] = &differing{since: now}
		case !d.told && now.Sub(d.since) >= differsFor:
			d.told = true
			x.log.WarnContext(ctx, "another ELB has another configuration", "id", other.ID, "name", other.Name, "host", other.Host,
				"epoch", formatEpoch(other.Epoch), "own_epoch", formatEpoch(own), "for", now.Sub(d.since).Round(time.Second))
		}
	}
}

// How the configuration of another ELB compares; also the values of a metric's label.
const (
	epochSame    = "same"
	epochOther   = "other"
	epochUnknown = "unknown" // it announces none, or that of another version of the program, which has other keys and defaults
)

func compareEpoch(own uint32, other membership.Member) string {
	switch {
	case other.Epoch == own:
		return epochSame
	case other.Epoch == 0 || other.Version != daemon.Version():
		return epochUnknown
	}
	return epochOther
}

// formatEpoch writes an epoch for people; "" for none.
func formatEpoch(epoch uint32) string {
	if epoch == 0 {
		return ""
	}
	return fmt.Sprintf("%08x", epoch)
}

// announce has all groups announce the epoch of now. It may take a while until they have been told, so it is done in the background.
func (x *exchange) announce() {
	epoch := x.epoch()
	var late []*group
	for _, g := range x.groups() {
		if g.group.Local().Epoch != epoch {
			late = append(late, g)
		}
	}
	if len(late) == 0 || !x.announces.TryLock() {
		return
	}
	x.sending.Go(func() {
		defer x.announces.Unlock()
		for _, g := range late {
			if err := g.group.SetEpoch(epoch); err != nil {
				x.log.Debug("epoch not announced", "domain", g.domain, "error", err)
			}
		}
	})
}

// countPeers counts the other ELBs in sight by how their configuration compares.
func (x *exchange) countPeers() map[string]int {
	counts := map[string]int{epochSame: 0, epochOther: 0, epochUnknown: 0}
	own := x.epoch()
	for _, other := range x.colleagues() {
		counts[compareEpoch(own, other.Member)]++
	}
	return counts
}
