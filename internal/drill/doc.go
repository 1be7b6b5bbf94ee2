// Package drill is what failure drills of the load balancer share: a client that sends at a fixed rate and accounts for every request ([Loop],
// [Client]), and a member that can be killed, frozen, slowed and drained ([Member]). The tests over real processes use it, and the comparison with
// other load balancers, so that both mean the same by a failed request.
//
// The loop is open: a request is sent when its time has come, whether or not those before it were answered, and its latency counts from that time.
// So a stall is felt by all requests that fall into it, as it is by users, who do not wait for each other. The client tries nothing twice: what
// net/http's would hide by sending a request again is a failure here.
package drill
