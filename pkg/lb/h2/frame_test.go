package h2

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"golang.org/x/net/http2"
)

func TestFrame_Check(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		f      Frame
		code   Code // NoError: it passes
		stream bool
	}{
		{name: "DATA", f: Frame{MaxFrame, Data, 0, 1}},
		{name: "DATA of nothing", f: Frame{0, Data, EndStream, 1<<31 - 1}},
		{name: "DATA too long", f: Frame{MaxFrame + 1, Data, 0, 1}, code: FrameSizeError},
		{name: "DATA of the connection", f: Frame{1, Data, 0, 0}, code: ProtocolError},
		{name: "DATA of an even stream", f: Frame{1, Data, 0, 2}, code: ProtocolError},
		{name: "HEADERS", f: Frame{1, Headers, EndHeaders, 1}},
		{name: "HEADERS too long", f: Frame{1<<24 - 1, Headers, 0, 1}, code: FrameSizeError},
		{name: "HEADERS of the connection", f: Frame{1, Headers, 0, 0}, code: ProtocolError},
		{name: "HEADERS of an even stream", f: Frame{1, Headers, 0, 4}, code: ProtocolError},
		{name: "PRIORITY", f: Frame{5, Priority, 0, 1}},
		{name: "PRIORITY of an even stream", f: Frame{5, Priority, 0, 2}},
		{name: "PRIORITY of the connection", f: Frame{5, Priority, 0, 0}, code: ProtocolError},
		{name: "PRIORITY too short", f: Frame{4, Priority, 0, 1}, code: FrameSizeError, stream: true},
		{name: "PRIORITY too long", f: Frame{6, Priority, 0, 1}, code: FrameSizeError, stream: true},
		{name: "RST_STREAM", f: Frame{4, RstStream, 0, 1}},
		{name: "RST_STREAM too short", f: Frame{3, RstStream, 0, 1}, code: FrameSizeError},
		{name: "RST_STREAM too long", f: Frame{5, RstStream, 0, 1}, code: FrameSizeError},
		{name: "RST_STREAM of the connection", f: Frame{4, RstStream, 0, 0}, code: ProtocolError},
		{name: "RST_STREAM of an even stream", f: Frame{4, RstStream, 0, 2}, code: ProtocolError},
		{name: "SETTINGS", f: Frame{12, Settings, 0, 0}},
		{name: "SETTINGS of nothing", f: Frame{0, Settings, 0, 0}},
		{name: "SETTINGS of odd length", f: Frame{13, Settings, 0, 0}, code: FrameSizeError},
		{name: "SETTINGS of a stream", f: Frame{6, Settings, 0, 1}, code: ProtocolError},
		{name: "SETTINGS acknowledged", f: Frame{0, Settings, Ack, 0}},
		{name: "SETTINGS acknowledged with more", f: Frame{6, Settings, Ack, 0}, code: FrameSizeError},
		{name: "PUSH_PROMISE", f: Frame{4, PushPromise, EndHeaders, 1}, code: ProtocolError},
		{name: "PING", f: Frame{8, Ping, 0, 0}},
		{name: "PING answered", f: Frame{8, Ping, Ack, 0}},
		{name: "PING too short", f: Frame{7, Ping, 0, 0}, code: FrameSizeError},
		{name: "PING too long", f: Frame{9, Ping, 0, 0}, code: FrameSizeError},
		{name: "PING of a stream", f: Frame{8, Ping, 0, 1}, code: ProtocolError},
		{name: "GOAWAY", f: Frame{8, GoAway, 0, 0}},
		{name: "GOAWAY that says more", f: Frame{100, GoAway, 0, 0}},
		{name: "GOAWAY too short", f: Frame{7, GoAway, 0, 0}, code: FrameSizeError},
		{name: "GOAWAY of a stream", f: Frame{8, GoAway, 0, 1}, code: ProtocolError},
		{name: "WINDOW_UPDATE", f: Frame{4, WindowUpdate, 0, 1}},
		{name: "WINDOW_UPDATE of the connection", f: Frame{4, WindowUpdate, 0, 0}},
		{name: "WINDOW_UPDATE of an even stream", f: Frame{4, WindowUpdate, 0, 2}, code: ProtocolError},
		{name: "WINDOW_UPDATE too short", f: Frame{3, WindowUpdate, 0, 0}, code: FrameSizeError},
		{name: "WINDOW_UPDATE too long", f: Frame{5, WindowUpdate, 0, 1}, code: FrameSizeError},
		{name: "CONTINUATION", f: Frame{0, Continuation, 0, 1}},
		{name: "CONTINUATION of the connection", f: Frame{0, Continuation, 0, 0}, code: ProtocolError},
		{name: "unknown type", f: Frame{3, 0x10, 0xff, 2}},
		{name: "unknown type of the connection", f: Frame{MaxFrame, 0xff, 0, 0}},
		{name: "unknown type too long", f: Frame{MaxFrame + 1, 0xff, 0, 0}, code: FrameSizeError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.f.Check()
			if tt.code == NoError {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, tt.code, tt.stream)
		})
	}
}

