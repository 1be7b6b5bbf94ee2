package h2

// Frames as they come (RFC 9113 sections 4 and 6).

import "encoding/binary"

const (
	// Preface is what a client says first (RFC 9113 section 3.4).
	Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

	// HeaderSize is how many bytes are before the payload of a frame.
	HeaderSize = 9

	// MaxFrame is the largest payload that is taken: what SETTINGS_MAX_FRAME_SIZE begins with, and is left at.
	MaxFrame = 16 << 10

	// DefaultWindow is what flow-control windows begin with, in bytes (RFC 9113 section 6.9.2).
	DefaultWindow = 1<<16 - 1

	// MaxWindow is what flow-control windows can grow to (RFC 9113 section 6.9.1).
	MaxWindow = 1<<31 - 1

	maxStreamID = 1<<31 - 1
)

// Type is the type of a frame. A peer may send others than those below; they are ignored.
type Type uint8

// The types of RFC 9113 section 6.
const (
	Data Type = iota
	Headers
	Priority
	RstStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
)

// Flags are the flags of a frame. What a bit means depends on the type.
type Flags uint8

// The flags of RFC 9113 section 6, and the types that have them.
const (
	EndStream   Flags = 0x1  // Data, Headers
	Ack         Flags = 0x1  // Settings, Ping
	EndHeaders  Flags = 0x4  // Headers, Continuation
	Padded      Flags = 0x8  // Data, Headers
	Prioritized Flags = 0x20 // Headers; the RFC says PRIORITY
)

// Frame is the head of a frame.
type Frame struct {
	Length int // bytes of the payload, below 1<<24
	Type   Type
	Flags  Flags
	Stream uint32 // 31 bits; 0 is the connection
}

// ParseFrame reads the head of a frame from the first HeaderSize bytes of p, which must be there.
func ParseFrame(p []byte) Frame {
	_ = p[HeaderSize-1]
	return Frame{
		Length: int(p[0])<<16 | int(p[1])<<8 | int(p[2]),
		Type:   Type(p[3]),
		Flags:  Flags(p[4]),
		Stream: binary.BigEndian.Uint32(p[5:]) & maxStreamID,
	}
}

// Has reports whether a flag is set.
func (f Frame) Has(flag Flags) bool { return f.Flags&flag != 0 }

// Check says what is wrong with a frame from a client that its head alone tells, as an *Error. Frames of unknown
// types pass if they are not too long (RFC 9113 section 5.5). That of a PRIORITY of a wrong length is for a stream
// that may not be open; all others are for the connection.
func (f Frame) Check() error {
	switch {
	case f.Length > MaxFrame:
		return errFrameTooLong
	case f.Type > Continuation:
		return nil
	}
	if err := f.checkStream(); err != nil {
		return err
	}
	if err := f.checkLength(); err != nil {
		return err
	}
	return nil
}

// checkStream says whether frames of this type can have the stream. Streams with even numbers would be the
// server's own, and it opens none; but PRIORITY may name any stream (RFC 9113 section 6.3).
func (f Frame) checkStream() *Error {
	switch f.Type {
	case PushPromise:
		return errPush
	case Settings, Ping, GoAway:
		if f.Stream != 0 {
			return errStreamNotZero
		}
		return nil
	case WindowUpdate, Priority:
	default:
	}
	switch {
	case f.Stream == 0 && f.Type != WindowUpdate:
		return errStreamZero
	case f.Stream != 0 && f.Stream%2 == 0 && f.Type != Priority:
		return errStreamEven
	}
	return nil
}

// checkLength says whether frames of this type can have the length.
func (f Frame) checkLength() *Error {
	switch {
	case f.Type == Priority && f.Length != 5:
		return errPriorityLength
	case f.Type == RstStream && f.Length != 4:
		return errResetLength
	case f.Type == Settings && f.Has(Ack) && f.Length != 0:
		return errSettingsAck
	case f.Type == Settings && f.Length%6 != 0:
		return errSettingsLength
	case f.Type == Ping && f.Length != 8:
		return errPingLength
	case f.Type == GoAway && f.Length < 8:
		return errGoAwayLength
	case f.Type == WindowUpdate && f.Length != 4:
		return errUpdateLength
	}
	return nil
}

// Content gives the content in the payload of a DATA frame, without padding (RFC 9113 section 6.1). Flow control
// counts all of Length. The error is an *Error for the connection.
func (f Frame) Content(payload []byte) ([]byte, error) {
	if !f.Has(Padded) {
		return payload, nil
	}
	content, err := unpad(payload, 0)
	if err != nil {
		return nil, err
	}
	return content, nil
}

// Fragment gives the part of a field block in the payload of a HEADERS or CONTINUATION frame, without padding and
// priority (RFC 9113 sections 6.2 and 6.10). The error is an *Error. If it is for the stream alone, the fragment is
// there beside it, and the Decoder must still see it.
func (f Frame) Fragment(payload []byte) ([]byte, error) {
	if f.Type != Headers {
		return payload, nil
	}
	size := 0
	if f.Has(Prioritized) {
		size = 5
	}
	fragment := payload
	if f.Has(Padded) {
		var err *Error
		if fragment, err = unpad(payload, size); err != nil {
			return nil, err
		}
	}
	if len(fragment) < size {
		return nil, errTooShort
	}
	if size > 0 && dependsOn(fragment) == f.Stream {
		return fragment[size:], errDependsOnSelf
	}
	return fragment[size:], nil
}

// unpad takes the length of the padding from the front of a payload, and the padding from its end. At least so many
// bytes must be left as a field takes that cannot be missing.
func unpad(payload []byte, least int) ([]byte, *Error) {
	if len(payload) < 1+least {
		return nil, errTooShort
	}
	padding, rest := int(payload[0]), payload[1:]
	if padding > len(rest)-least {
		return nil, errPadding
	}
	return rest[:len(rest)-padding], nil
}

// dependsOn reads on which stream another depends (RFC 7540 section 6.3). What else priorities of that kind say is
// ignored, as RFC 9113 section 5.3.2 has it.
func dependsOn(priority []byte) uint32 { return binary.BigEndian.Uint32(priority) & maxStreamID }

// PriorityFault says whether a PRIORITY frame that Check passed makes a stream depend on itself; that is an *Error
// for the stream, which may not be open.
func PriorityFault(f Frame, payload []byte) error {
	if dependsOn(payload) == f.Stream {
		return errDependsOnSelf
	}
	return nil
}

// Increment reads the payload of a WINDOW_UPDATE frame that Check passed. That 0 is an error, of the stream or of the
// connection (RFC 9113 section 6.9), is for the caller to say.
func Increment(payload []byte) uint32 { return binary.BigEndian.Uint32(payload) & MaxWindow }
