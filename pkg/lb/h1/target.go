package h1

// Request targets (RFC 9112 section 3.2) and authorities (RFC 3986 section 3.2).

import "bytes"

var (
	root     = []byte("/")
	asterisk = []byte("*")
)

const maxAuthority = 255 + 1 + 5 // a name, a colon, a port

// readTarget checks the target and finds its parts.
func (r *Request) readTarget() fault {
	target := r.target.of(r.buf)
	isConnect := string(r.Method()) == "CONNECT"
	switch {
	case len(target) == 0 || !isURI(target):
		return badTarget
	case isConnect:
		r.form, r.authority = authorityForm, r.target
		if !isAuthority(target) || !hasPort(target) {
			return badAuthority
		}
		return fine
	case target[0] == '/':
		r.form, r.path = originForm, r.target
		return checkPath(target)
	case len(target) == 1 && target[0] == '*' && string(r.Method()) == "OPTIONS":
		r.form = asteriskForm
		return fine
	default:
		return r.absolute(target)
	}
}

// absolute reads a target in absolute form. A query without a path is refused: readers disagree on where
// such an authority ends.
func (r *Request) absolute(target []byte) fault {
	scheme := bytes.Index(target, []byte("://"))
	if scheme < 0 || !equalFold(target[:scheme], "http") && !equalFold(target[:scheme], "https") {
		return badTarget
	}
	r.form = absoluteForm
	from := scheme + len("://")
	end := from
	for end < len(target) && target[end] != '/' {
		end++
	}
	if !isAuthority(target[from:end]) {
		return badAuthority
	}
	at := r.target.from
	r.scheme = span{at, at + uint32(scheme)}
	r.authority = span{at + uint32(from), at + uint32(end)}
	r.path = span{at + uint32(end), r.target.to}
	return checkPath(target[end:])
}

func (r *Request) hasAuthority() bool { return r.form == absoluteForm || r.form == authorityForm }

// Path gives what of the target goes to the member: path and query, which begin with '/', or "*" for a
// request that is about the server as a whole (OPTIONS). It is nil for CONNECT.
func (r *Request) Path() []byte {
	switch {
	case r.form == authorityForm:
		return nil
	case r.path.from < r.path.to:
		return r.path.of(r.buf)
	case r.form == asteriskForm || string(r.Method()) == "OPTIONS": // RFC 9112 section 3.2.4
		return asterisk
	default:
		return root
	}
}

// checkPath looks at the escapes of a path. Those of a query are left alone: browsers send a bare % there.
func checkPath(path []byte) fault {
	if query := bytes.IndexByte(path, '?'); query >= 0 {
		path = path[:query]
	}
	if !hasEscapes(path) {
		return badTarget
	}
	return fine
}

// isAuthority reports whether b is a host name or an address, and perhaps a port. It takes less than RFC
// 3986 section 3.2.2: no escapes, no sub-delimiters, no empty port, no user.
func isAuthority(b []byte) bool {
	if len(b) == 0 || len(b) > maxAuthority {
		return false
	}
	end := 0
	if b[0] == '[' {
		end = bytes.IndexByte(b, ']') + 1
		if end == 0 || !isIPv6(b[1:end-1]) {
			return false
		}
	} else {
		for end < len(b) && isHostByte(b[end]) {
			end++
		}
		if end == 0 || end > 255 {
			return false
		}
	}
	return end == len(b) || b[end] == ':' && isPort(b[end+1:])
}

func isHostByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '-' || c == '_' || c == '~'
}

func isPort(b []byte) bool {
	n, ok := digits(b)
	return ok && len(b) <= 5 && n <= 65535
}

// hasPort tells an authority with a port from one without.
func hasPort(authority []byte) bool {
	return bytes.LastIndexByte(authority, ':') > bytes.LastIndexByte(authority, ']')
}

// isIPv6 reports whether b is an address in the form of RFC 4291 section 2.2, without a zone.
func isIPv6(b []byte) bool {
	groups, gap := 0, false
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		n := 0
		for n < len(b) && n < 5 && unhex[b[n]] != noHex {
			n++
		}
		switch {
		case n > 0 && n < len(b) && b[n] == '.':
			return isIPv4(b) && fills(groups, 6, gap)
		case n == 0 || n > 4:
			return false
		}
		groups++
		if b = b[n:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return false
		}
		if b = b[1:]; b[0] == ':' {
			if gap {
				return false
			}
			gap, b = true, b[1:]
		}
	}
	return fills(groups, 8, gap)
}

// fills reports whether groups make up want of them, given a "::" that stands for at least one.
func fills(groups, want int, gap bool) bool {
	if gap {
		return groups < want
	}
	return groups == want
}

// isIPv4 reports whether b is four numbers up to 255, without leading zeros.
func isIPv4(b []byte) bool {
	for part := range 4 {
		end := bytes.IndexByte(b, '.')
		if part == 3 {
			end = len(b)
		}
		if end < 1 || end > 3 {
			return false
		}
		n, ok := digits(b[:end])
		if !ok || n > 255 || end > 1 && b[0] == '0' {
			return false
		}
		b = b[min(end+1, len(b)):]
	}
	return true
}
