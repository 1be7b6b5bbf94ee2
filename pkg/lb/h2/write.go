package h2

// Writing frames (RFC 9113 sections 4 and 6).

import "encoding/binary"

// PutFrame writes the head of a frame to the first HeaderSize bytes of p, which must be there: for content that has
// room left before it.
func PutFrame(p []byte, f Frame) {
	_ = p[HeaderSize-1]
	p[0], p[1], p[2] = byte(f.Length>>16), byte(f.Length>>8), byte(f.Length)
	p[3], p[4] = byte(f.Type), byte(f.Flags)
	binary.BigEndian.PutUint32(p[5:], f.Stream)
}

// AppendFrame appends the head of a frame.
func AppendFrame(dst []byte, f Frame) []byte {
	dst = append(dst, byte(f.Length>>16), byte(f.Length>>8), byte(f.Length), byte(f.Type), byte(f.Flags))
	return binary.BigEndian.AppendUint32(dst, f.Stream)
}

// AppendSettings appends a SETTINGS frame.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = AppendFrame(dst, Frame{Length: settingSize * len(settings), Type: Settings})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the SETTINGS frame that acknowledges another.
func AppendSettingsAck(dst []byte) []byte {
	return AppendFrame(dst, Frame{Type: Settings, Flags: Ack})
}

// AppendPing appends a PING frame; with ack it is the answer to one with the same data.
func AppendPing(dst []byte, ack bool, data [8]byte) []byte {
	f := Frame{Length: len(data), Type: Ping}
	if ack {
		f.Flags = Ack
	}
	return append(AppendFrame(dst, f), data[:]...)
}

// AppendReset appends a RST_STREAM frame.
func AppendReset(dst []byte, stream uint32, code Code) []byte {
	dst = AppendFrame(dst, Frame{Length: 4, Type: RstStream, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendGoAway appends a GOAWAY frame. Streams above last were not looked at, so the client may try them elsewhere.
func AppendGoAway(dst []byte, last uint32, code Code) []byte {
	dst = AppendFrame(dst, Frame{Length: 8, Type: GoAway})
	dst = binary.BigEndian.AppendUint32(dst, last)
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame: the peer may send n bytes more, from 1 to MaxWindow, on a stream,
// or on the connection if that is 0.
func AppendWindowUpdate(dst []byte, stream, n uint32) []byte {
	dst = AppendFrame(dst, Frame{Length: 4, Type: WindowUpdate, Stream: stream})
	return binary.BigEndian.AppendUint32(dst, n)
}
