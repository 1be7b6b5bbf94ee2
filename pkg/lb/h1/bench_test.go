package h1

// How long the codec takes; none of it may allocate.

import "testing"

const (
	wrkRequest = "GET /path/of/something?q=1 HTTP/1.1\r\nHost: governance.example.com\r\nUser-Agent: wrk/4.1.0\r\n" +
		"Accept: */*\r\nConnection: keep-alive\r\nX-Tenant: 42\r\n\r\n"

	browserRequest = "GET /registry/api/services?page=2&sort=name HTTP/1.1\r\nHost: governance.example.com\r\n" +
		"Connection: keep-alive\r\nCache-Control: max-age=0\r\nsec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\n" +
		"Referer: https://governance.example.com/registry/\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Accept-Language: en-GB,en;q=0.9\r\nCookie: session=0123456789abcdef0123456789abcdef; theme=dark; tour=done\r\n\r\n"

	goResponse = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nDate: Sat, 22 Nov 2026 12:00:00 GMT\r\n" +
		"Content-Length: 1024\r\nEtag: \"0123456789\"\r\n\r\n"
)

func benchmarkRequest(b *testing.B, text string) {
	var r Request
	buf := []byte(text)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if n, err := r.Parse(buf); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkRequestOfWrk(b *testing.B)       { benchmarkRequest(b, wrkRequest) }
func BenchmarkRequestOfBrowser(b *testing.B)   { benchmarkRequest(b, browserRequest) }
func BenchmarkRequestWithoutHost(b *testing.B) { benchmarkRequest(b, "GET / HTTP/1.0\r\n\r\n") }

func BenchmarkResponse(b *testing.B) {
	var r Response
	buf := []byte(goResponse)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if n, err := r.Parse(buf); n != len(buf) || err != nil {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkForward is the parse of a head and the copy of all its lines.
func BenchmarkForward(b *testing.B) {
	var r Request
	buf, out := []byte(wrkRequest), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if _, err := r.Parse(buf); err != nil {
			b.Fatal(err)
		}
		out = append(append(out[:0], r.Method()...), ' ')
		out = append(append(out, r.Path()...), " HTTP/1.1\r\n"...)
		for i := range r.Len() {
			if !r.Hop(i) && !r.ID(i).IsForwarding() {
				out = r.AppendLine(out, i)
			}
		}
	}
}

func benchmarkDecode(b *testing.B, chunk, chunks int) {
	var body []byte
	for range chunks {
		frame := make([]byte, ChunkRoom+chunk+2)
		start, end := FrameChunk(frame, ChunkRoom, ChunkRoom+chunk)
		body = append(body, frame[start:end]...)
	}
	body = append(body, LastChunk...)
	var c Chunks
	buf := make([]byte, len(body))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		copy(buf, body)
		c.Reset()
		if n, _, done, err := c.Decode(buf); n != chunk*chunks || !done || err != nil {
			b.Fatal(n, done, err)
		}
	}
}

func BenchmarkDecode16x4K(b *testing.B)   { benchmarkDecode(b, 4096, 16) }
func BenchmarkDecode1024x16(b *testing.B) { benchmarkDecode(b, 16, 1024) }
func BenchmarkDecodeOneOf1K(b *testing.B) { benchmarkDecode(b, 1024, 1) }

func BenchmarkFrameChunk(b *testing.B) {
	buf := make([]byte, ChunkRoom+4096+2)
	b.ReportAllocs()
	for b.Loop() {
		FrameChunk(buf, ChunkRoom, ChunkRoom+4096)
	}
}
