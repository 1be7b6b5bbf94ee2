package lb

// Whose tenant a request is for: the path names it, as in /t/example.com/console/, behind the first segment "t"; else the parameter tenantDomain of
// the query, by which single sign-on answers.
//
// What is routed is what is forwarded. A path is put into its normal form (RFC 3986 sections 6.2.2.2 and 6.2.2.3), and that goes to the member. What
// the normal form leaves open, servers read differently: escaped slashes, backslashes, parameters behind a semicolon, empty segments, escapes of
// escapes. So a path whose tenant depends on its reader is refused.

import "bytes"

// tenantPath is what a request target says about the tenant.
type tenantPath struct {
	target []byte // in normal form, with the query; nil if the one that came is normal
	domain []byte // of the tenant, as written; nil if none is named
}

// readTenantPath reads a request target in origin form ("/path?query"), whose escapes are well-formed. The normal form is written to room, which
// comes back grown, if the target is not in it already. ok is false if servers could take the target for that of different tenants.
//
// A usual path is looked at once, and nothing is written.
func readTenantPath(target, room []byte) (p tenantPath, grown []byte, ok bool) {
	if len(target) == 0 || target[0] != '/' {
		return p, room, true // "*": it is about the server
	}
	end, usual := scanPath(target)
	path, query := target[:end], target[end:]
	if !usual {
		room = appendNormalPath(room[:0], path)
		normal := len(room)
		room = append(room, query...)
		whole := len(room)
		room = append(room, room[:normal]...) // for isClear to decode
		p.target = room[:whole:whole]
		path, query = p.target[:normal], p.target[normal:]
		if !isClear(path, room[whole:]) {
			return p, room, false
		}
	}
	from, to := tenantSegment(path)
	switch {
	case from < 0:
		p.domain, ok = tenantOfQuery(query)
	case IsTenantDomain(path[from:to]):
		p.domain, ok = path[from:to], true
	default:
		ok = true // something else is called t here
	}
	return p, room, ok
}

// scanPath finds the end of the path of a target. usual means that it is in normal form and that all servers read it alike.
func scanPath(target []byte) (end int, usual bool) {
	usual = true
	last := byte(0)
	for i, c := range target {
		switch c {
		case '?':
			return i, usual
		case '%', ';', '\\':
			usual = false
		case '/', '.':
			usual = usual && last != '/'
		}
		last = c
	}
	return len(target), usual
}

// tenantSegment finds the segment behind the first segment "t" of a path; from is -1 if there is none.
func tenantSegment(path []byte) (from, to int) {
	i := bytes.Index(path, []byte("/t/"))
	if i < 0 {
		return -1, -1
	}
	from = i + len("/t/")
	for to = from; to < len(path) && path[to] != '/'; to++ {
	}
	return from, to
}

// maxTenantDomain is how long a tenant's domain may be: as long as a host name.
const maxTenantDomain = 253

// IsTenantDomain reports whether b can be the domain of a tenant: letters, digits, '.', '-' and '_', the first of them no punctuation.
func IsTenantDomain[T ~string | ~[]byte](b T) bool {
	for i := range len(b) {
		switch c := b[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}
	return 0 < len(b) && len(b) <= maxTenantDomain
}

// tenantOfQuery gives the value of the parameter tenantDomain, if that can be a tenant's. Several that differ are refused: which one counts is
// every server's own choice.
func tenantOfQuery(query []byte) (domain []byte, ok bool) {
	name := []byte("tenantDomain=")
	if !bytes.Contains(query, name) {
		return nil, true
	}
	for rest := query[1:]; len(rest) > 0; { // behind the question mark
		var parameter []byte
		parameter, rest, _ = bytes.Cut(rest, []byte("&"))
		value, found := bytes.CutPrefix(parameter, name)
		switch {
		case !found || !IsTenantDomain(value):
		case domain == nil:
			domain = value
		case !bytes.EqualFold(domain, value):
			return nil, false
		}
	}
	return domain, true
}

// appendNormalPath appends the normal form of a path: escapes of characters that need none are undone, the digits of the others are in upper
// case (RFC 3986 section 6.2.2), and dot segments are gone (section 5.2.4). An escaped slash stays data.
func appendNormalPath(dst, path []byte) []byte {
	start := len(dst)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' || i+2 >= len(path) {
			dst = append(dst, c)
			continue
		}
		if c = unescape(path[i+1:]); isUnreserved(c) {
			dst = append(dst, c)
		} else {
			const digits = "0123456789ABCDEF"
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
		i += 2
	}
	return dst[:start+removeDots(dst[start:])]
}

