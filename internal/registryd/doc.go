// Package registryd is the registry daemon: its configuration, and the composition root that builds a node of the pieces and runs it.
//
// Start: bind the ports, open and migrate the stores, make the administrator, serve, join the group; only then is the node ready.
// Stop (SIGTERM, SIGINT): tell the group "draining", go on serving while the load balancers learn it, finish what runs (bounded), leave the
// group, close the stores. What cannot start ends the process with one line that names the place and the cure.
package registryd
