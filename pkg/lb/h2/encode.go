package h2

// Field blocks of answers (RFC 7541). The dynamic table is not used: nothing has to be kept for a connection, and
// blocks can be made in any order.

// Representations (RFC 7541 section 6): the first byte, and how many of its bits are for a number.
const (
	indexed      = 0x80
	sizeUpdate   = 0x20
	neverIndexed = 0x10 // as withoutIndex, and whoever passes it on has to do the same
	withoutIndex = 0x00
	literalBits  = 4
	stringBits   = 7
)

// Indexes of the static table (RFC 7541 appendix A).
const (
	status200    = 8 // the first of those for :status, so also its name
	setCookieIdx = 55
)

// AppendNoTable appends that the dynamic table has no room from here on. A connection's first field block has to begin with it:
// a client that makes the table smaller than it was waits for this (RFC 9113 section 4.3.1).
func AppendNoTable(dst []byte) []byte { return append(dst, sizeUpdate) }

// AppendStatus appends the pseudo-field of an answer, which comes before all fields. status has three digits.
func AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return append(dst, indexed|status200)
	case 204:
		return append(dst, indexed|9)
	case 206:
		return append(dst, indexed|10)
	case 304:
		return append(dst, indexed|11)
	case 400:
		return append(dst, indexed|12)
	case 404:
		return append(dst, indexed|13)
	case 500:
		return append(dst, indexed|14)
	}
	return append(dst, withoutIndex|status200, 3, '0'+byte(status/100%10), '0'+byte(status/10%10), '0'+byte(status%10))
}

// AppendField appends a field. Its name may have any case, and is written in lower case. What HTTP/2 does not allow in
// names and values is not looked for.
func AppendField(dst, name, value []byte) []byte { return appendField(dst, name, value) }

// AppendFieldString does the same for strings.
func AppendFieldString(dst []byte, name, value string) []byte { return appendField(dst, name, value) }

func appendField[S []byte | string](dst []byte, name, value S) []byte {
	start := len(dst)
	dst = append(dst, withoutIndex)
	dst = appendInt(dst, 0, stringBits, len(name))
	from := len(dst)
	for i := range len(name) {
		dst = append(dst, lower(name[i]))
	}
	if index := staticName(dst[from:]); index > 0 {
		first := byte(withoutIndex)
		if index == setCookieIdx {
			first = neverIndexed // RFC 7541 section 7.1.3: it names a session
		}
		dst = appendInt(dst[:start], first, literalBits, index)
	}
	dst = appendInt(dst, 0, stringBits, len(value))
	return append(dst, value...)
}

// appendInt appends a number (RFC 7541 section 5.1) that begins in the last bits of a byte whose other bits are first.
func appendInt(dst []byte, first byte, bits, n int) []byte {
	most := 1<<bits - 1
	if n < most {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// staticName gives the index in the static table of a name that answers have, 0 for others.
func staticName(name []byte) int {
	switch string(name) {
	case "accept-ranges":
		return 18
	case "access-control-allow-origin":
		return 20
	case "age":
		return 21
	case "allow":
		return 22
	case "cache-control":
		return 24
	case "content-disposition":
		return 25
	case "content-encoding":
		return 26
	case "content-language":
		return 27
	case "content-length":
		return 28
	case "content-location":
		return 29
	case "content-range":
		return 30
	case "content-type":
		return 31
	case "date":
		return 33
	case "etag":
		return 34
	case "expires":
		return 36
	case "last-modified":
		return 44
	case "link":
		return 45
	case "location":
		return 46
	case "retry-after":
		return 53
	case "server":
		return 54
	case "set-cookie":
		return setCookieIdx
	case "strict-transport-security":
		return 56
	case "vary":
		return 59
	case "via":
		return 60
	case "www-authenticate":
		return 61
	}
	return 0
}
