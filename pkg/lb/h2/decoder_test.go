package h2

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/lb/h1"
)

func TestLimits_AreThoseOfH1(t *testing.T) {
	t.Parallel()
	if MaxHead != h1.MaxHead || MaxTrailers != h1.MaxTrailers || MaxFields != h1.MaxFields {
		t.Errorf("limits %d, %d, %d; those of h1 are %d, %d, %d", MaxHead, MaxTrailers, MaxFields, h1.MaxHead, h1.MaxTrailers, h1.MaxFields)
	}
}

var takenHeads = []struct {
	name   string
	fields []field
	want   string
	length bool
}{
	{name: "plain", fields: get(), want: lines("GET /p HTTP/1.1", "Host: a.test")},
	{
		name: "fields in their order", fields: get(field{"b", "1"}, field{"a", "2"}, field{"b", "3"}),
		want: lines("GET /p HTTP/1.1", "Host: a.test", "b: 1", "a: 2", "b: 3"),
	},
	{
		name: "pseudo-fields in another order", fields: []field{{":path", "/"}, {":authority", "a.test:8443"}, {":method", "POST"}, {":scheme", "http"}, {"x", "y"}},
		want: lines("POST / HTTP/1.1", "Host: a.test:8443", "x: y"),
	},
	{name: "query and escapes", fields: replace(get(), ":path", "/a%20b?c=d&e=|\"<>"), want: lines("GET /a%20b?c=d&e=|\"<> HTTP/1.1", "Host: a.test")},
	{name: "address", fields: replace(get(), ":authority", "[::1]:8243"), want: lines("GET /p HTTP/1.1", "Host: [::1]:8243")},
	{name: "empty value", fields: get(field{"x", ""}), want: lines("GET /p HTTP/1.1", "Host: a.test", "x: ")},
	{name: "tab inside", fields: get(field{"x", "a\tb"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "x: a\tb")},
	{name: "long value with a tab", fields: get(field{"x", "aaaaaaaa\tbbbbbbbbbb"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "x: aaaaaaaa\tbbbbbbbbbb")},
	{name: "bytes above 0x7f", fields: get(field{"x", "\xff\xe9\x80 \xc3\xbc\xff\xfe"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "x: \xff\xe9\x80 \xc3\xbc\xff\xfe")},
	{name: "all of a token", fields: get(field{"a!#$%&'*+-.^_`|~z", "x"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "a!#$%&'*+-.^_`|~z: x")},
	{name: "host alone", fields: append(without(get(), ":authority"), field{"x", "y"}, field{"host", "b.test"}), want: lines("GET /p HTTP/1.1", "x: y", "Host: b.test")},
	{name: "host that repeats :authority", fields: get(field{"host", "A.TEST"}, field{"x", "y"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "x: y")},
	{
		name: "cookies apart", fields: get(field{"cookie", "a=1"}, field{"x", "y"}, field{"cookie", "b=2"}, field{"cookie", ""}, field{"z", ""}),
		want: lines("GET /p HTTP/1.1", "Host: a.test", "x: y", "z: ", "cookie: a=1; b=2; "),
	},
	{name: "one cookie", fields: get(field{"cookie", "a=1; b=2"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "cookie: a=1; b=2")},
	{name: "te", fields: get(field{"te", "Trailers"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "te: Trailers")},
	{name: "length", fields: get(field{"content-length", "5"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "content-length: 5"), length: true},
	{name: "length of nothing", fields: get(field{"content-length", "0"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "content-length: 0"), length: true},
	{name: "http2-settings is a field like others", fields: get(field{"http2-settings", "AAM"}), want: lines("GET /p HTTP/1.1", "Host: a.test", "http2-settings: AAM")},
	{name: "OPTIONS *", fields: replace(replace(get(), ":method", "OPTIONS"), ":path", "*"), want: lines("OPTIONS * HTTP/1.1", "Host: a.test")},
	{name: "CONNECT", fields: []field{{":method", "CONNECT"}, {":authority", "a.test:443"}}, want: lines("CONNECT a.test:443 HTTP/1.1", "Host: a.test:443")},
}

func TestDecoder_WritesTheWordsOfHTTP1(t *testing.T) {
	t.Parallel()
	for _, tt := range takenHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(NewDecoder(), block(t, tt.fields))
			if err != nil || got.Malformed != "" || got.TooLarge || string(got.Text) != tt.want || got.HasLength != tt.length {
				t.Fatalf("%s, %v; want %q", outcome(got, nil), err, tt.want)
			}
			var r h1.Request
			if n, err := r.Parse(append(got.Text, "\r\n"...)); err != nil || n != len(tt.want)+2 {
				t.Errorf("h1 says %d, %v", n, err)
			}
		})
	}
}

func TestDecoder_AppendsToWhatItIsGiven(t *testing.T) {
	t.Parallel()
	d, e := NewDecoder(), newEncoder()
	d.Begin([]byte("before "))
	if got, err := finish(d, e.block(t, get())); err != nil || string(got.Text) != "before "+lines("GET /p HTTP/1.1", "Host: a.test") {
		t.Errorf("%s, %v", outcome(got, err), err)
	}
	d.BeginTrailers([]byte("0\r\n"))
	got, err := finish(d, e.block(t, []field{{"sum", "1"}, {"cookie", "a"}, {"cookie", "b"}, {"host", "c"}}))
	if want := "0\r\n" + lines("sum: 1", "cookie: a", "cookie: b", "host: c"); err != nil || string(got.Text) != want {
		t.Errorf("%s, %v; want %q", outcome(got, err), err, want)
	}
	d.Begin(make([]byte, MaxHead)) // what was there before does not count
	if got, err := finish(d, e.block(t, get())); err != nil || len(got.Text) != MaxHead+len(lines("GET /p HTTP/1.1", "Host: a.test")) {
		t.Errorf("behind much else: %d bytes, too large %t, %v", len(got.Text), got.TooLarge, err)
	}
	if got, err := decodeTrailers(d, nil); err != nil || len(got.Text) != 0 || got.Malformed != "" || got.TooLarge {
		t.Errorf("no trailers: %s", outcome(got, err))
	}
}

func TestDecoder_TETrailersIsUnderstoodByH1(t *testing.T) {
	t.Parallel()
	got, err := decode(NewDecoder(), block(t, get(field{"te", "trailers"})))
	if err != nil {
		t.Fatal(err)
	}
	var r h1.Request
	if _, err := r.Parse(append(got.Text, "\r\n"...)); err != nil || !r.Trailers() {
		t.Errorf("trailers %t, %v", r.Trailers(), err)
	}
}

const smuggled = "\r\nHost: a.test\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test"

var malformedHeads = []struct {
	name   string
	fields []field
	want   string
}{
	{"no name", get(field{"", "a"}), noName},
	{"upper case in a name", get(field{"X-note", "a"}), badName},
	{"upper case at the end of a name", get(field{"x-notE", "a"}), badName},
	{"upper case hides a field of a connection", get(field{"Connection", "close"}), badName},
	{"space in a name", get(field{"x note", "a"}), badName},
	{"space behind a name", get(field{"x ", "a"}), badName},
	{"colon in a name", get(field{"x:y", "a"}), badName},
	{"line end in a name", get(field{"x\r\ny", "a"}), badName},
	{"request in a name", get(field{"x: y" + smuggled + "\r\nz", "a"}), badName},
	{"NUL in a name", get(field{"x\x00", "a"}), badName},
	{"byte above 0x7f in a name", get(field{"x\xe9", "a"}), badName},
	{"quote in a name", get(field{"x\"", "a"}), badName},

	{"CR LF in a value", get(field{"x", "a\r\nTransfer-Encoding: chunked"}), badValue},
	{"request in a value", get(field{"x", "a" + smuggled}), badValue},
	{"LF in a value", get(field{"x", "a\nb"}), badValue},
	{"CR in a value", get(field{"x", "a\rb"}), badValue},
	{"LF at the end of a value", get(field{"x", "aaaaaaaaaaaa\n"}), badValue},
	{"NUL in a value", get(field{"x", "a\x00b"}), badValue},
	{"control character in a value", get(field{"x", "a\x08b"}), badValue},
	{"DEL in a value", get(field{"x", "aaaaaaaaaaaa\x7faaaaaaaaaa"}), badValue},
	{"LF in a cookie", get(field{"cookie", "a=1"}, field{"cookie", "b\n=2"}), badValue},
	{"LF in a length", get(field{"content-length", "1\n2"}), badValue},
	{"space before a value", get(field{"x", " a"}), spacedValue},
	{"tab behind a value", get(field{"x", "a\t"}), spacedValue},
	{"value of a space", get(field{"x", " "}), spacedValue},
	{"space behind a cookie", get(field{"cookie", "a=1 "}), spacedValue},

	{"unknown pseudo-field", get(field{":evil", "a"}), unknownPseudo},
	{"pseudo-field without a name", get(field{":", "a"}), unknownPseudo},
	{"pseudo-field in upper case", get(field{":Path", "/"}), unknownPseudo},
	{":status", get(field{":status", "200"}), unknownPseudo},
	{":protocol", []field{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":path", "/"}, {":authority", "a.test"}}, unknownPseudo},
	{":method twice", get(field{":method", "GET"}), twicePseudo},
	{":scheme twice", get(field{":scheme", "https"}), twicePseudo},
	{":path twice", get(field{":path", "/evil"}), twicePseudo},
	{":authority twice", get(field{":authority", "evil.test"}), twicePseudo},
	{":path late", append(without(get(), ":path"), field{"x", "y"}, field{":path", "/p"}), noPath},
	{"second :path late", get(field{"x", "y"}, field{":path", "/p"}), latePseudo},
	{":authority late", append(without(get(), ":authority"), field{"host", "a.test"}, field{":authority", "b.test"}), latePseudo},
	{"pseudo-field behind a cookie", get(field{"cookie", "a"}, field{":path", "/"}), latePseudo},
	{"pseudo-field behind a host that is dropped", get(field{"host", "a.test"}, field{":path", "/"}), latePseudo},

	{"no :method", without(get(), ":method"), noMethod},
	{"no :scheme", without(get(), ":scheme"), noScheme},
	{"no :path", without(get(), ":path"), noPath},
	{"no :path, and a field", append(without(get(), ":path"), field{"x", "y"}), noPath},
	{"nothing", nil, noMethod},
	{"a field alone", []field{{"x", "y"}}, noMethod},
	{"no :authority and no host", without(get(), ":authority"), noHost},
	{"no :authority and no host, but a field", append(without(get(), ":authority"), field{"x", "y"}), noHost},
	{"empty :method", replace(get(), ":method", ""), emptyPseudo},
	{"empty :scheme", replace(get(), ":scheme", ""), emptyPseudo},
	{"empty :path", replace(get(), ":path", ""), emptyPseudo},
	{"empty :authority", replace(get(), ":authority", ""), emptyPseudo},

	{"space in :method", replace(get(), ":method", "GET /evil HTTP/1.1"+smuggled), badMethod},
	{":method is no token", replace(get(), ":method", "GE{T"), badMethod},
	{"tab in :method", replace(get(), ":method", "GET\t"), badMethod},
	{"colon in :method", replace(get(), ":method", "X:"), badMethod},
	{":scheme with more", replace(get(), ":scheme", "https://evil.test/?"), badScheme},
	{":scheme in upper case", replace(get(), ":scheme", "HTTPS"), badScheme},
	{"another :scheme", replace(get(), ":scheme", "ftp"), badScheme},
	{"relative :path", replace(get(), ":path", "evil"), badPath},
	{"absolute :path", replace(get(), ":path", "http://evil.test/"), badPath},
	{"asterisk for GET", replace(get(), ":path", "*"), badPath},
	{"asterisk and more", replace(replace(get(), ":method", "OPTIONS"), ":path", "*a"), badPath},
	{"space in :path", replace(get(), ":path", "/ HTTP/1.1"), badPath},
	{"line end in :path", replace(get(), ":path", "/ HTTP/1.1"+smuggled), badPath},
	{"LF in :path", replace(get(), ":path", "/a\nb"), badPath},
	{"tab in :path", replace(get(), ":path", "/\ta"), badPath},
	{"NUL in :path", replace(get(), ":path", "/\x00"), badPath},
	{"DEL in :path", replace(get(), ":path", "/\x7f"), badPath},
	{"byte above 0x7f in :path", replace(get(), ":path", "/\xe9"), badPath},
	{"fragment in :path", replace(get(), ":path", "/a#b"), badPath},
	{"line end in :authority", replace(get(), ":authority", "a.test\r\nx: y"), badAuthority},
	{"space in :authority", replace(get(), ":authority", "a.test b"), badAuthority},
	{"slash in :authority", replace(get(), ":authority", "a.test/b"), badAuthority},
	{"userinfo in :authority", replace(get(), ":authority", "u@a.test"), badAuthority},
	{"comma in :authority", replace(get(), ":authority", "a.test,b.test"), badAuthority},
	{"escape in :authority", replace(get(), ":authority", "a%00"), badAuthority},
	{"CONNECT with :scheme", []field{{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "https"}}, badConnect},
	{"CONNECT with :path", []field{{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}, badConnect},
	{"CONNECT without :authority", []field{{":method", "CONNECT"}, {"host", "a:1"}}, badConnect},
	{"CONNECT with userinfo", []field{{":method", "CONNECT"}, {":authority", "u@a:1"}}, badAuthority},

	{"host differs", get(field{"host", "evil.test"}), hostDiffers},
	{"host with a port differs", get(field{"host", "a.test:443"}), hostDiffers},
	{"host beside :authority twice", get(field{"host", "a.test"}, field{"host", "a.test"}), twoHosts},
	{"two hosts", append(without(get(), ":authority"), field{"host", "a.test"}, field{"host", "b.test"}), twoHosts},
	{"empty host", append(without(get(), ":authority"), field{"host", ""}), badHost},
	{"line end in host", append(without(get(), ":authority"), field{"host", "a.test\r\nx: y"}), badHost},
	{"userinfo in host", append(without(get(), ":authority"), field{"host", "u@a.test"}), badHost},

	{"connection", get(field{"connection", "close"}), connectionOnly},
	{"keep-alive", get(field{"keep-alive", "timeout=5"}), connectionOnly},
	{"proxy-connection", get(field{"proxy-connection", "keep-alive"}), connectionOnly},
	{"transfer-encoding", get(field{"transfer-encoding", "chunked"}), connectionOnly},
	{"empty transfer-encoding", get(field{"transfer-encoding", ""}), connectionOnly},
	{"upgrade", get(field{"upgrade", "h2c"}), connectionOnly},
	{"te of something else", get(field{"te", "gzip"}), badTE},
	{"te of trailers and more", get(field{"te", "trailers, gzip"}), badTE},
	{"empty te", get(field{"te", ""}), badTE},
}

func TestDecoder_RefusesMalformedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range malformedHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The table has to stay in step: the good requests around the bad one are the same.
			d, e := NewDecoder(), newEncoder()
			good := func() {
				got, err := decode(d, e.block(t, get(field{"x", "good"}, field{"y", "behind"})))
				if want := lines("GET /p HTTP/1.1", "Host: a.test", "x: good", "y: behind"); err != nil || string(got.Text) != want {
					t.Errorf("a good request: %s", outcome(got, err))
				}
			}
			good()
			bad := append(slices.Clone(tt.fields), field{"z", "behind"}, field{"cookie", "behind"})
			if got, err := decode(d, e.block(t, bad)); err != nil || got.Malformed != tt.want || got.Text != nil || got.TooLarge || got.HasLength {
				t.Errorf("%s; want %q", outcome(got, err), tt.want)
			}
			good()
			// The same without a field behind it.
			if got, err := decode(NewDecoder(), block(t, tt.fields)); err != nil || got.Malformed != tt.want {
				t.Errorf("%s; want %q", outcome(got, err), tt.want)
			}
		})
	}
}

func TestDecoder_RefusesMalformedTrailers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, value, want string
	}{
		{":path", "/evil", pseudoInTrailers},
		{":status", "200", pseudoInTrailers},
		{"transfer-encoding", "chunked", connectionOnly},
		{"connection", "close", connectionOnly},
		{"te", "gzip", badTE},
		{"Sum", "1", badName},
		{"sum", "1\r\nx: y", badValue},
		{"cookie", "1\r\nx: y", badValue},
		{"host", "1\n", badValue},
		{"sum", "1 ", spacedValue},
		{"", "1", noName},
	} {
		d, e := NewDecoder(), newEncoder()
		if got, err := decodeTrailers(d, e.block(t, []field{{"a", "b"}, {tt.name, tt.value}, {"c", "d"}})); err != nil || got.Malformed != tt.want || got.Text != nil {
			t.Errorf("%q: %q: %s; want %q", tt.name, tt.value, outcome(got, err), tt.want)
		}
		if got, err := decodeTrailers(d, e.block(t, []field{{"a", "b"}, {"c", "d"}})); err != nil || string(got.Text) != "a: b\r\nc: d\r\n" {
			t.Errorf("good trailers behind %q: %s", tt.name, outcome(got, err))
		}
	}
}

