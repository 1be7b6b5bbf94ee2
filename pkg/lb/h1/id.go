package h1

// What a field is, by its name.

// ID tells what a field is; it is found once, while parsing, in any case of letters.
type ID uint8

// The fields that a proxy has to know.
const (
	Other ID = iota // any field without an ID of its own
	Host
	Connection
	KeepAlive
	ProxyConnection
	ProxyAuthenticate
	ProxyAuthorization
	TE
	Trailer
	TransferEncoding
	ContentLength
	Upgrade
	Expect
	HTTP2Settings

	// Forwarding is any other field that speaks for a proxy: X-Real-IP, names that begin with X-Forwarded,
	// and every spelling of these and of the six below with other punctuation (X_Forwarded_For).
	Forwarding
	XForwardedFor
	XForwardedHost
	XForwardedProto
	XForwardedPort
	Forwarded
	RequestID // X-Request-Id

	// Twin is any other field known here, spelled with other punctuation: Content_Length,
	// Transfer.Encoding. Servers that turn names into variables cannot tell the two, so it is never forwarded.
	Twin

	Accept
	AcceptEncoding
	Age
	Authorization
	CacheControl
	ContentEncoding
	ContentRange
	ContentType
	Cookie
	Date
	Expires
	IfMatch
	IfModifiedSince
	IfNoneMatch
	IfRange
	IfUnmodifiedSince
	LastEventID
	Location
	MaxForwards
	Origin
	Pragma
	Range
	Referer
	RetryAfter
	Server
	SetCookie
	Traceparent
	Tracestate
	UserAgent
	Vary
	Via
	Warning
	WWWAuthenticate
	ids // how many there are; a set of them fits in 64 bits
)

// IsForwarding reports whether a field speaks for a proxy, X-Request-Id included: such a field goes no
// further unless a trusted proxy sent it.
func (id ID) IsForwarding() bool { return Forwarding <= id && id <= RequestID }

// idSet is a set of IDs.
type idSet uint64

func (s idSet) has(id ID) bool { return s>>id&1 != 0 }

func setOf(members ...ID) (s idSet) {
	for _, id := range members {
		s |= 1 << id
	}
	return s
}

var (
	// hops are the fields of one connection alone (RFC 9110 section 7.6.1). Twins go with them.
	hops = setOf(Connection, KeepAlive, ProxyConnection, ProxyAuthenticate, ProxyAuthorization, TE, Trailer,
		TransferEncoding, Upgrade, HTTP2Settings, Twin)

	// essential fields may not be dropped because a Connection field names them: the message would get
	// another meaning.
	essential = setOf(Host, ContentLength)

	// framing fields may not even be announced as trailers.
	framing = essential | setOf(TransferEncoding, Trailer)

	// notTrailers are the fields that may not come after the body (RFC 9110 section 6.5.1): framing, routing,
	// modifiers, authentication, control data, content format.
	notTrailers = hops | essential | setOf(Expect, Forwarding, XForwardedFor, XForwardedHost, XForwardedProto,
		XForwardedPort, Forwarded, RequestID, Age, Authorization, CacheControl, Cookie, Date, Expires, IfMatch,
		IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince, Location, MaxForwards, Origin, Pragma, Range,
		RetryAfter, SetCookie, Vary, Via, Warning, WWWAuthenticate)
)

// knownField is a name and what it stands for; lower is filled in by known.
type knownField struct {
	name, lower string
	id          ID
}