func TestFrame_Content(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		flags   Flags
		payload string
		want    string
		code    Code
	}{
		{"no padding", EndStream, "\x02abc", "\x02abc", NoError},
		{"nothing", 0, "", "", NoError},
		{"padding", Padded, "\x02abc\x00\x00", "abc", NoError},
		{"padding of nothing", Padded, "\x00abc", "abc", NoError},
		{"padding alone", Padded, "\x03\x00\x00\x00", "", NoError},
		{"padding as long as the frame", Padded, "\x04\x00\x00\x00", "", ProtocolError},
		{"padding longer than the frame", Padded, "\xffabc", "", ProtocolError},
		{"no length of the padding", Padded, "", "", FrameSizeError},
	} {
		got, err := Frame{Length: len(tt.payload), Type: Data, Flags: tt.flags, Stream: 1}.Content([]byte(tt.payload))
		if tt.code != NoError {
			t.Run(tt.name, func(t *testing.T) { wantError(t, err, tt.code, false) })
		} else if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

func TestFrame_Fragment(t *testing.T) {
	t.Parallel()
	const onThree, onSeven = "\x80\x00\x00\x03\xff", "\x00\x00\x00\x07\x00"
	for _, tt := range []struct {
		name    string
		kind    Type
		flags   Flags
		payload string
		want    string
		code    Code
		stream  bool
	}{
		{name: "plain", kind: Headers, flags: EndHeaders | EndStream, payload: "\x02abc", want: "\x02abc"},
		{name: "nothing", kind: Headers},
		{name: "padding", kind: Headers, flags: Padded, payload: "\x02abc\x00\x00", want: "abc"},
		{name: "padding alone", kind: Headers, flags: Padded, payload: "\x02\x00\x00", want: ""},
		{name: "priority", kind: Headers, flags: Prioritized, payload: onSeven + "abc", want: "abc"},
		{name: "priority alone", kind: Headers, flags: Prioritized, payload: onSeven, want: ""},
		{name: "both", kind: Headers, flags: Padded | Prioritized, payload: "\x02" + onSeven + "abc\x00\x00", want: "abc"},
		{name: "both, and nothing", kind: Headers, flags: Padded | Prioritized, payload: "\x02" + onSeven + "\x00\x00", want: ""},
		{name: "depends on itself", kind: Headers, flags: Prioritized, payload: onThree + "abc", want: "abc", code: ProtocolError, stream: true},
		{name: "depends on itself, with padding", kind: Headers, flags: Prioritized | Padded, payload: "\x01" + onThree + "abc\x00", want: "abc", code: ProtocolError, stream: true},
		{name: "too much padding", kind: Headers, flags: Padded, payload: "\x04abc", code: ProtocolError},
		{name: "padding over the priority", kind: Headers, flags: Padded | Prioritized, payload: "\x01" + onSeven, code: ProtocolError},
		{name: "no length of the padding", kind: Headers, flags: Padded, code: FrameSizeError},
		{name: "priority too short", kind: Headers, flags: Prioritized, payload: onSeven[:4], code: FrameSizeError},
		{name: "priority too short, with padding", kind: Headers, flags: Padded | Prioritized, payload: "\x00" + onSeven[:4], code: FrameSizeError},
		{name: "CONTINUATION has no padding", kind: Continuation, flags: EndHeaders | Padded | Prioritized, payload: "\x02abc", want: "\x02abc"},
	} {
		got, err := Frame{Length: len(tt.payload), Type: tt.kind, Flags: tt.flags, Stream: 3}.Fragment([]byte(tt.payload))
		if string(got) != tt.want {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		if tt.code != NoError {
			t.Run(tt.name, func(t *testing.T) { wantError(t, err, tt.code, tt.stream) })
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestPriorityFault(t *testing.T) {
	t.Parallel()
	f := Frame{Length: 5, Type: Priority, Stream: 3}
	if err := PriorityFault(f, []byte{0x80, 0, 0, 7, 3}); err != nil {
		t.Error(err)
	}
	wantError(t, PriorityFault(f, []byte{0x80, 0, 0, 3, 7}), ProtocolError, true)
}

func TestSettingID_Check(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id    SettingID
		value uint32
		code  Code
	}{
		{HeaderTableSize, 1<<32 - 1, NoError},
		{EnablePush, 0, NoError},
		{EnablePush, 1, NoError},
		{EnablePush, 2, ProtocolError},
		{MaxConcurrentStreams, 1<<32 - 1, NoError},
		{InitialWindowSize, 0, NoError},
		{InitialWindowSize, 1<<31 - 1, NoError},
		{InitialWindowSize, 1 << 31, FlowControlError},
		{MaxFrameSize, 1<<14 - 1, ProtocolError},
		{MaxFrameSize, 1 << 14, NoError},
		{MaxFrameSize, 1<<24 - 1, NoError},
		{MaxFrameSize, 1 << 24, ProtocolError},
		{MaxHeaderListSize, 0, NoError},
		{0, 1<<32 - 1, NoError},
		{0xffff, 1<<32 - 1, NoError},
	} {
		if err := tt.id.Check(tt.value); tt.code != NoError {
			wantError(t, err, tt.code, false)
		} else if err != nil {
			t.Errorf("setting %d of %d: %v", tt.id, tt.value, err)
		}
	}
}

func TestEachSetting(t *testing.T) {
	t.Parallel()
	want := []Setting{{InitialWindowSize, 1}, {0xabcd, 1<<32 - 1}, {InitialWindowSize, 2}}
	payload := AppendSettings(nil, want...)[HeaderSize:]
	var got []Setting
	for id, value := range EachSetting(payload) {
		got = append(got, Setting{id, value})
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	for id := range EachSetting(payload) {
		if id != InitialWindowSize {
			t.Error("it goes on")
		}
		break
	}
	if got := maps.Collect(EachSetting(payload[:5])); len(got) > 0 {
		t.Errorf("%v of half a setting", got)
	}
}

// What x/net writes is read, and means the same.
func TestParseFrame_ReadsWhatXNetWrites(t *testing.T) {
	t.Parallel()
	var wire bytes.Buffer
	framer := http2.NewFramer(&wire, nil)
	for _, tt := range []struct {
		write   func() error
		want    Frame
		content string
		check   func(payload []byte) bool
	}{
		{write: func() error { return framer.WriteData(5, true, []byte("abc")) }, want: Frame{3, Data, EndStream, 5}, content: "abc"},
		{write: func() error { return framer.WriteDataPadded(5, false, []byte("abc"), make([]byte, 9)) }, want: Frame{13, Data, Padded, 5}, content: "abc"},
		{write: func() error {
			return framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 7, BlockFragment: []byte("abc"), EndStream: true, PadLength: 3, Priority: http2.PriorityParam{StreamDep: 5, Weight: 1}})
		}, want: Frame{12, Headers, EndStream | Padded | Prioritized, 7}, content: "abc"},
		{write: func() error { return framer.WriteContinuation(7, true, []byte("abc")) }, want: Frame{3, Continuation, EndHeaders, 7}, content: "abc"},
		{
			write: func() error { return framer.WritePriority(7, http2.PriorityParam{StreamDep: 5}) }, want: Frame{5, Priority, 0, 7},
			check: func(p []byte) bool { return dependsOn(p) == 5 },
		},
		{write: func() error { return framer.WriteRSTStream(7, http2.ErrCodeCancel) }, want: Frame{4, RstStream, 0, 7}},
		{
			write: func() error {
				return framer.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 77777})
			}, want: Frame{6, Settings, 0, 0},
			check: func(p []byte) bool { return maps.Collect(EachSetting(p))[MaxFrameSize] == 77777 },
		},
		{write: func() error { return framer.WriteSettingsAck() }, want: Frame{0, Settings, Ack, 0}},
		{write: func() error { return framer.WritePing(true, [8]byte{1}) }, want: Frame{8, Ping, Ack, 0}},
		{write: func() error { return framer.WriteGoAway(9, http2.ErrCodeEnhanceYourCalm, []byte("debug")) }, want: Frame{13, GoAway, 0, 0}},
		{
			write: func() error { return framer.WriteWindowUpdate(1<<31-1, 1<<31-1) }, want: Frame{4, WindowUpdate, 0, 1<<31 - 1},
			check: func(p []byte) bool { return Increment(p) == MaxWindow },
		},
		{write: func() error { return framer.WriteRawFrame(0xfe, 0xff, 3, []byte("x")) }, want: Frame{1, 0xfe, 0xff, 3}},
	} {
		wire.Reset()
		if err := tt.write(); err != nil {
			t.Fatal(err)
		}
		f, payload := ParseFrame(wire.Bytes()), wire.Bytes()[HeaderSize:]
		if f != tt.want || f.Check() != nil || len(payload) != f.Length {
			t.Errorf("%+v, %v; want %+v", f, f.Check(), tt.want)
			continue
		}
		if tt.content != "" {
			if content, err := contentOf(f, payload); err != nil || string(content) != tt.content {
				t.Errorf("%+v: %q, %v", f, content, err)
			}
		}
		if tt.check != nil && !tt.check(payload) {
			t.Errorf("%+v: % x means something else", f, payload)
		}
	}
	if Preface != http2.ClientPreface {
		t.Errorf("preface %q", Preface)
	}
}

func contentOf(f Frame, payload []byte) ([]byte, error) {
	if f.Type == Data {
		return f.Content(payload)
	}
	return f.Fragment(payload)
}

func TestParseFrame_DropsTheReservedBit(t *testing.T) {
	t.Parallel()
	if f := ParseFrame([]byte{0, 0, 0, 0, 0, 0x80, 0, 0, 1}); f.Stream != 1 {
		t.Errorf("stream %d", f.Stream)
	}
	if n := Increment([]byte{0x80, 0, 0, 1}); n != 1 {
		t.Errorf("increment %d", n)
	}
}

// x/net reads what is written.
func TestAppend_IsReadByXNet(t *testing.T) {
	t.Parallel()
	var wire []byte
	wire = AppendSettings(wire, Setting{MaxConcurrentStreams, 250}, Setting{InitialWindowSize, 1 << 20})
	wire = AppendSettingsAck(wire)
	wire = AppendPing(wire, false, [8]byte{1, 2, 3})
	wire = AppendPing(wire, true, [8]byte{1, 2, 3})
	wire = AppendReset(wire, 5, EnhanceYourCalm)
	wire = AppendWindowUpdate(wire, 0, MaxWindow)
	wire = AppendWindowUpdate(wire, 7, 1)
	wire = append(AppendFrame(wire, Frame{3, Headers, EndHeaders, 7}), "abc"...)
	at := len(wire)
	wire = append(wire, "         abcd"...)
	PutFrame(wire[at:], Frame{4, Data, EndStream, 7})
	wire = AppendGoAway(wire, 7, InternalError)
	framer := http2.NewFramer(nil, bytes.NewReader(wire))
	read := func() http2.Frame {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	s, ok := read().(*http2.SettingsFrame)
	if !ok || s.NumSettings() != 2 || s.Setting(0) != (http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 250}) || s.Setting(1) != (http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}) || s.IsAck() {
		t.Errorf("%v", s)
	}
	if s, ok := read().(*http2.SettingsFrame); !ok || !s.IsAck() {
		t.Errorf("%v", s)
	}
	if p, ok := read().(*http2.PingFrame); !ok || p.IsAck() || p.Data != [8]byte{1, 2, 3} {
		t.Errorf("%v", p)
	}
	if p, ok := read().(*http2.PingFrame); !ok || !p.IsAck() || p.Data != [8]byte{1, 2, 3} {
		t.Errorf("%v", p)
	}
	if r, ok := read().(*http2.RSTStreamFrame); !ok || r.StreamID != 5 || r.ErrCode != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("%v", r)
	}
	if w, ok := read().(*http2.WindowUpdateFrame); !ok || w.StreamID != 0 || w.Increment != MaxWindow {
		t.Errorf("%v", w)
	}
	if w, ok := read().(*http2.WindowUpdateFrame); !ok || w.StreamID != 7 || w.Increment != 1 {
		t.Errorf("%v", w)
	}
	if h, ok := read().(*http2.HeadersFrame); !ok || h.StreamID != 7 || !h.HeadersEnded() || h.StreamEnded() || string(h.HeaderBlockFragment()) != "abc" {
		t.Errorf("%v", h)
	}
	if d, ok := read().(*http2.DataFrame); !ok || d.StreamID != 7 || !d.StreamEnded() || string(d.Data()) != "abcd" {
		t.Errorf("%v", d)
	}
	if g, ok := read().(*http2.GoAwayFrame); !ok || g.LastStreamID != 7 || g.ErrCode != http2.ErrCodeInternal {
		t.Errorf("%v", g)
	}
}

