// Package lb is the load balancer's request path: it decides which member answers a request, sends the
// request there, and puts the answer, or an honest error, in the client's hands.
//
// One request goes one way, whatever protocol it came by:
//
//	listener -> front -> screen -> route (host) -> pool -> affinity -> pick -> (line) -> forward -> (retry) -> log and metrics
//
// # Parts
//
//   - Server: a listener. An HTTP/1 connection is one goroutine (clientConn) that reads a head, has the request
//     carried out and reads the next; an HTTP/2 connection is one (h2Conn) that takes frames in, and a worker
//     of the crew for each request (h2Stream), whose head is put into the words of HTTP/1 and goes the same way. Both are
//     fronts: the path knows the client as that interface only, and another protocol needs nothing but another front.
//   - Routes: what the operator configured, host -> pool; compiled once.
//   - Table: Routes plus the members known now. It is immutable, built aside by the pure function
//     NewTable and swapped atomically, so requests never lock and never see half a change.
//   - Pool: the members of one (domain, sub-domain), in groups by rank: here, elsewhere, backup. A balancer chooses among
//     those of the first group that has a usable one, by weight, turn, load or key. What it goes by (load) is counted from this
//     process's own requests.
//   - line: where requests wait for room when all members have as many requests as they may (LimitSpec).
//   - affinity: reads which member a request's cookies name, and writes that into answers. It has no table of sessions: a cookie
//     holds a signed token, and whoever has the key can read it.
//   - upstream: one member's connections. An attempt carries one request to one member: the head is written with
//     our fields in it, the answer's head is read, and relay passes the content on: whole if it is short, by splice
//     if it is long and both sides are plain TCP, else as it comes.
//   - health: what this process makes of a member, from its requests (ejections) and from its checks (verdicts). A checker is a
//     goroutine for each member; probe is one check. Both outlast the tables that the member is in.
//     Hints, to and from other load balancers, have a member checked at once and decide nothing.
//   - Packages h1 and h2 are the codecs, wire the sockets and deadlines, accesslog the record of requests.
//   - Discovery: turns snapshots of gossip groups into tables, and says in the log who came and went.
//
// # Memory
//
// A connection without a request holds no buffer. A request holds a small one for its head while the member
// thinks, and a big one only while bytes move. Buffers, exchanges and all that a request needs are pooled: a
// proxied GET on kept-alive connections allocates nothing. Slices into buffers (x.id, heads, pieces) live no longer than
// the exchange.
//
// A goroutine that waits for a member fits in a stack of 4 KiB; with a little more it would have 8, which is a tenth of the memory with a
// thousand connections, and caches notice it, too. So what needs much stack and is over before that wait, or begins after it, is not inlined
// into the functions that wait (go:noinline): the compiler, led by the profile, would do it.
//
// # Invariants
//
//   - A client cannot add to, fake or remove what the proxy says about it (X-Forwarded-*, Forwarded),
//     unless its address is a trusted proxy. It may name its request (X-Request-Id), in harmless characters, and the trace that it belongs to.
//   - A request is sent a second time only if nothing of it can have been acted on, or if its method is idempotent and
//     its body is still there; and never to the same member while another one is eligible. No header makes an
//     exception. A member that gives no answer keeps what changes something: it may carry it out when it goes on, after
//     others have built on another member's answer. That nothing can have been acted on is known if nothing was written, or if TCP proves that the
//     member had closed the connection before (wire.Conn.Unheard).
//   - Framing is never passed through: lengths and chunks are read strictly, and written anew.
//   - A connection to a member is used again only if its last answer ended exactly where its bytes ended.
//   - An answer that breaks off after its head went to the client is never ended cleanly.
//   - A cookie can neither make a request fail nor lead it out of its pool: one that is not in order is none.
//   - Label values of metrics come from the configuration and the member table alone, but for status codes.
//
// # Failure behaviour
//
// A refused connection ejects the member here at once, without waiting for gossip, for one second and
// doubling up to thirty; the last usable member is never ejected. Other failures, which clients can bring about,
// must come several times in a row, and never eject more than half of a pool. Checks that fail take a member out until
// they pass again. While no member is well, those that are worse are asked rather than nobody.
//
// A request whose member is found dead while it waits goes to another one, if it does no harm when it is carried out twice
// and its answer has not begun. A member that gossip loses but that passes its checks stays as a last resort,
// unless a process that was started later has taken its place: that one succeeds it at once, also while gossip still tells of both.
//
// A slow GET may go on beside the next attempt (hedging); it is judged when that is decided, and the exchange is the request's goroutine's alone all the time.
//
// While all members that are well are at their limits a request waits, for a short time, and gets 503 if that was in vain; nobody who is worse is
// asked for that.
//
// With all members gone the answer is 503
// with Retry-After; a member that cannot be reached or breaks off gives 502, one that is too slow 504.
package lb
