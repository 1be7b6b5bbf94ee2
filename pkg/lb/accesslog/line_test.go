package accesslog

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lmittmann/tint"
)

// format gives the line of r.
func format(f Format, r *Record) string {
	failure := ""
	if r.Error != nil {
		failure = r.Error.Error()
	}
	l := &line{json: f == JSON}
	l.record(r, failure, &clock{json: f == JSON})
	return string(l.buf)
}

func failed() *Record {
	return &Record{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 8, time.FixedZone("", 2*60*60)), RequestID: []byte("id"), Client: netip.MustParseAddr("2001:db8::1"),
		Method: []byte("POST"), Host: []byte("a.example"), Path: []byte("/"), Proto: "HTTP/2.0", Status: 502, Domain: "d", Attempts: 3, Affinity: "moved",
		Total: 2*time.Second + 500*time.Millisecond, Failure: "reset", NoRetry: "it was tried three times", Error: errors.New(`read tcp: "reset" by peer`),
	}
}

func TestLine_Exact(t *testing.T) {
	cases := []struct {
		name string
		f    Format
		r    *Record
		want string
	}{
		{
			"usual text", Text, usual(),
			"2026-03-04 05:06:07.123 INF request request_id=01JQ8Z5X2M4N6P8R0T2V4X6Z8A client=192.0.2.17 method=GET host=governance.example.com" +
				" path=/resource/_system/governance/apimgt/applicationdata/icons/1.png proto=HTTP/1.1 tls=\"TLS 1.3\" status=200 bytes=1024 bytes_in=4096" +
				" service=governance domain=governance.domain sub_domain=mgt member=node-1.example.com attempts=1 wait=21.3µs connect=245µs" +
				" first_byte=1.234ms duration=1.345ms\n",
		},
		{
			"usual JSON", JSON, usual(),
			`{"time":"2026-03-04T05:06:07.123456789Z","level":"INFO","msg":"request","request_id":"01JQ8Z5X2M4N6P8R0T2V4X6Z8A","client":"192.0.2.17",` +
				`"method":"GET","host":"governance.example.com","path":"/resource/_system/governance/apimgt/applicationdata/icons/1.png","proto":"HTTP/1.1",` +
				`"tls":"TLS 1.3","status":200,"bytes":1024,"bytes_in":4096,"service":"governance","domain":"governance.domain","sub_domain":"mgt",` +
				`"member":"node-1.example.com","attempts":1,"wait":21300,"connect":245000,"first_byte":1234567,"duration":1345678}` + "\n",
		},
		{
			"failed text", Text, failed(),
			"2026-03-04 05:06:07.000 WRN request failed request_id=id client=2001:db8::1 method=POST host=a.example path=/ proto=HTTP/2.0 status=502 bytes=0" +
				" domain=d attempts=3 affinity=moved duration=2.5s failure=reset no_retry=\"it was tried three times\" error=\"read tcp: \\\"reset\\\" by peer\"\n",
		},
		{
			"failed JSON", JSON, failed(),
			`{"time":"2026-03-04T05:06:07.000000008+02:00","level":"WARN","msg":"request failed","request_id":"id","client":"2001:db8::1","method":"POST",` +
				`"host":"a.example","path":"/","proto":"HTTP/2.0","status":502,"bytes":0,"domain":"d","attempts":3,"affinity":"moved","duration":2500000000,"failure":"reset",` +
				`"no_retry":"it was tried three times","error":"read tcp: \"reset\" by peer"}` + "\n",
		},
		{
			"the client left", Text, &Record{Time: time.Unix(0, 0).UTC(), Status: 499, Failure: "client", Total: time.Hour + time.Millisecond},
			"1970-01-01 00:00:00.000 INF request status=499 bytes=0 duration=1h0m0.001s failure=client\n",
		},
		{"nothing JSON", JSON, &Record{Time: time.Unix(0, 0).UTC()}, `{"time":"1970-01-01T00:00:00.000000000Z","level":"INFO","msg":"request","status":0,"bytes":0,"duration":0}` + "\n"},
	}
	for _, c := range cases {
		if diff := cmp.Diff(c.want, format(c.f, c.r)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

// The lines must look like the rest of the program's log, so the handlers of that are asked.
func TestLine_LooksLikeTheProgramsLog(t *testing.T) {
	for _, path := range []string{"/plain", "/with space", `/quo"ted`, "/a=b", `/back\slash`, `/both\ "`, "/ünïcode/日本", "/tab\tand\nline", "/u\u202eturned", "/bad\xff\xfeutf8"} {
		r := failed()
		r.Time = usual().Time
		r.Path = []byte(path)
		attrs := []any{
			"request_id", "id", "client", "2001:db8::1", "method", "POST", "host", "a.example", "path", path, "proto", "HTTP/2.0", "status", 502, "bytes", 0,
			"domain", "d", "attempts", 3, "affinity", "moved", "duration", r.Total, "failure", "reset", "no_retry", r.NoRetry, "error", r.Error,
		}
		for f, handler := range map[Format]func(*bytes.Buffer) slog.Handler{
			Text: func(b *bytes.Buffer) slog.Handler {
				return tint.NewTextHandler(b, &tint.Options{TimeFormat: "2006-01-02 15:04:05.000", NoColor: true})
			},
			JSON: func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var want bytes.Buffer
			record := slog.NewRecord(r.Time, slog.LevelWarn, "request failed", 0)
			record.Add(attrs...)
			if err := handler(&want).Handle(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			if f == JSON { // slog writes what cannot be seen as it is
				want = *bytes.NewBuffer(bytes.ReplaceAll(want.Bytes(), []byte("\u202e"), []byte(`\u202e`)))
			}
			if f == Text && path == "/bad\xff\xfeutf8" { // tint drops what follows
				continue
			}
			if diff := cmp.Diff(want.String(), format(f, r)); diff != "" {
				t.Errorf("format %d, path %q:\n%s", f, path, diff)
			}
		}
	}
}

func TestRecord_Failed(t *testing.T) {
	for failure, want := range map[string]bool{"": false, "client": false, "reset": true, "timeout": true} {
		if got := (&Record{Failure: failure}).Failed(); got != want {
			t.Errorf("%q: %t", failure, got)
		}
	}
}

func TestAppendDuration_IsGosText(t *testing.T) {
	for _, d := range []time.Duration{
		0, 1, 999, 1000, 1001, 1230, 999999, time.Millisecond, 1234567, 10200300, 999999999, time.Second, 1000001 * time.Microsecond,
		59*time.Second + 999999999, time.Minute, 90*time.Minute + 1, -1, -5 * time.Second,
	} {
		checkDuration(t, d)
	}
}

func FuzzAppendDuration(f *testing.F) {
	for _, d := range []int64{0, 999, 1000, 999999, 1000000, 59999999999, -1} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, d int64) { checkDuration(t, time.Duration(d)) })
}

func checkDuration(t *testing.T, d time.Duration) {
	t.Helper()
	want := d
	if d >= time.Millisecond || d < 0 {
		want = d.Truncate(time.Microsecond)
	}
	if got := string(appendDuration([]byte("x"), d)); got != "x"+want.String() {
		t.Errorf("%d ns: %s, want x%s", d, got, want)
	}
}

// Seconds that share a place in the clock, zones that share a second, and fractions with zeros must not be mixed up.
func TestClock_IsTimeFormat(t *testing.T) {
	text, js := &clock{}, &clock{json: true}
	zones := []*time.Location{time.UTC, time.FixedZone("", -(5*60+30)*60), time.Local}
	for i := range 200 {
		at := time.Unix(1_700_000_000+int64(i*i%37), int64(i*7_654_321%1_000_000_000)).In(zones[i%len(zones)])
		if got, want := string(text.append(nil, at)), at.Format("2006-01-02 15:04:05.000"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got, want := string(js.append(nil, at)), at.Format("2006-01-02T15:04:05.000000000Z07:00"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A line must never need more than was reserved for it: it would be copied to a bigger buffer.
func TestRecord_RoomIsEnough(t *testing.T) {
	for _, fill := range []string{"\x00", "\xff", "\u202e", "\U000e0001", "a"} {
		long := bytes.Repeat([]byte(fill), 20_000)
		s := string(long)
		r := &Record{
			Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -23*60*60)), RequestID: long,
			Client: netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%zone"), Method: long, Host: long, Path: long, Proto: s, TLS: s,
			Status: -1 << 63, Bytes: -1 << 63, BytesIn: -1 << 63, Service: s, Domain: s, SubDomain: s, Member: s, Attempts: -1 << 63, Affinity: s,
			Wait: -1 << 63, Connect: -1 << 63, FirstByte: -1 << 63, Total: -1 << 63, Failure: s, NoRetry: s, Error: errors.New(s),
		}
		for _, f := range []Format{Text, JSON} {
			n := len(format(f, r))
			if room := r.room(s); n > room || room > maxLine || maxLine > minBuffer {
				t.Errorf("fill %s, format %d: %d bytes, room for %d, at most %d", strconv.QuoteToASCII(fill), f, n, room, maxLine)
			}
		}
	}
}
