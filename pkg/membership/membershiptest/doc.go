// Package membershiptest simulates the network under package membership, for tests that must see crashes, partitions, delay and loss. It is
// made for testing/synctest bubbles, where minutes of a group's life take milliseconds, and works in real time as well.
//
//	synctest.Test(t, func(t *testing.T) {
//		net := membershiptest.NewNetwork(1)
//		g, err := membership.Open(t.Context(), membership.Config{…, Transport: net.Node("10.0.0.1:4250"), InsecureGossip: true})
//
// Invariants: nothing blocks for ever. A packet to nobody vanishes; a dial to nobody is refused; a dial to a crashed or cut-off host, and a
// read from one, last until their timeout or until the own transport is shut down. Loss is drawn from the seed; memberlist's own choices are
// random, so a test asserts ranges, not times.
//
// All goroutines of a bubble must have ended when its function returns, and fake time stands still from then on: leave or shut down every
// group, then sleep for about ten fake seconds, in which memberlist ends probes and streams under way.
package membershiptest
