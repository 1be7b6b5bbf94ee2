package e2e_test

// The sender of payloads: raw bytes on a TCP connection, and answers read one by one.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// exchangeLimit is how long a payload may take, with all its answers. The load balancer's own limits are far below.
const exchangeLimit = 10 * time.Second

// sender is one connection of a client. One goroutine uses it.
type sender struct {
	conn net.Conn
	in   *bufio.Reader
}

// gotten is an answer as the client has it.
type gotten struct {
	status int
	header http.Header
	close  bool // it says that the connection ends
	body   string
	seen   int // the number of the request at the recorder; -1 when no member answered
}

func dialSender(address string) (*sender, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(exchangeLimit)); err != nil {
		return nil, err
	}
	return &sender{conn, bufio.NewReader(conn)}, nil
}

func (s *sender) close() { s.conn.Close() }

// port is the client's own port.
func (s *sender) port() int { return s.conn.LocalAddr().(*net.TCPAddr).Port }

// write sends bytes. What stops it shows in the answers: who refuses a request need not read it to its end.
func (s *sender) write(bytes string) { _, _ = io.WriteString(s.conn, bytes) }

// answer reads the next final answer to a request of a method.
func (s *sender) answer(method string) (gotten, error) {
	for {
		a, err := s.head(method)
		if err != nil || a.status >= 200 || a.status == http.StatusSwitchingProtocols {
			return a, err
		}
	}
}

// head reads the next answer, which may be an interim one.
func (s *sender) head(method string) (gotten, error) {
	r, err := http.ReadResponse(s.in, &http.Request{Method: method})
	if err != nil {
		return gotten{}, err
	}
	a := gotten{status: r.StatusCode, header: r.Header, close: r.Close, seen: -1}
	if text := r.Header.Get("X-Seen"); text != "" {
		if a.seen, err = strconv.Atoi(text); err != nil {
			return a, err
		}
	}
	if a.status == http.StatusSwitchingProtocols {
		return a, nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	a.body = string(body)
	return a, err
}

// ended waits for the end of the connection; an error says that something came instead.
func (s *sender) ended() error {
	rest, err := io.ReadAll(s.in)
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unasked bytes: %.300q", rest)
	case err == nil || errors.Is(err, syscall.ECONNRESET):
		return nil
	}
	return fmt.Errorf("the connection was not closed: %w", err)
}

// echoes tells whether what is sent through a tunnel comes back.
func (s *sender) echoes() error {
	const words = "GET /tunnel HTTP/1.1\r\n\r\n"
	s.write(words)
	back := make([]byte, len(words))
	if _, err := io.ReadFull(s.in, back); err != nil {
		return err
	}
	if string(back) != words {
		return fmt.Errorf("%q came back from the tunnel", back)
	}
	return nil
}

// play sends a payload and reads one answer for each outcome, and fewer when the connection ends before. method gives the method of the i-th
// request.
func (s *sender) play(p payload) (answers []gotten, err error) {
	for i, step := range p.send {
		switch {
		case i == 0:
		case step.after > 0:
			a, err := s.head("POST")
			if err != nil || a.status != step.after {
				return answers, fmt.Errorf("the client waits for an answer %d: status %d: %w", step.after, a.status, err)
			}
		default:
			a, err := s.answer(p.want[len(answers)].request.method)
			if err != nil {
				return answers, err
			}
			answers = append(answers, a)
		}
		s.write(step.bytes)
	}
	for len(answers) < len(p.want) {
		a, err := s.answer(p.want[len(answers)].request.method)
		if err != nil {
			return answers, fmt.Errorf("answer %d: %w", len(answers)+1, err)
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// good is a request that nothing is wrong with.
func good(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: front.test\r\n\r\n"
}

// goodPath names the good request that follows a payload.
func goodPath(p payload, where string) string {
	return "/good/" + strings.ReplaceAll(p.name, "/", "-") + "/" + where
}
