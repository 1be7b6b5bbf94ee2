package lb

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb/h1"
	"github.com/regent-registry/regent/pkg/lb/wire"
	"github.com/regent-registry/regent/pkg/tracecontext"
)

// front is the client's side of an exchange: an HTTP/1 connection, or a stream of HTTP/2. The request path
// knows no more of the client than this. Errors of its methods are the client's.
type front interface {
	// takeBody fills the exchange's body: whole if it is short or here already.
	takeBody() error
	// read gives some of the content of the request's body; io.EOF ends it. It may run in another goroutine
	// than the other methods, which answer meanwhile.
	read(p []byte) (int, error)
	// trailers are the fields after the body, once read has met its end.
	trailers() *h1.Fields
	// stopReading makes a read that waits, and all later ones, fail at once.
	stopReading()
	// source is the connection that the rest of a body of known length can be spliced from; nil if there is none.
	source() *wire.Conn
	// carryOn tells a client that waits for permission to send its body.
	carryOn() error
	// interim passes an answer of the 1xx class on, if the client can take it.
	interim(res *h1.Response) error
	// begin sends the head of the final answer and the first of its content.
	begin(a *answer) error
	// write sends more content; end ends content of unknown length.
	write(p piece) error
	end(trailers *h1.Fields) error
	// sink is the connection that the rest of an answer can be spliced to; nil if there is none.
	sink() *wire.Conn
	// tunnel sends the head of a switch to another protocol, and hands the connection over with what was read
	// from it beyond the request.
	tunnel(res *h1.Response) (conn *wire.Conn, ahead []byte, err error)
	// gone tells why nobody waits for an answer any more, as far as that is known; nil if somebody may.
	// It may be asked in any goroutine.
	gone() error
	// abort ends an answer in a way that nobody takes for its end.
	abort()
}

// answer is a final answer on its way to the client.
type answer struct {
	head   *h1.Response
	length int64 // of the content, -1 if unknown; what a HEAD or 304 declares; -1 there too if nothing is declared
	empty  bool  // there is no content, whatever length says
	first  piece
	room   []byte // memory for the head, apart from head and first; may be nil
	whole  bool   // first is all of the content
	tail   *h1.Fields
	last   bool // the client's connection cannot be used for another request
	x      *exchange
	ours   bool // a refusal, and no member's answer
}

// exchange is one client request on its way, and what was decided about it.
type exchange struct {
	front    front
	from     *client
	req      h1.Request
	headSize int // bytes of the request's head as it came
	body     body
	res      h1.Response // the member's answer head, later our own
	tail     h1.Chunks   // decodes the answer

	// These live here so that nothing is allocated for a request.
	try    attempt
	reply  answer
	choice Selection
	sticky stickiness
	place  place        // in the line of the pool
	loyal  bool         // it rather waits for its session's member than going to another one
	held   bool         // it does so
	lost   func() bool  // pointless
	aside  *aside       // the attempt that goes on beside this one; nil = none
	awaits atomic.Int32 // how the answer is waited for

	method  string // an interned name for the usual methods
	host    string // as the client wrote it
	id      []byte // names the request in logs, in X-Request-Id to the member and in the answer
	idText  [idLength]byte
	traceID []byte     // names the trace that it belongs to in logs; nil = none
	trace   []byte     // the traceparent of one that began here; nil = what came with the request holds
	asked   netip.Addr // whom the request is from: the peer, unless that one is a trusted proxy and says otherwise
	forward []byte     // what the member is asked for, if that is not written as the client wrote it
	room    []byte     // memory for that
	tenant  []byte     // whose request it is: the domain, in lower case; empty if it names none, or if that makes no difference
	owner   TenantID   // of that tenant
	table   *Table
	pool    *Pool
	started time.Time

	traceText [tracecontext.Length]byte

	// What the log says in the end.
	target    *Target
	attempts  int
	result    Result     // of the last attempt
	sent      bool       // by a failed attempt, not necessarily the last
	stopped   string     // why there was no further attempt
	status    int        // of the final answer as sent; 0 = none
	out, in   int64      // bytes of content, to and from the client
	shed      shedReason // why it was refused for want of room
	waited    time.Duration
	queued    time.Duration // of that, in the line
	connected time.Duration
	firstByte time.Duration
}