// removeDots removes the segments "." and ".." of a path in place (RFC 3986 section 5.2.4) and gives the length of what is left.
func removeDots(path []byte) int {
	w := 0
	for r := 0; r < len(path); {
		end := r + 1
		for end < len(path) && path[end] != '/' {
			end++
		}
		segment := path[r+1 : end]
		if !isDots(segment) {
			w += copy(path[w:], path[r:end])
			r = end
			continue
		}
		if len(segment) == 2 {
			w = max(0, bytes.LastIndexByte(path[:w], '/'))
		}
		if r = end; r == len(path) {
			path[w] = '/'
			w++
		}
	}
	return w
}

// isDots reports whether a segment is "." or "..".
func isDots(s []byte) bool {
	return len(s) == 1 && s[0] == '.' || len(s) == 2 && s[0] == '.' && s[1] == '.'
}

// isClear reports whether all servers find the same tenant in a path in normal form, however they read it: undoing escapes never, once or again and
// again; with backslashes for slashes or not; with or without what is behind a semicolon; ending at an escaped NUL, '?' or '#' or not; with
// empty segments or without. room holds a copy of the path.
func isClear(path, room []byte) bool {
	from, to := tenantSegment(path)
	if from < 0 {
		all := room[:decodeFully(room)]
		return !hasSegment(all, isDots) && !hasHiddenMark(all)
	}
	if from == to && to < len(path) {
		return false // "/t//": an empty segment, or none
	}
	if bytes.HasPrefix(path, []byte("//t/")) {
		return false // t is a segment, or a host
	}
	// No server undoes an escape over the slash at to, so what is before it and what is behind it can be decoded apart.
	before := room[:decodeFully(room[:to])]
	first, last := tenantSegment(before)
	if countSeparators(before) != bytes.Count(path[:to], []byte("/")) || last != len(before) || IsTenantDomain(before[first:]) != IsTenantDomain(path[from:to]) {
		return false
	}
	behind := room[to:][:decodeFully(room[to:])]
	return !hasSegment(before, isDots) && !hasSegment(behind, isDots)
}

// hasHiddenMark reports whether a path without a plain segment "t" has one for some reader, and something behind it.
func hasHiddenMark(decoded []byte) bool {
	for i := 1; i+2 < len(decoded); i++ {
		if decoded[i] == 't' && isSeparator(decoded[i-1]) && isSeparator(decoded[i+1]) {
			return true
		}
	}
	return false
}

// hasSegment reports whether one of the finest segments of a decoded path is such.
func hasSegment(decoded []byte, such func(segment []byte) bool) bool {
	start := 0
	for i := 0; i <= len(decoded); i++ {
		if i < len(decoded) && !isSeparator(decoded[i]) {
			continue
		}
		if such(decoded[start:i]) {
			return true
		}
		start = i + 1
	}
	return false
}

func countSeparators(decoded []byte) int {
	n := 0
	for _, c := range decoded {
		if isSeparator(c) {
			n++
		}
	}
	return n
}

// isSeparator reports whether some server may end a segment, or the path, at c.
func isSeparator(c byte) bool {
	switch c {
	case '/', '\\', ';', '?', '#', 0:
		return true
	}
	return false
}

// decodeFully undoes escapes in place until none is left, those that undoing makes included, and gives the length of what is left.
func decodeFully(b []byte) int {
	w := 0
	for _, c := range b {
		b[w] = c
		w++
		for w >= 3 && b[w-3] == '%' && isHex(b[w-2]) && isHex(b[w-1]) {
			b[w-3] = unescape(b[w-2:])
			w -= 2
		}
	}
	return w
}

// unescape gives the byte that two hexadecimal digits stand for.
func unescape(digits []byte) byte { return hexValue(digits[0])<<4 | hexValue(digits[1]) }

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// isUnreserved reports whether c means the same escaped or not (RFC 3986 section 2.3).
func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return false
}
