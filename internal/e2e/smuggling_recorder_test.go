package e2e_test

// The member at the end of every chain of the smuggling tests: it keeps all that it is sent and reads it by a grammar of its own, which knows
// one way to write each thing. What does not fit is a fault of the hop before it.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// message is a request as the member has it.
type message struct {
	method, target string
	fields         []field
	body           string
	trailers       []field
}

type field struct{ name, value string }

func (m message) String() string {
	return fmt.Sprintf("%s %.200s fields %.2000q body %.200q trailers %q", m.method, m.target, m.fields, m.body, m.trailers)
}

// values gives the values of all fields of a name, in order.
func (m message) values(name string) []string {
	var found []string
	for _, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			found = append(found, f.value)
		}
	}
	return found
}

// recorder is a member that answers each whole request with the number that it keeps it under, in X-Seen. Safe for concurrent use.
type recorder struct {
	port int

	listener net.Listener
	serving  sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
	seen     []message // whole requests, in the order of their ends
	cut      []message // requests whose connection ended inside them
	faults   []string  // bytes that are no request in the one allowed form
}

// startRecorder listens on a free port until the test ends.
func startRecorder(t testing.TB) *recorder {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{port: listener.Addr().(*net.TCPAddr).Port, listener: listener, open: map[net.Conn]bool{}}
	r.serving.Go(r.accept)
	t.Cleanup(r.close)
	return r
}

func (r *recorder) close() {
	r.listener.Close()
	r.mu.Lock()
	for conn := range r.open {
		conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}

func (r *recorder) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		r.open[conn] = true
		r.mu.Unlock()
		r.serving.Go(func() {
			r.serve(conn)
			conn.Close()
			r.mu.Lock()
			delete(r.open, conn)
			r.mu.Unlock()
		})
	}
}

// serve reads requests from one connection until it ends or something is wrong.
func (r *recorder) serve(conn net.Conn) {
	kept := &keeper{from: conn}
	in := bufio.NewReader(kept)
	for {
		start := len(kept.bytes) - in.Buffered()
		m, err := readMessage(in, conn)
		raw := kept.bytes[start:]
		switch {
		case err == nil:
		case len(raw) == 0:
			return // an orderly end, or we were closed
		case errors.Is(err, io.ErrUnexpectedEOF):
			r.mu.Lock()
			r.cut = append(r.cut, m)
			r.mu.Unlock()
			return
		default:
			r.mu.Lock()
			r.faults = append(r.faults, fmt.Sprintf("%v in %.600q", err, raw))
			r.mu.Unlock()
			return
		}
		r.mu.Lock()
		number := len(r.seen)
		r.seen = append(r.seen, m)
		r.mu.Unlock()
		if _, err := io.WriteString(conn, answerTo(m, number)); err != nil {
			return
		}
		if m.switches() {
			_, _ = io.Copy(conn, in) // an echo until the client leaves
			return
		}
	}
}

// switches tells whether the answer to m is 101.
func (m message) switches() bool {
	return m.asksForWebsocket() && slices.Equal(m.values("Sec-WebSocket-Version"), []string{"13"})
}

func (m message) asksForWebsocket() bool {
	return slices.Equal(m.values("Upgrade"), []string{"websocket"})
}

func answerTo(m message, number int) string {
	seen := "X-Seen: " + strconv.Itoa(number) + "\r\n"
	if m.switches() {
		// The key is the example of RFC 6455 section 1.3, and so is the answer to it.
		return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" + seen + "\r\n"
	}
	status := "200 OK"
	if m.asksForWebsocket() {
		status = "426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket"
	}
	body := "the member saw " + m.method + "\n"
	head := "HTTP/1.1 " + status + "\r\n" + seen + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	if m.method == "HEAD" {
		return head
	}
	return head + body
}

// keeper keeps what is read through it.
type keeper struct {
	from  io.Reader
	bytes []byte
}

// Read implements io.Reader.
func (k *keeper) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	k.bytes = append(k.bytes, p[:n]...)
	return n, err
}

