// Package membership keeps a process in its groups: one gossip group per cluster domain, in which every member announces who it is, where it
// listens and what state it is in, and learns the same of all others. It is a wrapper over hashicorp/memberlist and its only importer.
//
// # Use
//
// [Open] binds, starts and returns at once, whether or not anybody else is up. [Group.Members] is the newest snapshot, [Group.Subscribe]
// delivers each change of it, [Group.SetState] announces a new state, and [Group.Leave] ends it in good order. [Group.Send] tells one
// member something, which its Config.Receive takes.
//
// # Invariants
//
//   - A member is known by its ID, made anew at every start. Nothing is keyed on the human name: a process that restarts under the same name,
//     on the same address or another, is a new member and is accepted at once. Of two that announce one ID, the first is shown.
//   - The gossip label is the domain: groups of different domains never mix, even when an address is reused by another cluster.
//   - What a member announces fits into 512 bytes. Too much is an error of Open that names the field; it is never a panic later.
//   - The snapshot always holds this process itself, is sorted by ID and immutable.
//   - Without a key nothing but loopback is bound or announced, unless Config.InsecureGossip says so.
//   - A member at an address, or with a RemoteHost, that the Policy refuses is never in a snapshot, whoever passes the news of it on.
//   - No key is in a log record, an error or a metric.
//
// # Failure behaviour
//
//   - Seeds down at the start: the group runs alone and keeps asking, quickly at first, then every Config.RejoinInterval, for ever.
//   - A peer that crashed is gone from the snapshot after 4 to 30 seconds (stock LAN profile: 5 to 9 in small groups). It is a report, not
//     what saves a request: users of the snapshot must still retry elsewhere.
//   - Partition: both sides drop each other, remember the addresses and keep asking; they are one group again within seconds of the end, however long it took.
//     (memberlist alone forgets dead peers after half a minute and would stay split for ever.)
//   - A slow or dead subscriber blocks nobody; it finds the newest snapshot when it comes back.
//   - Metadata that cannot be read (other version, other domain, wrong identity) hides that member, is counted, and logged once per member.
//   - Strangers: packets and streams from outside the Policy, without our key, of another label, too large or malformed are dropped, counted by reason and
//     logged within a budget; the table stays as it is. Who has the key and is refused by the Policy is counted, logged once and kept in Group.Refused.
//   - Messages to one member may be lost, come twice or late. Those that are malformed, of nobody in sight, or too many at once are dropped and counted.
//   - Two processes on one port: the second one's Open fails at once and names the address and the configuration key.
//
// # Design
//
// memberlist calls its delegates under its node lock, on the packet path. So the delegate copies the node into a map of what changed, pokes a
// channel and returns (delegate.go). One goroutine drains that map into the table of peers, decodes metadata, and publishes a new snapshot to
// an atomic pointer and to every subscriber's channel of one, replacing a snapshot that was not fetched yet (view.go, subscribe.go).
// The map is coalesced by name, so its size is bounded by the number of members.
//
// memberlist's callback tells a leaver from a crash as little as its exported state does. Here a member that said it is draining and then went
// has left; any other that went is lost, and its address is kept for the rejoin loop (rejoin.go). The loop asks only addresses at which no
// member is seen, at most 8 lost ones and 16 seeds a round, in parallel, each bounded by the dial and stream timeouts.
//
// Messages are copied into a queue of 64 in the same way, and one more goroutine passes them on (message.go); processes that take none have neither.
//
// Leaving is draining -> told -> leave -> told -> a short delay in which probes are still answered -> shutdown (leave.go). Sockets are
// memberlist's own, wrapped so that a shutdown ends outgoing connections instead of waiting for their timeouts (socket.go).
//
// What arrives passes a gate before memberlist sees it (gate.go): source address, size, and the two forms of message that memberlist cannot take. What a
// message says is judged in the alive delegate (policy.go), so that a refused node is not probed either. Of its own refusals memberlist tells in its log
// alone; gossiplog.go reads them from there, and attack_test.go provokes each.
package membership