func TestAppendFrame_IsReadBack(t *testing.T) {
	t.Parallel()
	want := Frame{0xabcdef, 0x12, 0x34, 0x7fedcba9}
	if got := ParseFrame(AppendFrame([]byte{}, want)); got != want {
		t.Errorf("%+v", got)
	}
	p := make([]byte, HeaderSize+1)
	PutFrame(p, want)
	if got := ParseFrame(p); got != want || p[HeaderSize] != 0 {
		t.Errorf("%+v", got)
	}
}

func TestCode_String(t *testing.T) {
	t.Parallel()
	for c := NoError; c <= HTTP11Required; c++ {
		if got, want := c.String(), http2.ErrCode(c).String(); got != want {
			t.Errorf("%d is %s; x/net says %s", c, got, want)
		}
	}
	for c, want := range map[Code]string{14: "14", 1<<32 - 1: "4294967295"} {
		if got := c.String(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	if got := (&Error{Code: Cancel, Text: "because"}).Error(); got != "CANCEL: because" {
		t.Error(got)
	}
}

// Whatever x/net refuses in a frame is refused here too; and where both take it, its content is the same.
func FuzzFrame(f *testing.F) {
	for _, frame := range []Frame{{3, Data, Padded, 1}, {9, Headers, Padded | Prioritized, 3}, {6, Settings, 0, 0}, {4, WindowUpdate, 0, 1}, {5, Priority, 0, 1}, {1, 0x20, 0, 0}} {
		f.Add(append(AppendFrame(nil, frame), 1, 0, 0, 0, 5, 6, 7, 8, 9))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		if len(wire) < HeaderSize {
			return
		}
		frame := ParseFrame(wire)
		if frame.Length > MaxFrame {
			wantError(t, frame.Check(), FrameSizeError, false)
			return
		}
		wire = append(wire, make([]byte, frame.Length)...)[:HeaderSize+frame.Length]
		content, err := readOurs(frame, wire[HeaderSize:])
		framer := http2.NewFramer(nil, bytes.NewReader(wire))
		framer.AllowIllegalReads = true // the order of frames
		theirs, theirErr := framer.ReadFrame()
		if theirErr != nil {
			if err == nil && frame.Type <= Continuation {
				t.Fatalf("%+v is taken; x/net says %v", frame, theirErr)
			}
			return
		}
		var broken *Error
		if err != nil && !errors.As(err, &broken) {
			t.Fatalf("%+v: %v is no *Error", frame, err)
		}
		var want []byte
		switch their := theirs.(type) {
		case *http2.DataFrame:
			want = their.Data()
		case *http2.HeadersFrame:
			want = their.HeaderBlockFragment()
		case *http2.ContinuationFrame:
			want = their.HeaderBlockFragment()
		}
		if err == nil && !bytes.Equal(content, want) {
			t.Fatalf("%+v: %q; x/net says %q", frame, content, want)
		}
	})
}

// readOurs reads a frame as a connection would.
func readOurs(f Frame, payload []byte) (content []byte, err error) {
	if err := f.Check(); err != nil {
		return nil, err
	}
	switch f.Type {
	case Data:
		return f.Content(payload)
	case Headers, Continuation:
		return f.Fragment(payload)
	case Priority:
		return nil, PriorityFault(f, payload)
	case Settings:
		for id, value := range EachSetting(payload) {
			if err := id.Check(value); err != nil {
				return nil, err
			}
		}
	case WindowUpdate:
		if Increment(payload) == 0 {
			return nil, errUpdateLength // any; this is the caller's to say
		}
	default:
	}
	return nil, nil
}
