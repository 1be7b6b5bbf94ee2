// Package elbd is the load balancer as a program: its configuration, and the one place where its parts are put
// together, started, and stopped in reverse. A test binary can be this program by calling [Main].
//
// Start: read the configuration, bind every port, enter the gossip groups, serve, and say ready when members are known. Stop, on
// SIGTERM or SIGINT: say not ready, wait the drain delay, stop accepting, let running requests finish (bounded), leave the groups.
// A second signal ends the process at once.
//
// The configuration is an elb.yaml, or a loadbalancer.conf of WSO2 ELB as it is: package wso2conf knows how such a file is written, this one what it means. Both become
// the same Config, checked by the same rules.
//
// Failure behaviour: whatever an operator can have got wrong ends the program within seconds, with exit status 1 and one line for
// each fault that names file, line, key and cure. Faults of the command line give status 2.
package elbd
