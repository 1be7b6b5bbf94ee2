//go:build !race

package h2

import "testing"

// The race detector allocates by itself, so these are for builds without it; `make unit` runs them apart.

func TestDecoder_AllocatesNothingForWhatIsInTheTables(t *testing.T) {
	d, e := NewDecoder(), newEncoder()
	fields := get(field{"user-agent", "a"}, field{"cookie", "a=1"}, field{"cookie", "b=2"}, field{"accept", "*/*"}, field{"host", "a.test"}, field{"te", "trailers"})
	text := make([]byte, 0, 4096)
	decodeOnce := func(block []byte) Head {
		d.Begin(text)
		if err := d.Write(block); err != nil {
			t.Fatal(err)
		}
		head, err := d.End()
		if err != nil || head.Malformed != "" || head.TooLarge {
			t.Fatal(outcome(head, err))
		}
		return head
	}
	first := string(decodeOnce(e.block(t, fields)).Text)
	again := e.block(t, fields)
	if len(again) != len(fields) {
		t.Fatalf("%d bytes for %d fields: they are not in the tables", len(again), len(fields))
	}
	if n := testing.AllocsPerRun(500, func() { decodeOnce(again) }); n > 0 {
		t.Errorf("%v allocations for a head", n)
	}
	if got := string(decodeOnce(again).Text); got != first {
		t.Errorf("%q; want %q", got, first)
	}
}

func TestAppend_AllocatesNothing(t *testing.T) {
	out := make([]byte, 0, 4096)
	name, value := []byte("Content-Type"), []byte("text/html")
	payload := AppendSettings(nil, Setting{InitialWindowSize, 1}, Setting{MaxFrameSize, MaxFrame})
	n := testing.AllocsPerRun(500, func() {
		dst := AppendStatus(AppendNoTable(out), 200)
		dst = AppendField(dst, name, value)
		dst = AppendFieldString(dst, "X-Request-Id", "0123456789")
		dst = AppendSettings(dst, Setting{MaxConcurrentStreams, 250})
		dst = AppendSettingsAck(dst)
		dst = AppendPing(dst, true, [8]byte{1})
		dst = AppendReset(dst, 1, Cancel)
		dst = AppendGoAway(dst, 1, NoError)
		dst = AppendWindowUpdate(dst, 1, 1)
		f := ParseFrame(payload)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		for id, value := range EachSetting(payload[HeaderSize:]) {
			if err := id.Check(value); err != nil {
				t.Fatal(err)
			}
		}
		PutFrame(dst, Frame{Length: len(dst), Type: Data, Stream: 1})
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDecoder_RefusingAllocatesNothing(t *testing.T) {
	d := NewDecoder()
	bad := []byte{indexed | 2, indexed | 7, indexed | 2}
	n := testing.AllocsPerRun(500, func() {
		d.Begin(nil)
		if err := d.Write(bad); err != nil {
			t.Fatal(err)
		}
		if head, err := d.End(); err != nil || head.Malformed != twicePseudo {
			t.Fatal(outcome(head, err))
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}
