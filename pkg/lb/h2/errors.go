package h2

// Error codes (RFC 9113 section 7), and the errors of the codec. All are made once, so refusing costs no memory.

import "strconv"

// Code says why a stream or a connection ends (RFC 9113 section 7).
type Code uint32

// The codes that there are; a peer may send others.
const (
	NoError Code = iota
	ProtocolError
	InternalError
	FlowControlError
	SettingsTimeout
	StreamClosed
	FrameSizeError
	RefusedStream
	Cancel
	CompressionError
	ConnectError
	EnhanceYourCalm
	InadequateSecurity
	HTTP11Required
)

var codeNames = [...]string{
	NoError:            "NO_ERROR",
	ProtocolError:      "PROTOCOL_ERROR",
	InternalError:      "INTERNAL_ERROR",
	FlowControlError:   "FLOW_CONTROL_ERROR",
	SettingsTimeout:    "SETTINGS_TIMEOUT",
	StreamClosed:       "STREAM_CLOSED",
	FrameSizeError:     "FRAME_SIZE_ERROR",
	RefusedStream:      "REFUSED_STREAM",
	Cancel:             "CANCEL",
	CompressionError:   "COMPRESSION_ERROR",
	ConnectError:       "CONNECT_ERROR",
	EnhanceYourCalm:    "ENHANCE_YOUR_CALM",
	InadequateSecurity: "INADEQUATE_SECURITY",
	HTTP11Required:     "HTTP_1_1_REQUIRED",
}

// String gives the name that RFC 9113 has for the code, or its number.
func (c Code) String() string {
	if int64(c) < int64(len(codeNames)) {
		return codeNames[c]
	}
	return strconv.FormatUint(uint64(c), 10)
}

// Error says why a peer is refused. Every error of this package is an *Error.
type Error struct {
	Code   Code
	Stream bool   // only the stream ends (RST_STREAM), else the connection (GOAWAY)
	Text   string // short, for people: "PING of a wrong length"
}

// Error gives the code and the text.
func (e *Error) Error() string { return e.Code.String() + ": " + e.Text }

// What Frame and SettingID return.
var (
	errFrameTooLong   = &Error{Code: FrameSizeError, Text: "frame too long"}
	errStreamZero     = &Error{Code: ProtocolError, Text: "frame of stream 0 that is for a stream"}
	errStreamNotZero  = &Error{Code: ProtocolError, Text: "frame of a stream that is for the connection"}
	errStreamEven     = &Error{Code: ProtocolError, Text: "frame of a stream with an even number"}
	errPush           = &Error{Code: ProtocolError, Text: "PUSH_PROMISE from a client"}
	errResetLength    = &Error{Code: FrameSizeError, Text: "RST_STREAM of a wrong length"}
	errPriorityLength = &Error{Code: FrameSizeError, Stream: true, Text: "PRIORITY of a wrong length"}
	errSettingsLength = &Error{Code: FrameSizeError, Text: "SETTINGS of a wrong length"}
	errSettingsAck    = &Error{Code: FrameSizeError, Text: "SETTINGS that acknowledge and have content"}
	errPingLength     = &Error{Code: FrameSizeError, Text: "PING of a wrong length"}
	errGoAwayLength   = &Error{Code: FrameSizeError, Text: "GOAWAY too short"}
	errUpdateLength   = &Error{Code: FrameSizeError, Text: "WINDOW_UPDATE of a wrong length"}
	errTooShort       = &Error{Code: FrameSizeError, Text: "frame too short for what its flags promise"}
	errPadding        = &Error{Code: ProtocolError, Text: "more padding than the frame has room for"}
	errDependsOnSelf  = &Error{Code: ProtocolError, Stream: true, Text: "stream depends on itself"}
	errEnablePush     = &Error{Code: ProtocolError, Text: "SETTINGS_ENABLE_PUSH is neither 0 nor 1"}
	errInitialWindow  = &Error{Code: FlowControlError, Text: "SETTINGS_INITIAL_WINDOW_SIZE too large"}
	errMaxFrameSize   = &Error{Code: ProtocolError, Text: "SETTINGS_MAX_FRAME_SIZE out of its range"}
)

// What Decoder returns.
var (
	errCompression = &Error{Code: CompressionError, Text: "field block that cannot be decompressed"}
	errTruncated   = &Error{Code: CompressionError, Text: "field block that ends within a field"}
	errString      = &Error{Code: EnhanceYourCalm, Text: "field name or value far too long"}
	errBlock       = &Error{Code: EnhanceYourCalm, Text: "field block far too large"}
	errFragments   = &Error{Code: EnhanceYourCalm, Text: "field block in too many frames"}
)
