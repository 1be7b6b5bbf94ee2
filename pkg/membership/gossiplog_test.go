package membership

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestGossipLog_LevelsAndReasons(t *testing.T) {
	for _, tc := range []struct{ line, level, detail, reason string }{
		{"[DEBUG] memberlist: Stream connection from=10.0.0.2:4250\n", "DEBUG", "Stream connection from=10.0.0.2:4250", ""},
		{"[INFO] memberlist: Marking x as failed\n", "INFO", "Marking x as failed", ""},
		{"[INFO] memberlist: Suspect x has failed, no acks received\n", "DEBUG", "Suspect x has failed, no acks received", ""},
		{"[ERR] memberlist: Conflicting address for x\n", "WARN", "Conflicting address for x", ""},
		{"[ERR] memberlist: Push/Pull with x failed: EOF\n", "DEBUG", "Push/Pull with x failed: EOF", ""},
		{"[WARN] memberlist: Got ping for unexpected node x\n", "DEBUG", "Got ping for unexpected node x", ""},
		{"[ERR] memberlist: discarding packet with unacceptable label \"b\": from=x\n", "WARN", `discarding packet with unacceptable label "b": from=x`, rejectLabel},
		{"[ERR] memberlist: Decrypt packet failed: y from=x\n", "WARN", "Decrypt packet failed: y from=x", rejectKey},
		{"[ERR] memberlist: failed to receive: refused by this member: the stream is longer than 1 bytes from=x\n", "DEBUG", "failed to receive: refused", ""},
		{"[ERR] memberlist: failed to receive: decompressed message is larger than limit (1) from=x\n", "WARN", "larger than limit", rejectOversized},
		{"[ERR] memberlist: Failed to decode ping request: EOF from=x\n", "WARN", "Failed to decode", rejectMalformed},
		{"[ERR] memberlist: failed to receive: read tcp: connection reset by peer from=x\n", "WARN", "connection reset", ""},
		{"[WARN] memberlist: ignoring alive message for 'x': y\n", "DEBUG", "ignoring alive message", ""},
		{"Err: Could not set the deadline: z\n", "INFO", "Err: Could not set the deadline: z", ""},
		{"[", "INFO", "[", ""},
	} {
		var out bytes.Buffer
		reason := ""
		l := newGossipLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), func(r string) { reason = r })
		if n, err := l.Write([]byte(tc.line)); n != len(tc.line) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		want := fmt.Sprintf("level=%s msg=gossip detail=", tc.level)
		if got := out.String(); !strings.Contains(got, want) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), tc.detail) {
			t.Errorf("%q became %q, want %s and %q", tc.line, got, want, tc.detail)
		}
		if reason != tc.reason {
			t.Errorf("%q: reason %q, want %q", tc.line, reason, tc.reason)
		}
	}
}

func TestGossipLog_FloodIsCutOffAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		rejected := 0
		l := newGossipLog(slog.New(slog.NewTextHandler(&out, nil)), func(string) { rejected++ })
		line := []byte("[ERR] memberlist: Decrypt packet failed: x\n")
		for range 1000 {
			_, _ = l.Write(line)
		}
		if n := strings.Count(out.String(), "\n"); n != gossipLogBurst {
			t.Errorf("%d of 1000 lines were written, want %d", n, gossipLogBurst)
		}
		if rejected != 1000 {
			t.Errorf("%d refusals counted, want all 1000", rejected)
		}
		<-time.After(gossipLogRefill)
		_, _ = l.Write(line)
		if want := fmt.Sprintf("suppressed=%d", 1000-gossipLogBurst); !strings.Contains(out.String(), want) {
			t.Errorf("the log does not say %s", want)
		}
	})
}

func TestGossipLog_ToldOnceForEachAddressAndReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		rejected := 0
		l := newGossipLog(slog.New(slog.NewTextHandler(&out, nil)), func(string) { rejected++ })
		hour := func(lines ...string) {
			for range 3600 {
				<-time.After(time.Second)
				for _, line := range lines {
					_, _ = l.Write([]byte(line))
				}
			}
		}
		hour("[ERR] memberlist: Decrypt packet failed: x from=192.0.2.1:4250\n", "[ERR] memberlist: Decrypt packet failed: x from=192.0.2.1:50001\n",
			"[ERR] memberlist: discarding packet with unacceptable label \"b\": from=192.0.2.1:4250\n", "[ERR] memberlist: Decrypt packet failed: x from=[2001:db8::1]:4250\n")
		if n := strings.Count(out.String(), "\n"); n != 3*6 {
			t.Errorf("%d lines in an hour, want one in ten minutes for each of three", n)
		}
		if rejected != 4*3600 {
			t.Errorf("%d refusals counted", rejected)
		}
		for n := range 2 * maxTold {
			<-time.After(gossipLogRefill)
			l.refuse(rejectCIDR, "packet", &net.UDPAddr{IP: net.IPv4(10, 0, byte(n>>8), byte(n)), Port: 1})
		}
		if len(l.told) > maxTold {
			t.Errorf("%d refusals are remembered", len(l.told))
		}
	})
}
