package sqlstore

import "github.com/regent-registry/regent/pkg/registry"

// tenant is whom a store serves. Names of users and roles are unique within one, and its paths begin at its root. It is a row of the table tenant.
type tenant struct {
	id   int64
	root registry.ID
}

// superTenant is the one that every database has, with WSO2's number for it; migration 0011 has its row. Knowing it saves the look at the row.
func superTenant() tenant { return tenant{id: -1234, root: rootID} }

// root is where the store's paths begin.
func (s *Store) root() registry.ID { return s.tenant.root }
