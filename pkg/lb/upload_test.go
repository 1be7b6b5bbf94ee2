package lb

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// An answer that comes before the whole body was taken reaches the client, even from a member that hangs up at once.
func TestProxy_EarlyRefusalOfABigBody(t *testing.T) {
	lingering := member(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	abrupt, _ := rawMember(t, func(conn *net.TCPConn, _ string) {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 10\r\n\r\ntoo large\n")
	})
	for name, addr := range map[string]string{"lingering": lingering, "abrupt": abrupt} {
		b := newBench(t, nil)
		b.members(addr)
		for range 10 {
			res, text, err := b.do("PUT", "/", strings.NewReader(strings.Repeat("x", 8<<20)))
			if err != nil || res.StatusCode != 413 || text != "too large\n" {
				t.Fatalf("%s: got %v %q, %v", name, res, text, err)
			}
		}
		if log := b.log.String(); strings.Contains(log, "failure=") {
			t.Errorf("%s: a refusal was taken for a failure:\n%s", name, log)
		}
	}
}

// "Expect: 100-continue" is the member's to answer for a body that is not kept.
func TestProxy_ExpectContinue(t *testing.T) {
	b := newBench(t, nil)
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			return
		}
		_, _ = fmt.Fprint(w, n)
	}))
	for _, size := range []int{10, keepMost * 2} {
		conn := dial(t, b.front.addr)
		in := bufio.NewReader(conn)
		_, _ = fmt.Fprintf(conn, "PUT /yes HTTP/1.1\r\nHost: app.example\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", size)
		if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
			t.Fatalf("%d bytes: %q, %v", size, line, err)
		}
		if line, err := in.ReadString('\n'); err != nil || line != "\r\n" {
			t.Fatalf("%d bytes: %q, %v", size, line, err)
		}
		_, _ = io.WriteString(conn, strings.Repeat("x", size))
		res, err := http.ReadResponse(in, nil)
		if err == nil && res.StatusCode == http.StatusContinue { // the member's own, a moment after the server's
			_ = res.Body.Close()
			res, err = http.ReadResponse(in, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if _ = res.Body.Close(); err != nil || res.StatusCode != 200 || string(body) != fmt.Sprint(size) {
			t.Errorf("%d bytes: %d %q %v", size, res.StatusCode, body, err)
		}
	}
	conn := dial(t, b.front.addr)
	_, _ = fmt.Fprintf(conn, "PUT /no HTTP/1.1\r\nHost: app.example\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", keepMost*2)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 401 {
		t.Fatalf("%v, %v: the member refused, so the body should not have been asked for", res, err)
	}
	_ = res.Body.Close()
}

func TestProxy_BigDownloadAndUploadArriveWhole(t *testing.T) {
	b := newBench(t, nil)
	b.members(member(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		_, _ = w.Write(body)
	}))
	for _, size := range []int{0, 1, keepMost - 1, keepMost, keepMost + 1, 5 << 20} {
		sent := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		res, got, err := b.do("POST", "/", strings.NewReader(sent))
		if err != nil || res.StatusCode != 200 || got != sent {
			t.Errorf("%d bytes: %v, %d came back, %v", size, res.Status, len(got), err)
		}
	}
}
