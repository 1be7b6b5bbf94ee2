package registrycli

import (
	"bytes"
	"flag"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMeter_ShowsHowFarATransferIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown bytes.Buffer
		m := &meter{to: &shown, name: "/x\x1b[2J", total: 4 << 20, started: time.Now()}
		r := m.reader(bytes.NewReader(make([]byte, 4<<20)))
		chunk := make([]byte, 1<<20)
		for range 2 {
			time.Sleep(time.Second)
			if _, err := io.ReadFull(r, chunk); err != nil {
				t.Fatal(err)
			}
		}
		if s := shown.String(); !strings.HasSuffix(s, " 50 % of 4.0 MiB  1.0 MiB/s") || strings.Contains(s, "[2J\x1b") || strings.Contains(s, "x\x1b") {
			t.Errorf("shown %q", s)
		}
		// An upload that begins again.
		if _, err := r.(io.Seeker).Seek(0, io.SeekStart); err != nil || m.at != 0 {
			t.Errorf("after going back: at %d, %v", m.at, err)
		}
		m.end()
		if s := shown.String(); !strings.HasSuffix(s, "\r\x1b[K") {
			t.Errorf("the progress stays: %q", s)
		}
	})
}

// TestMeter_LeavesOutWhatNobodyLooksAt: without a terminal the reader is the one that it was given.
func TestMeter_LeavesOutWhatNobodyLooksAt(t *testing.T) {
	s := newSession(nil, Streams{Err: io.Discard})
	in := strings.NewReader("x")
	if got := s.meter("/x", 1<<30).reader(in); got != in {
		t.Errorf("the reader is %T", got)
	}
}

func TestVisible_KeepsTabsAndLines(t *testing.T) {
	if got := string(visible([]byte("+a\tb\n-\x1b[31mred\r\n last"))); got != "+a\tb\n-\uFFFD[31mred\uFFFD\n last" {
		t.Errorf("visible gave %q", got)
	}
}

func newFlags(s *session, v verb) *flag.FlagSet {
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	s.flags(flags)
	v.make(flags)
	return flags
}

func TestParse_FlagsMayStandAnywhere(t *testing.T) {
	for _, line := range []string{"-n 3 /a /b", "/a -n 3 /b", "/a /b -n=3", "-n 3 -- /a /b", "/a -n 3 -- /b"} {
		s := newSession(nil, Streams{})
		v, _ := find("log")
		flags := newFlags(s, v)
		args, err := parse(flags, strings.Fields(line))
		if err != nil || strings.Join(args, " ") != "/a /b" || flags.Lookup("n").Value.String() != "3" {
			t.Errorf("%q: %v, %v", line, args, err)
		}
	}
	v, _ := find("log")
	if args, err := parse(newFlags(newSession(nil, Streams{}), v), []string{"--", "-n", "--"}); err != nil || len(args) != 2 {
		t.Errorf("behind --: %q, %v", args, err)
	}
}
