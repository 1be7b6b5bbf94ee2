package h2

// What fields a request may have (RFC 9113 sections 8.2 and 8.3), and how they are written.

import "golang.org/x/net/http2/hpack"

// Why a request is malformed (RFC 9113 section 8.1.1).
const (
	noName         = "field without a name"
	badName        = "bad field name"
	badValue       = "control character in a field value"
	spacedValue    = "white space around a field value"
	connectionOnly = "field of a connection"
	badTE          = "TE other than trailers"
	twoHosts       = "two host fields"
	badHost        = "bad host field"
	hostDiffers    = "host differs from :authority"
	noHost         = "neither :authority nor host"

	pseudoInTrailers = "pseudo-field in trailers"
	latePseudo       = "pseudo-field behind a field"
	unknownPseudo    = "unknown pseudo-field"
	twicePseudo      = "pseudo-field twice"
	emptyPseudo      = "empty pseudo-field"
	noMethod         = "no :method"
	badMethod        = "bad :method"
	noScheme         = "no :scheme"
	badScheme        = ":scheme is neither http nor https"
	noPath           = "no :path"
	badPath          = "bad :path"
	badAuthority     = "bad :authority"
	badConnect       = "CONNECT with :scheme or :path, or without :authority"
)

// field takes a field from the decompressor.
func (d *Decoder) field(f hpack.HeaderField) {
	if f.Name == "" {
		d.malformed(noName)
		return
	}
	if f.Name[0] == ':' {
		d.pseudo(f.Name, f.Value)
		return
	}
	if !d.regular {
		d.regular = true
		if !d.trailers && !d.requestLine() {
			return
		}
	}
	switch {
	case spaced(f.Value):
		d.malformed(spacedValue)
	case d.trailers:
		d.trailer(f.Name, f.Value)
	default:
		d.request(f.Name, f.Value)
	}
}

// pseudo takes a pseudo-field (RFC 9113 section 8.3).
func (d *Decoder) pseudo(name, value string) {
	var at *string
	switch name {
	case ":method":
		at = &d.method
	case ":scheme":
		at = &d.scheme
	case ":path":
		at = &d.path
	case ":authority":
		at = &d.authority
	}
	switch {
	case d.trailers:
		d.malformed(pseudoInTrailers)
	case d.regular:
		d.malformed(latePseudo)
	case at == nil:
		d.malformed(unknownPseudo)
	case *at != "":
		d.malformed(twicePseudo)
	case value == "":
		d.malformed(emptyPseudo)
	default:
		*at = value
	}
}

// requestLine writes the request line, and the Host field if there is an :authority.
func (d *Decoder) requestLine() bool {
	target := d.path
	if d.method == "CONNECT" {
		target = d.authority
	}
	if why := d.wrongPseudo(); why != "" {
		d.malformed(why)
		return false
	}
	if !d.fits(len(d.method) + len(target) + len("  HTTP/1.1\r\nHost: \r\n") + len(d.authority)) {
		return false
	}
	d.text = append(d.text, d.method...)
	d.text = append(d.text, ' ')
	d.text = append(d.text, target...)
	d.text = append(d.text, " HTTP/1.1\r\n"...)
	if d.authority != "" {
		d.fields++
		d.text = append(d.text, "Host: "...)
		d.text = append(d.text, d.authority...)
		d.text = append(d.text, "\r\n"...)
	}
	return true
}

// wrongPseudo says what is wrong with the pseudo-fields when all are there, "" if nothing is (RFC 9113 sections 8.3.1
// and 8.5).
func (d *Decoder) wrongPseudo() string {
	switch {
	case d.method == "":
		return noMethod
	case !all(d.method, inMethod):
		return badMethod
	case d.authority != "" && !all(d.authority, inAuthority):
		return badAuthority
	case d.method == "CONNECT":
		if d.scheme != "" || d.path != "" || d.authority == "" {
			return badConnect
		}
		return ""
	case d.scheme == "":
		return noScheme
	case d.scheme != "https" && d.scheme != "http":
		return badScheme
	case d.path == "":
		return noPath
	case d.path[0] != '/' && (d.path != "*" || d.method != "OPTIONS"), !all(d.path, inTarget):
		return badPath
	}
	return ""
}

// request takes a field of a request's head.
func (d *Decoder) request(name, value string) {
	switch name {
	case "cookie":
		d.crumb(value)
		return
	case "host":
		d.host(value)
		return
	case "content-length":
		d.head.HasLength = true
	}
	d.trailer(name, value)
}

// trailer takes a field that is like any other in a head and in trailers.
func (d *Decoder) trailer(name, value string) {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade": // RFC 9113 section 8.2.2
		d.malformed(connectionOnly)
	case "te":
		if !equalFold(value, "trailers") {
			d.malformed(badTE)
			return
		}
		d.line(name, value)
	default:
		if !all(name, inName) {
			d.malformed(badName)
			return
		}
		d.line(name, value)
	}
}

// host takes a host field. Beside an :authority it says nothing new.
func (d *Decoder) host(value string) {
	switch {
	case d.hasHost:
		d.malformed(twoHosts)
	case !all(value, inAuthority):
		d.malformed(badHost)
	case d.authority == "":
		d.line("Host", value)
	case !equalFold(value, d.authority):
		d.malformed(hostDiffers)
	}
	d.hasHost = true
}

// line writes a field.
func (d *Decoder) line(name, value string) {
	if !d.fits(len(name) + len(value) + len(": \r\n")) {
		return
	}
	if d.fields++; d.fields > MaxFields {
		d.tooLarge()
		return
	}
	d.text = append(d.text, name...)
	d.text = append(d.text, ": "...)
	from := len(d.text)
	d.text = append(d.text, value...)
	if !isText(d.text[from:]) {
		d.malformed(badValue)
		return
	}
	d.text = append(d.text, "\r\n"...)
}

// crumb takes a cookie field, of which a client may send several (RFC 9113 section 8.2.3).
func (d *Decoder) crumb(value string) {
	size := len(value) + len("; ")
	if len(d.crumbs) == 0 {
		size += len("cookie: ") // and a line end in the place of "; "
		d.fields++
	}
	switch {
	case d.fields > MaxFields:
		d.tooLarge()
	case d.fits(size):
		d.crumbs = append(d.crumbs, value)
		d.crumbsSize += size
	}
}

// cookie writes the cookies as one field.
func (d *Decoder) cookie() {
	d.text = append(d.text, "cookie: "...)
	from := len(d.text)
	for i, crumb := range d.crumbs {
		if i > 0 {
			d.text = append(d.text, "; "...)
		}
		d.text = append(d.text, crumb...)
	}
	if !isText(d.text[from:]) {
		d.malformed(badValue)
		return
	}
	d.text = append(d.text, "\r\n"...)
}
