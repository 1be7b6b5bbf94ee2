package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// soakMemberVariable tells the test binary to be a member of the soak, and on which address.
const soakMemberVariable = "REGENT_E2E_SOAK_MEMBER"

// TestSoakMember is a member of the soak, as a process of its own that can be killed. It ends in order with SIGTERM.
func TestSoakMember(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/soak/{token}", soakExchange)
	mux.HandleFunc("/echo/{token}", soakEcho)
	mux.Handle("/ws/{token}", websocket.Server{Handler: func(conn *websocket.Conn) {
		conn.PayloadType = websocket.BinaryFrame
		_, _ = io.Copy(conn, conn)
	}})
	beMember(t, os.Getenv(soakMemberVariable), mux, func(server *http.Server) {
		last, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := server.Shutdown(last); err != nil {
			t.Errorf("requests did not end: %v", err)
		}
	})
}

// beMember makes this process a member at an address, until SIGTERM, and then ends it as stop does. Without an address the test is skipped: it is for
// children of other tests alone.
func beMember(t *testing.T, address string, handler http.Handler, stop func(*http.Server)) {
	t.Helper()
	if address == "" {
		t.Skip("only a child of other tests")
	}
	ctx, release := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer release()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		t.Fatal(err)
	case <-ctx.Done():
	}
	stop(server)
	<-done
}

// contentOf is size bytes that depend on the name of the request and the direction alone: bytes of another request are wrong bytes.
func contentOf(token, direction string, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(direction+token))), size)
}

// The fields by which the two ends tell each other what they sent and got.
const (
	fieldToken         = "Soak-Token"
	fieldUploadHash    = "Soak-Upload-Hash"
	fieldUploadSize    = "Soak-Upload-Size"
	fieldUploadTrailer = "Soak-Upload-Trailer"
	fieldDownloadHash  = "Soak-Download-Hash" // a header where the length is known, else a trailer
)

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// soakExchange takes the upload in and then answers as the query says: size and how (length, chunked, close), slow (before the head) and pause
// (between pieces) in milliseconds.
func soakExchange(w http.ResponseWriter, r *http.Request) {
	token, q := r.PathValue("token"), r.URL.Query()
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		return // the client broke off, or the load balancer: nothing was done
	}
	if r.Method == http.MethodPost {
		// One write, so that it is in the log when the process is killed the next moment.
		_, _ = os.Stdout.WriteString(acted + token + "\n")
	}
	size, err := strconv.ParseInt(q.Get("size"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	wait(r.Context(), q.Get("slow"))
	h := w.Header()
	h.Set(fieldToken, token)
	h.Set(fieldUploadHash, hexSum(sum))
	h.Set(fieldUploadSize, strconv.FormatInt(n, 10))
	h.Set(fieldUploadTrailer, r.Trailer.Get(fieldUploadTrailer))
	content := contentOf(token, "down", size)
	if q.Get("how") != "chunked" {
		whole := sha256.New()
		_, _ = io.Copy(whole, contentOf(token, "down", size)) // neither can fail
		h.Set(fieldDownloadHash, hexSum(whole))
	}
	switch {
	case r.Method == http.MethodDelete && size == 0:
		w.WriteHeader(http.StatusNoContent)
	case q.Get("how") == "length":
		h.Set("Content-Length", strconv.FormatInt(size, 10))
		if r.Method != http.MethodHead {
			_, _ = copyWithPauses(r.Context(), w, content, q.Get("pause")) // the next one to read finds out
		}
	case q.Get("how") == "close":
		untilClose(w, r, content)
	default:
		h.Set("Trailer", fieldDownloadHash)
		whole := sha256.New()
		if _, err := copyWithPauses(r.Context(), io.MultiWriter(w, whole), content, q.Get("pause")); err == nil {
			h.Set(fieldDownloadHash, hexSum(whole))
		}
	}
}

// acted begins the line that a member writes for every POST that it got whole.
const acted = "acted on "

// soakEcho sends back what comes, as it comes.
func soakEcho(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(fieldToken, r.PathValue("token"))
	w.Header().Set("Trailer", fieldDownloadHash)
	sum := sha256.New()
	piece := make([]byte, 16<<10)
	for {
		n, err := r.Body.Read(piece)
		sum.Write(piece[:n])
		if _, werr := w.Write(piece[:n]); werr != nil {
			return
		}
		if errors.Is(err, io.EOF) {
			w.Header().Set(fieldDownloadHash, hexSum(sum))
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) // half an upload gets no whole answer
		}
		if err := control.Flush(); err != nil {
			return
		}
	}
}

// untilClose answers without a length: the end of the connection is the end of the answer.
func untilClose(w http.ResponseWriter, r *http.Request, content io.Reader) {
	header := w.Header().Clone()
	conn, out, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprint(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n")
	_ = header.Write(out)
	_, _ = fmt.Fprint(out, "\r\n")
	if r.Method != http.MethodHead {
		_, _ = io.Copy(out, content)
	}
	_ = out.Flush() // whoever reads finds out what is missing
}

func wait(ctx context.Context, milliseconds string) {
	n, err := strconv.Atoi(milliseconds)
	if err != nil || n <= 0 {
		return
	}
	timer := time.NewTimer(time.Duration(n) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// copyWithPauses copies in pieces of random sizes and waits between the first ten.
func copyWithPauses(ctx context.Context, to io.Writer, from io.Reader, pause string) (sent int64, err error) {
	for i := 0; ; i++ {
		n, err := io.CopyN(to, from, 1+rand.Int64N(100<<10))
		sent += n
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
		if pause != "" && i < 10 {
			if f, ok := to.(http.Flusher); ok {
				f.Flush()
			}
			wait(ctx, pause)
		}
	}
}
