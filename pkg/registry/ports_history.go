package registry

import "context"

// Labeller is the part of a [Store] that reads labels.
type Labeller interface {
	// Labels reads the labels of a resource, by name.
	Labels(ctx context.Context, id ID) ([]Label, error)
}

// LabelTx is the part of a [Tx] that changes labels. None of them makes a version or changes an entity tag of the resource.
type LabelTx interface {
	// Labels reads the labels of a resource, by name. Those set by this transaction have no position of the change log yet.
	Labels(id ID) ([]Label, error)
	// SetLabel makes a label of r point at version n, from wherever it pointed.
	SetLabel(r Resource, name string, n int64) (Label, error)
	// RemoveLabel takes a label of r away.
	RemoveLabel(r Resource, name string) error
}