// readMessage reads one request in canonical form: single spaces, CRLF, "Name: value", Content-Length without sign or leading zeros or else
// exactly "Transfer-Encoding: chunked", chunks without extensions. io.ErrUnexpectedEOF says that the bytes ended inside it; m is what there
// was. Any other error is about bytes in another form. A client that asks for it gets its 100 from out.
func readMessage(in *bufio.Reader, out io.Writer) (m message, err error) {
	line, err := readLine(in)
	if err != nil {
		return m, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || !isTarget(parts[1]) || parts[2] != "HTTP/1.1" {
		return m, fmt.Errorf("no request line: %.100q", line)
	}
	m.method, m.target = parts[0], parts[1]
	if m.fields, err = readFields(in); err != nil {
		return m, err
	}
	if len(m.values("Host")) != 1 {
		return m, fmt.Errorf("%d Host fields", len(m.values("Host")))
	}
	if slices.Equal(m.values("Expect"), []string{"100-continue"}) {
		if _, err := io.WriteString(out, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return m, io.ErrUnexpectedEOF
		}
	}
	lengths, codings := m.values("Content-Length"), m.values("Transfer-Encoding")
	switch {
	case len(lengths)+len(codings) == 0:
		return m, nil
	case len(lengths)+len(codings) > 1:
		return m, fmt.Errorf("Content-Length %q with Transfer-Encoding %q", lengths, codings)
	case len(codings) == 1 && codings[0] != "chunked":
		return m, fmt.Errorf("Transfer-Encoding %q", codings[0])
	case len(codings) == 1:
		return readChunks(in, m)
	}
	n, err := strconv.ParseInt(lengths[0], 10, 62)
	if err != nil || strconv.FormatInt(n, 10) != lengths[0] {
		return m, fmt.Errorf("Content-Length %q", lengths[0])
	}
	m.body, err = readN(in, n)
	return m, err
}

func readChunks(in *bufio.Reader, m message) (message, error) {
	for {
		line, err := readLine(in)
		if err != nil {
			return m, err
		}
		n, err := strconv.ParseInt(line, 16, 62)
		if err != nil || strings.ToLower(line) != strconv.FormatInt(n, 16) {
			return m, fmt.Errorf("chunk size %.50q", line)
		}
		if n == 0 {
			m.trailers, err = readFields(in)
			return m, err
		}
		data, err := readN(in, n)
		m.body += data
		if err != nil {
			return m, err
		}
		if end, err := readN(in, 2); err != nil || end != "\r\n" {
			return m, errors.Join(err, fmt.Errorf("%q after a chunk", end))
		}
	}
}

func readN(in *bufio.Reader, n int64) (string, error) {
	var data strings.Builder
	if _, err := io.CopyN(&data, in, n); err != nil {
		return data.String(), io.ErrUnexpectedEOF // whatever ended the connection
	}
	return data.String(), nil
}

// readLine reads to CRLF. Nothing but HTAB and what is no control character may be in a line.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return line, io.ErrUnexpectedEOF
	}
	text, ok := strings.CutSuffix(line, "\r\n")
	if !ok || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return line, fmt.Errorf("a line with a bare CR or LF or a control character: %.200q", line)
	}
	return text, nil
}

// readFields reads field lines, to the empty line.
func readFields(in *bufio.Reader) ([]field, error) {
	var fields []field
	for {
		line, err := readLine(in)
		if err != nil || line == "" {
			return fields, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !isToken(name) {
			return fields, fmt.Errorf("no field line: %.100q", line)
		}
		if value != "" && value != " " {
			value = strings.TrimPrefix(value, " ")
			if value != strings.Trim(value, " \t") {
				return fields, fmt.Errorf("white space around the value in %.100q", line)
			}
		}
		fields = append(fields, field{name, strings.TrimSpace(value)})
	}
}

// isToken is RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

func isTarget(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// mark is a place in what a recorder has seen.
type mark struct{ seen, faults int }

func (r *recorder) mark() mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return mark{len(r.seen), len(r.faults)}
}

// since gives what was seen after a mark.
func (r *recorder) since(m mark) (seen []message, faults []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen[m.seen:]), slices.Clone(r.faults[m.faults:])
}

// connections is how many are open.
func (r *recorder) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// cutOff gives the requests whose connection ended inside them.
func (r *recorder) cutOff() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cut)
}

// The recorder must see what is wrong, or the tests above it prove nothing.
func TestSmuggling_RecorderIsStrict(t *testing.T) {
	t.Parallel()
	const host = "Host: a\r\n"
	for name, bytes := range map[string]string{
		"bare LF":              "GET / HTTP/1.1\n" + host + "\r\n",
		"two spaces":           "GET  / HTTP/1.1\r\n" + host + "\r\n",
		"HTTP/1.0":             "GET / HTTP/1.0\r\n" + host + "\r\n",
		"left-over byte":       "GGET / HTTP/1.1\r\nX\r\n\r\n",
		"space before colon":   "GET / HTTP/1.1\r\n" + host + "X : a\r\n\r\n",
		"obs-fold":             "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",
		"two spaces after it":  "GET / HTTP/1.1\r\n" + host + "X:  a\r\n\r\n",
		"two Hosts":            "GET / HTTP/1.1\r\n" + host + host + "\r\n",
		"no Host":              "GET / HTTP/1.1\r\n\r\n",
		"both framings":        "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"two lengths":          "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"signed length":        "POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\na",
		"leading zero":         "POST / HTTP/1.1\r\n" + host + "Content-Length: 01\r\n\r\na",
		"coding list":          "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunk extension":      "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
		"chunk without end":    "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n",
		"bare CR":              "GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n",
		"control character":    "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"obs-text in a name":   "GET / HTTP/1.1\r\n" + host + "X\xe9: a\r\n\r\n",
		"obs-text in a target": "GET /\xe9 HTTP/1.1\r\n" + host + "\r\n",
	} {
		_, err := readMessage(bufio.NewReader(strings.NewReader(bytes)), io.Discard)
		if err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %q: error %v", name, bytes, err)
		}
	}
	good := "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\na\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
	m, err := readMessage(bufio.NewReader(strings.NewReader(good)), io.Discard)
	if err != nil || m.method != "POST" || m.target != "/x" || m.body != "ab0123456789" || len(m.trailers) != 1 {
		t.Errorf("%v: %v", err, m)
	}
	if _, err := readMessage(bufio.NewReader(strings.NewReader(good[:len(good)-3])), io.Discard); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a request without its end: %v", err)
	}
}

// recorderLimit is how long a recorder may take to hear what was sent to it.
const recorderLimit = 10 * time.Second
