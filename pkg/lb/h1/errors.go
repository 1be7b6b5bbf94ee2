package h1

// Errors of the codec. All are made once, so refusing a message costs no memory.

// Error says why a message is refused. Every error of this package is one.
type Error struct {
	Status int    // what to answer: 400, 414, 417 or 431 for a request or its body, 502 for a response
	Text   string // short, for people: "two Host fields"
}

// Error gives the text.
func (e *Error) Error() string { return e.Text }

// fault is a rule that a message broke; requests and responses share the rules but not the status.
type fault uint8

const (
	fine fault = iota
	headTooLarge
	tooManyFields
	targetTooLong
	bareLF
	folded
	noColon
	badName
	spaceBeforeColon
	badValue
	badMethod
	badRequestLine
	badTarget
	badAuthority
	badVersion
	badStatusLine
	badStatus
	noHost
	twoHosts
	badHost
	hostDiffers
	badLength
	twoLengths
	badCoding
	twoCodings
	codingInOld
	lengthAndCoding
	bodyForbidden
	badOption
	tooManyOptions
	essentialOption
	badTrailer
	badExpect
	faults // how many there are
)

var texts = [faults]string{
	headTooLarge:     "head too large",
	tooManyFields:    "too many fields",
	targetTooLong:    "request target too long",
	bareLF:           "line does not end with CR LF",
	folded:           "white space before a field name",
	noColon:          "field without a colon",
	badName:          "bad field name",
	spaceBeforeColon: "white space before a colon",
	badValue:         "control character in a field value",
	badMethod:        "bad method",
	badRequestLine:   "bad request line",
	badTarget:        "bad request target",
	badAuthority:     "bad authority in the request target",
	badVersion:       "HTTP version not supported here",
	badStatusLine:    "bad status line",
	badStatus:        "bad status code",
	noHost:           "no Host field",
	twoHosts:         "two Host fields",
	badHost:          "bad Host field",
	hostDiffers:      "Host differs from the request target",
	badLength:        "bad Content-Length",
	twoLengths:       "two Content-Length fields",
	badCoding:        "Transfer-Encoding other than chunked",
	twoCodings:       "two Transfer-Encoding fields",
	codingInOld:      "Transfer-Encoding in HTTP/1.0",
	lengthAndCoding:  "both Content-Length and Transfer-Encoding",
	bodyForbidden:    "body length in a message that has no body",
	badOption:        "bad Connection field",
	tooManyOptions:   "too many options in Connection",
	essentialOption:  "Connection names a field that is not its own",
	badTrailer:       "Trailer names a field that frames the message",
	badExpect:        "expectation other than 100-continue",
}

// What Parse returns for each fault, and Decode for one of a trailer field.
var (
	requestErrors  = errorTable(requestStatus)
	responseErrors = errorTable(func(fault) int { return 502 })
	trailerErrors  = errorTable(func(fault) int { return 400 })
)

func requestStatus(f fault) int {
	switch f {
	case headTooLarge, tooManyFields:
		return 431
	case targetTooLong:
		return 414
	case badExpect:
		return 417
	default:
		return 400
	}
}

func errorTable(status func(fault) int) *[faults]*Error {
	var table [faults]*Error
	for f := fine + 1; f < faults; f++ {
		table[f] = &Error{Status: status(f), Text: texts[f]}
	}
	return &table
}

// What Chunks.Decode returns, beside the errors of trailer fields.
var (
	errChunkSize      = &Error{Status: 400, Text: "bad chunk size"}
	errChunkExtension = &Error{Status: 400, Text: "bad chunk extension"}
	errChunkLine      = &Error{Status: 400, Text: "chunk size line too long"}
	errChunkOverhead  = &Error{Status: 400, Text: "chunks with too little data in them"}
	errChunkEnd       = &Error{Status: 400, Text: "chunk does not end with CR LF"}
	errTrailersLarge  = &Error{Status: 400, Text: "trailer section too large"}
)