func TestDecoder_InPiecesGivesTheSame(t *testing.T) {
	t.Parallel()
	check := func(name string, fields []field) {
		b := block(t, fields)
		whole := outcome(decode(NewDecoder(), b))
		for cut := range b {
			if got := outcome(decode(NewDecoder(), b, cut)); got != whole {
				t.Fatalf("%s cut at %d: %s\nin one piece: %s", name, cut, got, whole)
			}
		}
		if len(b) < maxFragments {
			var ends []int
			for i := range b {
				ends = append(ends, i)
			}
			if got := outcome(decode(NewDecoder(), b, ends...)); got != whole {
				t.Fatalf("%s byte by byte: %s\nin one piece: %s", name, got, whole)
			}
		}
	}
	for _, tt := range takenHeads {
		check(tt.name, tt.fields)
	}
	for _, tt := range malformedHeads {
		check(tt.name, tt.fields)
	}
}

// many makes so many fields.
func many(n int) []field {
	fields := get()
	for i := range n {
		fields = append(fields, field{fmt.Sprintf("x-%d", i), "a"})
	}
	return fields
}

func TestDecoder_BoundsHeads(t *testing.T) {
	t.Parallel()
	room := MaxHead - len(lines("GET /p HTTP/1.1", "Host: a.test")) - len("\r\n")
	for _, tt := range []struct {
		name   string
		fields []field
		large  bool
	}{
		{"largest value", get(field{"x", strings.Repeat("v", room-len("x: \r\n"))}), false},
		{"too large a value", get(field{"x", strings.Repeat("v", room-len("x: \r\n")+1)}), true},
		{"far too large a value", get(field{"x", strings.Repeat("v", MaxHead+MaxHead/2)}), true},
		{"far too large a name", get(field{strings.Repeat("n", MaxHead+MaxHead/2), "x"}), true},
		{"largest cookie", get(field{"cookie", strings.Repeat("c", room-len("cookie: \r\n"))}), false},
		{"too large a cookie", get(field{"cookie", strings.Repeat("c", room-len("cookie: \r\n")+1)}), true},
		{"largest cookies", get(field{"cookie", strings.Repeat("c", 20000)}, field{"cookie", strings.Repeat("c", room-20000-len("cookie: ; \r\n"))}), false},
		{"too large cookies", get(field{"cookie", strings.Repeat("c", 20000)}, field{"cookie", strings.Repeat("c", room-20000-len("cookie: ; \r\n")+1)}), true},
		{"cookie, then too large a value", get(field{"cookie", strings.Repeat("c", 20000)}, field{"x", strings.Repeat("v", room-20000-len("cookie: \r\nx: \r\n")+1)}), true},
		{"too large a path", replace(get(), ":path", "/"+strings.Repeat("p", MaxHead)), true},
		{"too large an authority", replace(get(), ":authority", strings.Repeat("a", MaxHead)), true},
		{"too large a method", replace(get(), ":method", strings.Repeat("M", MaxHead)), true},
		{"most fields", many(MaxFields - 1), false}, // and Host
		{"too many fields", many(MaxFields), true},
		{"a cookie too many", append(many(MaxFields-1), field{"cookie", "a"}), true},
		{"many cookies", append(many(MaxFields-2), field{"cookie", "a"}, field{"cookie", "b"}, field{"cookie", "c"}), false},
		{"malformed behind the limit", append(many(MaxFields), field{"X", "\n"}), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, e := NewDecoder(), newEncoder()
			got, err := decode(d, e.block(t, tt.fields))
			if err != nil || got.Malformed != "" || got.TooLarge != tt.large || (got.Text == nil) != tt.large || len(got.Text)+2 > MaxHead {
				t.Fatalf("too large %t, malformed %q, %d bytes, %v", got.TooLarge, got.Malformed, len(got.Text), err)
			}
			if !tt.large {
				var r h1.Request
				if n, err := r.Parse(append(got.Text, "\r\n"...)); err != nil || n != len(got.Text)+2 {
					t.Errorf("h1 says %d, %v", n, err)
				}
			}
			if got, err := decode(d, e.block(t, many(3))); err != nil || string(got.Text) != lines("GET /p HTTP/1.1", "Host: a.test", "x-0: a", "x-1: a", "x-2: a") {
				t.Errorf("a good request behind it: %s", outcome(got, err))
			}
		})
	}
}

