package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
)

const shortPatience = 150 * time.Millisecond

// patientServer serves h with little patience.
func patientServer(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := daemon.Listen("http", "http_port", "127.0.0.1:0", h, nil, daemon.Timeouts{Body: shortPatience, Write: shortPatience}, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Start(func(err error) { t.Error(err) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s.Addr()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestPatience_EndsABodyThatStalls(t *testing.T) {
	got := make(chan error, 1)
	conn := dial(t, patientServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		got <- err
		http.Error(w, "too slow", http.StatusRequestTimeout)
	}))
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na")
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the handler read %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("the client got %v, %v", resp, err)
	}
}

func TestPatience_EndsAnAnswerThatNobodyTakes(t *testing.T) {
	got := make(chan error, 1)
	conn := dial(t, patientServer(t, func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 64<<10)
		for {
			if _, err := w.Write(piece); err != nil {
				got <- err
				return
			}
		}
	}))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the handler wrote until %v", err)
	}
}

func TestPatience_LetsSlowButLivelyTransfersAndThinkingHandlersPass(t *testing.T) {
	conn := dial(t, patientServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		<-time.After(2 * shortPatience) // longer than any piece may take
		fmt.Fprintf(w, "%d bytes", len(body))
	}))
	answers := bufio.NewReader(conn)
	for range 2 { // the second request meets the deadlines that the first one left
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 6\r\n\r\n")
		if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
			t.Fatalf("%q, %v", line, err)
		}
		if _, err := answers.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		for range 6 {
			<-time.After(shortPatience / 3)
			fmt.Fprint(conn, "x")
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "6 bytes" {
			t.Fatalf("%q, %v", body, err)
		}
		<-time.After(2 * shortPatience)
	}
}