// reset makes the exchange ready for another request and drops all that points into the last one.
func (x *exchange) reset() {
	x.front, x.from = nil, nil
	x.req.Reset()
	x.res.Reset()
	x.tail.Reset()
	x.body.reset()
	x.method, x.host, x.id, x.traceID, x.trace = "", "", nil, nil, nil
	x.asked = netip.Addr{}
	x.headSize = 0
	x.forward, x.room, x.tenant, x.owner = nil, x.room[:0], x.tenant[:0], TenantID{}
	if cap(x.room) > roomMost {
		x.room = nil
	}
	x.table, x.pool, x.target = nil, nil, nil
	x.attempts, x.result, x.sent, x.stopped, x.status = 0, Result{}, false, "", 0
	x.out, x.in, x.waited, x.queued, x.connected, x.firstByte = 0, 0, 0, 0, 0, 0
	x.place.got, x.loyal, x.held, x.shed = nil, false, false, shedNone
	clear(x.choice.tried)
	x.choice.tried = x.choice.tried[:0]
	x.sticky.reset()
	x.choice.resort = resortNone
	x.awaits.Store(waitNone)
	x.try, x.aside = attempt{}, nil
	x.reply = answer{}
}

// newExchange makes an exchange that has room for the heads of usual messages, so that nothing is allocated when buffers are held.
func newExchange() *exchange {
	const fields = "A: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\nA: a\r\n" // 15, and Host
	x := &exchange{choice: Selection{tried: make([]*Target, 0, maxAttempts)}}
	_, _ = x.req.Parse([]byte("GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n")) // only the space that it takes matters
	_, _ = x.res.Parse([]byte("HTTP/1.1 200 OK\r\n" + fields + "\r\n"))           // likewise
	x.lost = x.pointless
	x.reset()
	return x
}

// upgrade reports whether the request asks for a websocket, the only protocol that is switched to.
func (x *exchange) upgrade() bool { return x.from.major == 1 && x.req.Websocket() }

// roomMost is how much memory for a path is kept for the next request.
const roomMost = 4 << 10

// destination is what the member is asked for: path and query, or "*".
func (x *exchange) destination() []byte {
	if x.forward != nil {
		return x.forward
	}
	return x.req.Path()
}

// path is the request's path without the query, which may hold secrets.
func (x *exchange) path() []byte {
	p := x.destination()
	for i, c := range p {
		if c == '?' {
			return p[:i]
		}
	}
	return p
}

// client is what is the same for all requests of one connection.
type client struct {
	scheme string // "http" or "https", of the listener
	port   int    // of the listener
	major  int    // of the HTTP version
	peer   netip.Addr
	tls    string // the version, as the log says it

	// What the settings say of it.
	settings *Settings
	trusted  bool // the peer's own forwarding headers count
	public   publicPorts

	// The last request's host and what follows from it. Most clients ask for one host all the time.
	host  string
	table *Table
	at    *tenantTable // the pools of the host
	pool  *Pool        // that of everybody whose tenant is not known
	known bool         // the host is one at all
	block []byte       // the forwarding fields, as long as nothing but connection and host decides about them
}

// use takes up settings, when the connection is new and when they have changed.
func (c *client) use(s *Settings) {
	c.settings = s
	c.trusted, c.public = s.trusted().has(c.peer), publicPorts{http: s.HTTPPort, https: s.HTTPSPort}
	c.block = nil // it may be shared with other streams of an HTTP/2 connection
}

// lookup finds the pool for a Host header, through the last answer. If the host splits, it is that of those whose tenant is not known.
func (c *client) lookup(t *Table, host []byte) (name string, pool *Pool, ok bool) {
	same := c.table != nil && string(host) == c.host
	if !same {
		c.host = string(host)
		c.block = nil // it may be shared with other streams of an HTTP/2 connection
	}
	if !same || c.table != t {
		c.table, c.pool = t, nil
		if c.at, c.known = t.host(c.host); c.at != nil {
			c.pool = t.pool(c.at, 0)
		}
	}
	return c.host, c.pool, c.known
}

// splits reports whether the host that was looked up has requests of tenants for different pools, so that the pool depends on the tenant.
func (c *client) splits() bool {
	return c.at != nil && len(c.at.spans) > 0 && c.table.routes.tenants != nil
}

// proto is the protocol as the log says it. minor counts for HTTP/1 alone.
func (c *client) proto(minor int) string {
	switch {
	case c.major == 2:
		return "HTTP/2.0"
	case minor == 0:
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}
