package e2e_test

// The member behind the HTTP/2 tests. It speaks HTTP/1.1, as all members do.

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// h2member is a witness that can do more.
//
//	/hash/TOKEN              the hash of the body; its trailers come back as trailers
//	/random/TOKEN/SIZE/HOW   randomOf(SIZE), HOW is length or chunked
//	/hold/TOKEN              does not answer until the load balancer gives up
//	/deaf/TOKEN              takes nothing of the body
//	/pingpong/TOKEN          sends each piece of the body back as it comes
//	/events/TOKEN/N          N events, each sent when the test said so
//	/early/TOKEN/STATUS      answers before the body
//	/status/TOKEN/STATUS     an answer with that status
//	/hints/TOKEN             103, then the good answer
//	/rpc/TOKEN/HOW           as gRPC answers: HOW is trailers or only
//	/cookies/TOKEN           the Cookie fields, one a line
//	/fat/TOKEN/SIZE          the good answer, with a head of that size
type h2member struct {
	*witness
	running atomic.Int64 // requests at /hold
	most    atomic.Int64 // of them at once
	next    chan struct{}
	release chan struct{}
}

func startH2Member(t *testing.T) *h2member {
	t.Helper()
	m := &h2member{witness: &witness{visits: map[string]visit{}}, next: make(chan struct{}), release: make(chan struct{})}
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"/echo/{token}":                m.echo,
		"/big/{token}/{size}":          m.big,
		"/chunks/{token}/{size}":       m.big,
		"/slow/{token}":                m.slow,
		"/hash/{token}":                m.hash,
		"/random/{token}/{size}/{how}": m.random,
		"/hold/{token}":                m.hold,
		"/deaf/{token}":                m.deaf,
		"/pingpong/{token}":            m.pingpong,
		"/events/{token}/{n}":          m.events,
		"/early/{token}/{status}":      m.early,
		"/status/{token}/{status}":     m.status,
		"/hints/{token}":               m.hints,
		"/rpc/{token}/{how}":           m.rpc,
		"/cookies/{token}":             m.cookies,
		"/fat/{token}/{size}":          m.fat,
		"/{token}": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, goodBody(r.PathValue("token")))
		},
	} {
		mux.HandleFunc(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		close(m.release)
		server.Close()
	})
	m.addr = server.Listener.Addr().String()
	return m
}

// randomOf is content of which no part is like another, so that pieces that are lost, doubled or swapped show.
func randomOf(n int) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}), int64(n))
}

// randomBytes is the same as bytes.
func randomBytes(n int) []byte {
	b, _ := io.ReadAll(randomOf(n)) // it has no errors
	return b
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (m *h2member) hash(w http.ResponseWriter, r *http.Request) {
	m.note(r.PathValue("token"), func(v *visit) { v.came++ })
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	m.note(r.PathValue("token"), func(v *visit) {
		v.bytes, v.ended = v.bytes+n, v.ended+1
		if err == nil {
			v.whole++
		}
	})
	if err != nil {
		return
	}
	for name, values := range r.Trailer {
		w.Header()[http.TrailerPrefix+name] = values
	}
	_, _ = fmt.Fprintf(w, "%d %s te=%q", n, hex.EncodeToString(h.Sum(nil)), r.Header.Get("Te"))
	_ = http.NewResponseController(w).Flush() // in chunks, or there would be no trailers
}

func (m *h2member) random(w http.ResponseWriter, r *http.Request) {
	m.take(r)
	size, err := strconv.Atoi(r.PathValue("size"))
	if err == nil {
		if r.PathValue("how") == "length" {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		_, err = io.Copy(w, randomOf(size))
	}
	m.end(r, err)
}

func (m *h2member) hold(_ http.ResponseWriter, r *http.Request) {
	m.note(r.PathValue("token"), func(v *visit) { v.came++ })
	m.most.Store(max(m.most.Load(), m.running.Add(1))) // lost updates make it too small by a few at most
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		select {
		case <-r.Context().Done():
		case <-m.release:
		case <-time.After(answerLimit):
		}
	}
	m.running.Add(-1)
	m.end(r, r.Context().Err())
}

func (m *h2member) deaf(_ http.ResponseWriter, r *http.Request) {
	m.note(r.PathValue("token"), func(v *visit) { v.came++ })
	select { // net/http does not tell of a client that is gone before its body was read
	case <-m.release:
	case <-time.After(answerLimit):
	}
}

func (m *h2member) pingpong(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	err := errors.Join(control.EnableFullDuplex(), control.Flush())
	for buffer := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = r.Body.Read(buffer)
		if _, failed := w.Write(buffer[:n]); failed != nil {
			err = failed
		}
		_ = control.Flush() // an error shows in the next write
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	m.end(r, err)
}

func (m *h2member) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_ = http.NewResponseController(w).Flush()
	n, err := strconv.Atoi(r.PathValue("n"))
	for i := range n {
		select {
		case <-m.next:
		case <-r.Context().Done():
			m.end(r, r.Context().Err())
			return
		}
		_, err = fmt.Fprintf(w, "data: %d\n\n", i)
		_ = http.NewResponseController(w).Flush() // an error shows in the next write
	}
	m.end(r, err)
}

// early answers at once. net/http then reads some more of the body, and closes the connection if there is more still.
func (m *h2member) early(w http.ResponseWriter, r *http.Request) {
	m.note(r.PathValue("token"), func(v *visit) { v.came++ })
	status, _ := strconv.Atoi(r.PathValue("status"))
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, err := io.WriteString(w, goodBody(r.PathValue("token")))
	m.end(r, err)
}

func (m *h2member) status(w http.ResponseWriter, r *http.Request) {
	status, _ := strconv.Atoi(r.PathValue("status"))
	w.Header().Set("Etag", `"a"`)
	if status == http.StatusOK {
		w.Header().Set("Content-Length", "1234") // of a HEAD
	}
	w.WriteHeader(status)
}

func (m *h2member) hints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload; as=style")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	_, _ = io.WriteString(w, goodBody(r.PathValue("token")))
}

func (m *h2member) rpc(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Te") != "trailers" {
		http.Error(w, fmt.Sprintf("TE %q, %v", r.Header.Get("Te"), err), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	if r.PathValue("how") == "only" { // the status is in the head, and there is nothing more
		w.Header().Set("Grpc-Status", "5")
		w.Header().Set("Grpc-Message", "not found")
		return
	}
	w.Header().Set("Trailer", "Grpc-Status")
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
	w.Header().Set("Grpc-Status", "0")
}

func (m *h2member) cookies(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strings.Join(slices.Clone(r.Header.Values("Cookie")), "\n"))
}

func (m *h2member) fat(w http.ResponseWriter, r *http.Request) {
	size, _ := strconv.Atoi(r.PathValue("size"))
	for i := range size / 1000 {
		w.Header().Set("X-Fat-"+strconv.Itoa(i), strings.Repeat("f", 1000))
	}
	_, _ = io.WriteString(w, goodBody(r.PathValue("token")))
}

// startDeafMember accepts connections and reads nothing, and its system takes little.
func startDeafMember(t *testing.T) string {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4<<10)
		})
		return errors.Join(err, failed)
	}}
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			t.Cleanup(func() { conn.Close() })
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
	})
	return l.Addr().String()
}