func TestDecoder_BoundsTrailers(t *testing.T) {
	t.Parallel()
	most := strings.Repeat("v", MaxTrailers-len("x: \r\n\r\n"))
	if got, err := decodeTrailers(NewDecoder(), block(t, []field{{"x", most}})); err != nil || len(got.Text)+2 != MaxTrailers {
		t.Errorf("%d bytes, %v", len(got.Text), err)
	}
	if got, err := decodeTrailers(NewDecoder(), block(t, []field{{"x", most + "v"}})); err != nil || !got.TooLarge || got.Text != nil {
		t.Errorf("%d bytes, %v", len(got.Text), err)
	}
}

// A reference of one byte can stand for a field of 4 KiB; a block of them for hundreds of megabytes.
func TestDecoder_BombCostsNoMemory(t *testing.T) {
	t.Parallel()
	d := NewDecoder()
	first := append(indexedGet(), kept("bomb", strings.Repeat("b", tableSize-32-len("bomb")))...)
	if got, err := decode(d, first); err != nil || got.TooLarge || got.Malformed != "" {
		t.Fatalf("%s", outcome(got, err))
	}
	var bomb []byte
	for range maxBlock / 2 {
		bomb = append(bomb, indexed|62)
	}
	d.Begin(nil)
	most := 0
	for _, b := range [][]byte{indexedGet(), bomb} {
		if err := d.Write(b); err != nil {
			t.Fatal(err)
		}
		most = max(most, cap(d.text))
	}
	got, err := d.End()
	if err != nil || !got.TooLarge || got.Text != nil || most > 2*MaxHead {
		t.Errorf("%s; %d bytes of memory", outcome(got, err), most)
	}
}

