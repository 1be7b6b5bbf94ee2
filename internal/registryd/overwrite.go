package registryd

import (
	"context"

	"github.com/regent-registry/regent/pkg/registry"
)

// Overwrite says what a mount may cover of that which the mount around it has at its path. Nothing that is covered is deleted: it is out of sight
// for as long as the mount is there.
type Overwrite string

// The values. The empty one is OverwriteNothing.
const (
	OverwriteNothing    Overwrite = "false"   // with anything there the node does not start
	OverwriteAll        Overwrite = "true"    // whatever is there
	OverwriteCollection Overwrite = "virtual" // a collection; with a resource or a link there the node does not start
)

// known tells whether o is one of the values.
func (o Overwrite) known() bool {
	switch o {
	case "", OverwriteNothing, OverwriteAll, OverwriteCollection:
		return true
	}
	return false
}

// covers tells whether a mount may cover what is there.
func (o Overwrite) covers(k registry.Kind) bool {
	return o == OverwriteAll || o == OverwriteCollection && k == registry.KindCollection
}

// checkCovered refuses the i-th mount when it would cover something that its overwrite does not allow.
func (n *node) checkCovered(ctx context.Context, table *registry.Mounts, i int, m registry.Mount) error {
	outer, at, ok := table.Around(m.Path)
	if !ok || outer.Store == m.Store && at == m.Target {
		return nil // nothing is around it, or the same as what it shows
	}
	over := n.config.Mounts[i].Overwrite
	r, err := outer.Store.Get(ctx, at, registry.Freshness{})
	switch {
	case registry.CodeOf(err) == registry.CodeNotFound:
		return nil
	case err != nil:
		return err
	case over.covers(r.Kind):
		return nil
	case over == OverwriteCollection:
		return n.doc.Fault(mountKey(i, "overwrite"), "the mount %s has a %s at %s, and virtual covers a collection only; set overwrite: true to cover it", outer.Path, r.Kind, m.Path)
	}
	return n.doc.Fault(mountKey(i, "path"), "the mount %s has something at %s already; set overwrite: true to cover it", outer.Path, m.Path)
}
