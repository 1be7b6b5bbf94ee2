package lb

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The answer to a head that never ends speaks of that head alone, though its bytes have moved to a bigger buffer and the first one
// holds another client's request by then.
func TestProxy_UnfinishedHeadIsAnsweredFromItsOwnBytes(t *testing.T) {
	b := newBench(t, nil)
	s := serveProxy(t, b.proxy, ServerConfig{Timeouts: ClientTimeouts{ReadHeader: 300 * time.Millisecond}})
	slow := dial(t, s.addr)
	const id = "my-own-id-my-own-id-my-own-id"
	head := "GET /mine HTTP/1.1\r\nHost: app.example\r\nX-Request-Id: " + id + "\r\nA: "
	_, _ = io.WriteString(slow, head+strings.Repeat("a", smallSize-len(head)))
	got := make(chan string, 1)
	go func() {
		answer, _ := io.ReadAll(slow)
		got <- string(answer)
	}()
	for {
		select {
		case answer := <-got:
			if !strings.HasPrefix(answer, "HTTP/1.1 408 ") || !strings.Contains(answer, id) || strings.Contains(answer, "SECRET") {
				t.Errorf("got %q", answer)
			}
			return
		case <-time.After(5 * time.Millisecond):
			other := dial(t, s.addr) // their heads lie where the slow one's began
			_, _ = io.WriteString(other, "GET /other HTTP/1.1\r\nHost: app.example\r\nAuthorization: "+strings.Repeat("SECRET", 30)+"\r\nA: ")
		}
	}
}

// What a member sent in broken chunks must not spoil the answer of the next one.
func TestProxy_BrokenChunksSpoilNoOtherAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, broken := range []string{"5zz\r\n", "3\r\nabcX", "0\r\nno colon\r\n\r\n"} {
		bad, _ := rawMember(t, func(conn *net.TCPConn, _ string) { _, _ = io.WriteString(conn, head+broken) })
		good, _ := rawMember(t, func(conn *net.TCPConn, _ string) { _, _ = io.WriteString(conn, head+"5\r\nhello\r\n0\r\n\r\n") })
		b := newBench(t, nil)
		b.members(bad, good)
		for range 2 {
			if res, body, err := b.do("GET", "/", nil); err != nil || res.StatusCode != 200 || body != "hello" {
				t.Errorf("%q before: %v %q, %v", broken, res, body, err)
			}
		}
	}
}

// secureFront is a TLS listener for the bench's proxy, and a client that speaks HTTP/2 to it.
func secureFront(t *testing.T, b *bench) (*testServer, *http.Client) {
	t.Helper()
	certificates := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(certificates.Close)
	front := serveProxy(t, b.proxy, ServerConfig{TLS: &tls.Config{Certificates: certificates.TLS.Certificates}})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return front, &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

// A type that the member does not name is not guessed.
func TestProxy_HTTP2GuessesNoContentType(t *testing.T) {
	addr, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<html><script>a</scrip")
	})
	b := newBench(t, nil)
	b.members(addr)
	front, client := secureFront(t, b)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example"
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.ProtoMajor != 2 || res.Header["Content-Type"] != nil {
		t.Errorf("HTTP/%d, %v", res.ProtoMajor, res.Header)
	}
}

// A client that gives up while its answer is being streamed sets the member free, though that one sends nothing at the moment.
func TestProxy_SilentStreamOfAGoneClientEnds(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeouts.Connect = 100 * time.Millisecond }) // makes the watch look often
	free := make(chan struct{})
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(free)
	}))
	conn := dial(t, b.front.addr)
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app.example\r\n\r\n")
	if _, err := io.ReadFull(conn, make([]byte, 20)); err != nil {
		t.Fatal(err)
	}
	tcp, _ := conn.(*net.TCPConn)
	reset(tcp)
	<-free
}