// What cannot be decompressed, or costs too much, ends the connection, and the decoder says so from then on.
func TestDecoder_EndsTheConnection(t *testing.T) {
	t.Parallel()
	huge := func(n int) []byte { return appendInt([]byte{0, 1, 'x'}, 0, 7, n) }
	for _, tt := range []struct {
		name  string
		block []byte
		code  Code
	}{
		{"index 0", []byte{indexed}, CompressionError},
		{"index beyond the tables", indexes(62, 63), CompressionError},
		{"index that overflows", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, CompressionError},
		{"name index beyond the tables", []byte{0x7f, 0x20, 1, 'a'}, CompressionError},
		{"table larger than allowed", appendInt(nil, sizeUpdate, 5, tableSize+1), CompressionError},
		{"table far larger than allowed", appendInt(nil, sizeUpdate, 5, 1<<31), CompressionError},
		{"table changed behind a field", append(kept("a", "b"), sizeUpdate|1), CompressionError},
		{"bad Huffman code", []byte{0x40, 1, 'x', 0x84, 0xff, 0xff, 0xff, 0xff}, CompressionError},
		{"cut in a field", literal("x", "value")[:5], CompressionError},
		{"cut in a number", []byte{0xff}, CompressionError},
		{"huge string promised", huge(maxBlock + 1), EnhanceYourCalm},
		{"gigantic string promised", huge(1 << 40), EnhanceYourCalm},
		{"huge string by Huffman code", append(appendInt([]byte{0x40, 1, 'x'}, 0x80, 7, maxBlock-64), make([]byte, maxBlock-64)...), EnhanceYourCalm},
		{"huge block", bytes.Repeat(literal("x", "y"), maxBlock/5+1), EnhanceYourCalm},
	} {
		d := NewDecoder()
		_, err := decode(d, tt.block, len(tt.block)/2)
		t.Run(tt.name, func(t *testing.T) { wantError(t, err, tt.code, false) })
		if _, again := decode(d, block(t, get())); again == nil {
			t.Errorf("%s: the decoder goes on", tt.name)
		}
		if _, again := d.End(); again == nil {
			t.Errorf("%s: the decoder ends well", tt.name)
		}
	}
}