// names are the fields with an ID.
var names = [...]knownField{
	{name: "Host", id: Host},
	{name: "Connection", id: Connection},
	{name: "Keep-Alive", id: KeepAlive},
	{name: "Proxy-Connection", id: ProxyConnection},
	{name: "Proxy-Authenticate", id: ProxyAuthenticate},
	{name: "Proxy-Authorization", id: ProxyAuthorization},
	{name: "TE", id: TE},
	{name: "Trailer", id: Trailer},
	{name: "Transfer-Encoding", id: TransferEncoding},
	{name: "Content-Length", id: ContentLength},
	{name: "Upgrade", id: Upgrade},
	{name: "Expect", id: Expect},
	{name: "HTTP2-Settings", id: HTTP2Settings},
	{name: "X-Real-IP", id: Forwarding},
	{name: "X-Forwarded-For", id: XForwardedFor},
	{name: "X-Forwarded-Host", id: XForwardedHost},
	{name: "X-Forwarded-Proto", id: XForwardedProto},
	{name: "X-Forwarded-Port", id: XForwardedPort},
	{name: "Forwarded", id: Forwarded},
	{name: "X-Request-Id", id: RequestID},
	{name: "Accept", id: Accept},
	{name: "Accept-Encoding", id: AcceptEncoding},
	{name: "Age", id: Age},
	{name: "Authorization", id: Authorization},
	{name: "Cache-Control", id: CacheControl},
	{name: "Content-Encoding", id: ContentEncoding},
	{name: "Content-Range", id: ContentRange},
	{name: "Content-Type", id: ContentType},
	{name: "Cookie", id: Cookie},
	{name: "Date", id: Date},
	{name: "Expires", id: Expires},
	{name: "If-Match", id: IfMatch},
	{name: "If-Modified-Since", id: IfModifiedSince},
	{name: "If-None-Match", id: IfNoneMatch},
	{name: "If-Range", id: IfRange},
	{name: "If-Unmodified-Since", id: IfUnmodifiedSince},
	{name: "Last-Event-ID", id: LastEventID},
	{name: "Location", id: Location},
	{name: "Max-Forwards", id: MaxForwards},
	{name: "Origin", id: Origin},
	{name: "Pragma", id: Pragma},
	{name: "Range", id: Range},
	{name: "Referer", id: Referer},
	{name: "Retry-After", id: RetryAfter},
	{name: "Server", id: Server},
	{name: "Set-Cookie", id: SetCookie},
	{name: "Traceparent", id: Traceparent},
	{name: "Tracestate", id: Tracestate},
	{name: "User-Agent", id: UserAgent},
	{name: "Vary", id: Vary},
	{name: "Via", id: Via},
	{name: "Warning", id: Warning},
	{name: "WWW-Authenticate", id: WWWAuthenticate},
}

const slots = 256 // a power of two, well above the number of names

// known finds a field by slotOf, then by the slots that follow, up to an empty one.
var known = func() (t [slots]knownField) {
	for _, k := range names {
		lowered := []byte(k.name)
		for i, c := range lowered {
			lowered[i] = lower(c)
		}
		k.lower = string(lowered)
		slot := slotOf(lowered)
		for t[slot].name != "" {
			slot = (slot + 1) % slots
		}
		t[slot] = k
	}
	return t
}()

// slotOf hashes a name by its length and its ends; b is not empty.
func slotOf(b []byte) uint {
	n := uint(len(b))
	return (n*37 + uint(fold[b[0]])*11 + uint(fold[b[n-1]])*5) % slots
}

// identify tells what field has the name; ok is false if it is no name at all.
func identify(name []byte) (id ID, ok bool) {
	if len(name) == 0 {
		return Other, false
	}
	for slot := slotOf(name); ; slot = (slot + 1) % slots {
		k := &known[slot]
		if k.name == "" {
			return identifyOther(name)
		}
		if len(k.name) != len(name) {
			continue
		}
		if string(name) == k.name || string(name) == k.lower || equalFold(name, k.lower) {
			return k.id, true
		}
		if equalTwin(name, k.lower) {
			if k.id.IsForwarding() {
				return Forwarding, true
			}
			return Twin, true
		}
	}
}

func identifyOther(name []byte) (id ID, ok bool) {
	const prefix = "x-forwarded"
	if len(name) >= len(prefix) && equalTwin(name[:len(prefix)], prefix) {
		id = Forwarding
	}
	return id, IsToken(name)
}

// equalTwin compares a name with a known one of the same length, taking all punctuation as equal.
func equalTwin(name []byte, lower string) bool {
	for i, c := range name {
		if fold[c] != lower[i] {
			return false
		}
	}
	return true
}

// isTrailer reports whether a field may come after the body. What describes the content has to come
// before it; a digest, which can only be known at its end, is the exception (RFC 9530 section 2).
func isTrailer(id ID, name []byte) bool {
	const prefix, digest = "content-", "content-digest"
	if notTrailers.has(id) {
		return false
	}
	return len(name) < len(prefix) || !equalTwin(name[:len(prefix)], prefix) || equalFold(name, digest)
}
