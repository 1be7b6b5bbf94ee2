package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// witness is a good member that remembers what came through the load balancer, by the token in the path: what never arrived whole must never
// look as if it had.
//
//	/echo/TOKEN         takes the body and tells how long it was
//	/big/TOKEN/SIZE     that many bytes, with a length
//	/chunks/TOKEN/SIZE  the same in chunks
//	/slow/TOKEN         takes half a second
//	/ws/TOKEN           websocket that echoes
//	/TOKEN              the good member's answer
type witness struct {
	addr   string
	mu     sync.Mutex
	visits map[string]visit
}

// visit is what became of the requests with one token.
type visit struct {
	came    int
	ended   int   // handlers that returned
	whole   int   // bodies that came to their end
	bytes   int64 // of bodies
	refused int   // answers that the load balancer did not take
}

func startWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{visits: map[string]visit{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo/{token}", w.echo)
	mux.HandleFunc("/big/{token}/{size}", w.big)
	mux.HandleFunc("/chunks/{token}/{size}", w.big)
	mux.HandleFunc("/slow/{token}", w.slow)
	mux.Handle("/ws/{token}", websocket.Server{Handler: w.websocket})
	mux.HandleFunc("/{token}", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, goodBody(r.PathValue("token")))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.addr = server.Listener.Addr().String()
	return w
}

func (w *witness) note(token string, change func(v *visit)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.visits[token]
	change(&v)
	w.visits[token] = v
}

func (w *witness) visit(token string) visit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.visits[token]
}

// await waits until a visit is as it should be.
func (w *witness) await(ctx context.Context, token, what string, is func(v visit) bool) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		v := w.visit(token)
		if is(v) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the member does not see that %s: %+v", what, v)
		case <-tick.C:
		}
	}
}

// nothing is nil if no request with that token came.
func (w *witness) nothing(token string) error {
	if v := w.visit(token); v.came > 0 {
		return fmt.Errorf("it went to a member: %+v", v)
	}
	return nil
}

// take notes the visit and reads the body; false: it did not come whole.
func (w *witness) take(r *http.Request) bool {
	w.note(r.PathValue("token"), func(v *visit) { v.came++ })
	n, err := io.Copy(io.Discard, r.Body)
	w.note(r.PathValue("token"), func(v *visit) {
		v.bytes += n
		if err == nil {
			v.whole++
		}
	})
	return err == nil
}

func (w *witness) end(r *http.Request, err error) {
	w.note(r.PathValue("token"), func(v *visit) {
		v.ended++
		if err != nil {
			v.refused++
		}
	})
}

func echoBody(token string, n int64) string { return fmt.Sprintf("echo %s %d\n", token, n) }

func (w *witness) echo(rw http.ResponseWriter, r *http.Request) {
	var err error
	if w.take(r) {
		_, err = io.WriteString(rw, echoBody(r.PathValue("token"), w.visit(r.PathValue("token")).bytes))
	}
	w.end(r, err)
}

func (w *witness) big(rw http.ResponseWriter, r *http.Request) {
	w.take(r)
	size, err := strconv.ParseInt(r.PathValue("size"), 10, 64)
	if err == nil {
		if strings.HasPrefix(r.URL.Path, "/big/") {
			rw.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		}
		_, err = io.Copy(rw, uploadOf(int(size)))
	}
	w.end(r, err)
}

func (w *witness) slow(rw http.ResponseWriter, r *http.Request) {
	w.take(r)
	select {
	case <-time.After(500 * time.Millisecond):
	case <-r.Context().Done():
	}
	_, err := io.WriteString(rw, goodBody(r.PathValue("token")))
	w.end(r, err)
}

func (w *witness) websocket(conn *websocket.Conn) {
	r := conn.Request()
	w.note(r.PathValue("token"), func(v *visit) { v.came++ })
	_, err := io.Copy(conn, conn)
	w.end(r, err)
}
