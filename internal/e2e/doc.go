// Package e2e drives the real programs as users and operators meet them: processes, ports, files, databases and a browser. Only its tests use it.
//
// The test binary is the programs: started with REGENT_E2E_PROGRAM it becomes elb or registry ([Become]), so the race detector watches them too
// and nothing has to be built first. A [Cluster] is one load balancer and some nodes on free ports of loopback, with the configuration files
// an operator would write. Their logs are kept in the test's artifact directory, shown when the test fails, and searched for races and panics
// when it does not.
//
// Every load is bounded in clients, count and time; every request of it is counted, and a failure keeps its detail. Counts are small by default
// and those of the acceptance tests with REGENT_E2E_FULL=1.
package e2e
