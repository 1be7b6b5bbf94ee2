// Package daemon is what the two daemons, elb and registry, share around their work: strict configuration with positions, logging, HTTP
// servers that drain, the admin listener, TLS files with a development CA, and the version. It knows nothing of load balancing or of
// the registry.
//
// Failure behaviour: everything here that can be wrong because of what an operator wrote fails before a daemon serves, with an error that names
// the file, line and key, or the address, and the cure.
package daemon