func TestDecoder_BoundsFragments(t *testing.T) {
	t.Parallel()
	b := block(t, get())
	ends := slices.Repeat([]int{0}, maxFragments)
	if got, err := decode(NewDecoder(), b, ends[1:]...); err != nil || got.Malformed != "" {
		t.Errorf("%d fragments: %s", maxFragments, outcome(got, err))
	}
	_, err := decode(NewDecoder(), b, ends...)
	wantError(t, err, EnhanceYourCalm, false)
}

func TestDecoder_FollowsTheTable(t *testing.T) {
	t.Parallel()
	d := NewDecoder()
	want := lines("GET /p HTTP/1.1", "Host: a.test", "a: 1", "b: 2")
	for i, b := range [][]byte{
		slices.Concat(indexedGet(), kept("a", "1"), kept("b", "2")),
		append(indexedGet(), 0x80|63, 0x80|62),
	} {
		got, err := decode(d, b)
		if err != nil || string(got.Text) != want {
			t.Errorf("block %d: %s", i, outcome(got, err))
		}
	}
	// A table of no size is empty.
	_, err := decode(d, []byte{sizeUpdate, 0x80 | 62})
	wantError(t, err, CompressionError, false)
}

func TestDecoder_KeepsNothingOfARequest(t *testing.T) {
	t.Parallel()
	d := NewDecoder()
	fields := get()
	for range 100 {
		fields = append(fields, field{"cookie", "a=1"})
	}
	e := newEncoder()
	for _, fields := range [][]field{fields, get(field{"cookie", "a=1"}, field{"cookie", "b=2"})} {
		if _, err := decode(d, e.block(t, fields)); err != nil {
			t.Fatal(err)
		}
		for _, crumb := range d.crumbs[:cap(d.crumbs)] {
			if crumb != "" {
				t.Errorf("cookie %q is kept", crumb)
			}
		}
	}
	if d.text != nil || d.method+d.scheme+d.path+d.authority != "" || cap(d.crumbs) > keepCrumbs {
		t.Errorf("%q %q, room for %d cookies", d.text, d.path, cap(d.crumbs))
	}
}

func TestDecoder_SkipsBlocks(t *testing.T) {
	t.Parallel()
	d, e := NewDecoder(), newEncoder()
	for _, fields := range [][]field{get(field{"x", "y"}, field{"content-length", "1"}), get(field{"X", "\n"}), nil} {
		d.BeginSkipped()
		if got, err := finish(d, e.block(t, fields)); outcome(got, err) != outcome(Head{}, nil) {
			t.Errorf("%q: %s", fields, outcome(got, err))
		}
	}
	if got, err := decode(d, e.block(t, get(field{"x", "y"}))); err != nil || string(got.Text) != lines("GET /p HTTP/1.1", "Host: a.test", "x: y") {
		t.Errorf("a request behind them: %s", outcome(got, err))
	}
	d.BeginSkipped()
	_, err := finish(d, []byte{indexed})
	wantError(t, err, CompressionError, false)
}
