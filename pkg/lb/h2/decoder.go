package h2

// Field blocks of requests (RFC 9113 section 8, RFC 7541): from fragments to the text of a head.

import (
	"errors"

	"golang.org/x/net/http2/hpack"
)

// Limits of a head, those of package h1.
const (
	MaxHead     = 64 << 10 // bytes of a head in the words of HTTP/1, the empty line included
	MaxTrailers = 8 << 10  // bytes of trailers in those words
	MaxFields   = 256      // fields of a head or of trailers; all cookies are one

	// What goes beyond these costs the client its connection.
	maxBlock     = 2 * MaxHead // bytes of a field block as it comes, and of a name or value in it
	maxFragments = 64

	tableSize  = 4096 // what SETTINGS_HEADER_TABLE_SIZE begins with, and is left at
	keepCrumbs = 32   // more of them are not kept room for
)

// Head is what a field block says.
type Head struct {
	// Text is what Begin was given, and behind it the head in the words of HTTP/1, without the empty line at its end:
	//
	//	GET /p HTTP/1.1\r\nHost: a\r\nname: value\r\n
	//
	// Of trailers it is the field lines alone. It is nil if the request is Malformed or TooLarge.
	Text []byte

	// Malformed says what is wrong, for people, if the stream has to end with ProtocolError (RFC 9113 section 8.1.1).
	Malformed string

	// TooLarge says that a limit was passed, and nothing wrong was seen before: the answer is 431.
	TooLarge bool

	// HasLength says that there is a content-length. Where there is none, and the stream goes on, the length shows as
	// the content comes.
	HasLength bool
}

// Decoder decodes the field blocks of one connection, one after the other and every one of them: HPACK has state. For
// each, call one of Begin, BeginTrailers and BeginSkipped, then Write for every fragment, and End. One goroutine at a time.
type Decoder struct {
	hpack *hpack.Decoder
	err   *Error // the connection is over

	text      []byte
	start     int // where in text the head begins
	most      int // bytes that it may have there
	size      int // of the block so far
	fragments int
	fields    int
	trailers  bool
	regular   bool // a field was seen that is no pseudo-field; the request line is written
	hasHost   bool
	stored    bool // what comes is still looked at: nothing is wrong, and there is room
	head      Head

	// Pseudo-fields, "" if they have not come.
	method, scheme, path, authority string

	// Cookies wait for the end, where they become one field.
	crumbs     []string
	crumbsSize int
}

// NewDecoder makes the decoder of a connection.
func NewDecoder() *Decoder {
	d := &Decoder{}
	d.hpack = hpack.NewDecoder(tableSize, d.field)
	d.hpack.SetMaxStringLength(maxBlock)
	return d
}

// Begin says that the head of a request begins. It is appended to dst, which is the decoder's until End.
func (d *Decoder) Begin(dst []byte) { d.begin(dst, MaxHead) }

// BeginTrailers says that trailers begin. They are appended to dst, which is the decoder's until End.
func (d *Decoder) BeginTrailers(dst []byte) {
	d.begin(dst, MaxTrailers)
	d.trailers = true
}

// BeginSkipped says that a block begins of which nothing is wanted: of a stream that is refused, or was reset. The table has to
// follow it all the same. End gives a Head that says nothing.
func (d *Decoder) BeginSkipped() {
	d.begin(nil, 0)
	d.stop()
}

func (d *Decoder) begin(dst []byte, most int) {
	d.forget()
	d.text, d.start, d.most = dst, len(dst), most
	d.size, d.fragments, d.fields = 0, 0, 0
	d.trailers, d.regular, d.hasHost, d.stored = false, false, false, true
	d.head = Head{}
	d.hpack.SetEmitEnabled(true)
}

// forget lets go of all that belongs to a request.
func (d *Decoder) forget() {
	d.text = nil
	d.method, d.scheme, d.path, d.authority = "", "", "", ""
	clear(d.crumbs)
	d.crumbs, d.crumbsSize = d.crumbs[:0], 0
	if cap(d.crumbs) > keepCrumbs {
		d.crumbs = nil
	}
}

// Write takes the next fragment of the block, as it came in a HEADERS or CONTINUATION frame. It is not kept. The error is
// an *Error for the connection. What is wrong with a request, or too large for one, is for End to tell.
func (d *Decoder) Write(fragment []byte) error {
	if d.err == nil {
		d.err = d.write(fragment)
	}
	if d.err != nil {
		return d.err
	}
	return nil
}

func (d *Decoder) write(fragment []byte) *Error {
	d.fragments++
	d.size += len(fragment)
	switch {
	case d.fragments > maxFragments:
		return errFragments
	case d.size > maxBlock:
		return errBlock
	}
	switch _, err := d.hpack.Write(fragment); {
	case err == nil:
		return nil
	case errors.Is(err, hpack.ErrStringLength):
		return errString
	default:
		return errCompression
	}
}

// End says that the block is complete, and gives what it says. The error is an *Error for the connection: what came
// cannot be decompressed, or Write has failed.
func (d *Decoder) End() (Head, error) {
	if d.err == nil && d.hpack.Close() != nil {
		d.err = errTruncated
	}
	if d.err != nil {
		d.forget()
		return Head{}, d.err
	}
	if d.stored && !d.trailers {
		d.finish()
	}
	head := d.head
	if d.stored {
		head.Text = d.text
	}
	d.forget()
	return head, nil
}

// finish writes what can be written only when all fields are there.
func (d *Decoder) finish() {
	if !d.regular && !d.requestLine() {
		return
	}
	if d.authority == "" && !d.hasHost {
		d.malformed(noHost)
		return
	}
	if len(d.crumbs) > 0 {
		d.cookie()
	}
}

// malformed says that the request is, once; nothing more is stored.
func (d *Decoder) malformed(why string) {
	d.head = Head{Malformed: why}
	d.stop()
}

// stop says that the rest of the block matters to the decompressor alone.
func (d *Decoder) stop() {
	d.stored = false
	d.hpack.SetEmitEnabled(false)
}

// fits reports whether a line of so many bytes fits in the head. If not, the head is too large.
func (d *Decoder) fits(line int) bool {
	if len(d.text)-d.start+d.crumbsSize+line+len("\r\n") <= d.most {
		return true
	}
	d.tooLarge()
	return false
}

func (d *Decoder) tooLarge() {
	d.head = Head{TooLarge: true}
	d.stop()
}
