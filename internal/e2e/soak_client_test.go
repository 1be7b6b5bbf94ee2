package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/websocket"
)

// errWrong marks what must never happen, whatever became of the members: bytes that nobody sent, or fewer that look complete.
var errWrong = errors.New("WRONG")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errWrong}, args...)...)
}

// keepMost is the size up to which bodies of known length are held by the load balancer, so that a request can be sent again.
const keepMost = 64 << 10

// job is one exchange of the soak.
type job struct {
	front  int // index of soak.fronts
	token  string
	method string
	echo   bool // the answer is the upload
	up     int64
	upHow  string // length or chunked
	down   int64
	how    string // length, chunked or close
	slow   int    // ms before the answer
	pause  int    // ms between its pieces
}

// kind is what the job is counted as.
func (j *job) kind(front string) string {
	if j.echo {
		return front + " echo"
	}
	return front + " " + j.method
}

// mayFail tells that the rules of retry do not cover the job: what a member did with it is not known when the member breaks off, its upload is not
// kept, or its answer is on its way already.
func (j *job) mayFail() bool {
	kept := j.upHow == "length" && j.up <= keepMost
	held := j.how == "length" && j.down <= keepMost || j.method == http.MethodHead
	return j.echo || j.method == http.MethodPost || !kept || !held
}

func (j *job) String() string {
	return fmt.Sprintf("%s %s, up %d %s, down %d %s, slow %d, pause %d", j.method, j.token, j.up, j.upHow, j.down, j.how, j.slow, j.pause)
}

// soakSize is 0 B to 8 MiB, each power of two about as likely as any other, and often just around the sizes at which something changes.
func soakSize(rng *rand.Rand) int64 {
	switch rng.IntN(8) {
	case 0:
		return 0
	case 1:
		edges := []int64{1, 4 << 10, 16 << 10, keepMost, 128 << 10, 1 << 20}
		return edges[rng.IntN(len(edges))] + rng.Int64N(3) - 1
	}
	return int64(math.Exp(rng.Float64() * math.Log(8<<20)))
}

func (s *soak) newJob(rng *rand.Rand) *job {
	j := &job{
		front: rng.IntN(trailersFront), token: s.token("x"), upHow: "length", down: soakSize(rng),
		method: []string{"GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "PUT", "DELETE"}[rng.IntN(9)],
		how:    []string{"length", "length", "chunked", "close"}[rng.IntN(4)],
	}
	switch j.method {
	case http.MethodHead:
		j.how = "length"
	case http.MethodPost, http.MethodPut:
		j.up = soakSize(rng)
		if rng.IntN(3) == 0 {
			j.upHow = "chunked"
		}
		if j.echo = rng.IntN(5) == 0; j.echo {
			j.upHow, j.how, j.down = "chunked", "chunked", j.up
		}
	}
	if j.front == http2Front && j.upHow == "chunked" {
		j.front = trailersFront
	}
	switch rng.IntN(12) {
	case 0:
		j.slow = rng.IntN(300)
	case 1:
		j.pause = rng.IntN(20)
	}
	return j
}

// run does the exchange and verifies it.
func (s *soak) run(ctx context.Context, j *job) error {
	f := s.fronts[j.front]
	path := "/soak/"
	if j.echo {
		path = "/echo/"
	}
	url := fmt.Sprintf("%s%s%s?size=%d&how=%s&slow=%d&pause=%d", f.url, path, j.token, j.down, j.how, j.slow, j.pause)
	up := newUpload(j)
	req, err := http.NewRequestWithContext(ctx, j.method, url, nil)
	if err != nil {
		return err
	}
	if j.up > 0 || j.upHow == "chunked" {
		req.Body = up
		req.ContentLength = j.up
		if j.upHow == "chunked" {
			req.ContentLength = -1
			req.Trailer = http.Header{fieldUploadTrailer: nil}
			up.trailer = req.Trailer
		}
	}
	req.Host = soakHost
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		text, err := io.ReadAll(io.LimitReader(res.Body, 1000))
		return errors.Join(fmt.Errorf("status %d: %s", res.StatusCode, strings.TrimSpace(string(text))), err)
	}
	if got := res.Header.Get(fieldToken); got != j.token {
		return wrong("the answer is to %q", got)
	}
	return s.verify(j, res, up)
}

// verify reads the answer and compares it, byte by byte and by hash, and what the member says of the upload.
func (s *soak) verify(j *job, res *http.Response, up *upload) error {
	direction := "down"
	if j.echo {
		direction = "up"
	}
	size := j.down
	if j.method == http.MethodHead {
		if got := res.Header.Get("Content-Length"); got != strconv.FormatInt(size, 10) {
			return wrong("HEAD says Content-Length %q, want %d", got, size)
		}
		size = 0
	}
	sum := sha256.New()
	n, err := compare(io.TeeReader(res.Body, sum), contentOf(j.token, direction, size))
	switch {
	case errors.Is(err, errWrong):
		return err
	case err != nil:
		return fmt.Errorf("the answer broke off after %d of %d bytes: %w", n, size, err)
	case n != size && j.how == "close":
		return fmt.Errorf("%w: %d of %d bytes", errUnframed, n, size)
	case n != size:
		return wrong("%d of %d bytes, and no error", n, size)
	}
	s.bytesDown.Add(n)
	said := res.Header.Get(fieldDownloadHash)
	if j.how == "chunked" && j.method != http.MethodDelete || j.how == "chunked" && size > 0 {
		said = res.Trailer.Get(fieldDownloadHash)
	}
	if j.method != http.MethodHead && said != hexSum(sum) && (j.how != "chunked" || res.StatusCode != http.StatusNoContent) {
		return wrong("the member hashed what it sent to %q; it came as %s", said, hexSum(sum))
	}
	if j.echo {
		return nil
	}
	s.bytesUp.Add(up.sent)
	h := res.Header
	if h.Get(fieldUploadHash) != hexSum(up.sum) || h.Get(fieldUploadSize) != strconv.FormatInt(j.up, 10) {
		return wrong("the member got %s bytes, hash %s; sent were %d, hash %s", h.Get(fieldUploadSize), h.Get(fieldUploadHash), up.sent, hexSum(up.sum))
	}
	if up.trailer != nil && h.Get(fieldUploadTrailer) != j.token {
		return wrong("the trailer of the upload came as %q", h.Get(fieldUploadTrailer))
	}
	return nil
}

// errUnframed is an answer that ended too early where only the end of the connection marks the end. Nobody on the way can tell.
var errUnframed = errors.New("an answer without a length was cut")

// compare reads got to its end and compares it with want. It gives how many bytes came, all of which were right unless the error is errWrong.
func compare(got, want io.Reader) (n int64, err error) {
	a, b := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		k, err := got.Read(a)
		m, _ := io.ReadFull(want, b[:k])
		if m < k || !bytes.Equal(a[:k], b[:k]) {
			return n, wrong("bytes %d to %d are not those that were sent (%d of them were)", n, n+int64(k), m)
		}
		if n += int64(k); errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// upload is the body of a job's request. It hashes what is read of it.
type upload struct {
	content io.Reader
	sum     hash.Hash
	sent    int64
	trailer http.Header // filled in at the end; nil for none
	token   string
}

func newUpload(j *job) *upload {
	return &upload{content: contentOf(j.token, "up", j.up), sum: sha256.New(), token: j.token}
}

// Read implements io.Reader.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.content.Read(p)
	u.sum.Write(p[:n])
	u.sent += int64(n)
	if errors.Is(err, io.EOF) && u.trailer != nil {
		u.trailer.Set(fieldUploadTrailer, u.token)
	}
	return n, err
}

// Close implements io.Closer.
func (*upload) Close() error { return nil }

// websocket sends messages and has them echoed, all compared.
func (s *soak) websocket(rng *rand.Rand) error {
	token := s.token("w")
	dial := s.elb.dial
	if rng.IntN(2) == 0 {
		dial = func() (net.Conn, error) { return s.elb.dialTLS("http/1.1") }
	}
	conn, err := dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(soakLimit))
	config, err := websocket.NewConfig("ws://"+soakHost+"/ws/"+token, "http://"+soakHost+"/")
	if err != nil {
		return err
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		return err
	}
	ws.PayloadType = websocket.BinaryFrame
	size := 1 + rng.Int64N(512<<10)
	sent := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{ws}, contentOf(token, "ws", size), make([]byte, 1+rand.IntN(30<<10)))
		sent <- err
	}()
	n, err := compare(io.LimitReader(ws, size), contentOf(token, "ws", size))
	if err != nil || n < size {
		_ = conn.Close()
	}
	if err = errors.Join(err, <-sent); err != nil {
		return err
	}
	if n < size {
		return fmt.Errorf("the websocket ended after %d of %d bytes", n, size)
	}
	s.bytesDown.Add(n)
	s.bytesUp.Add(n)
	return nil
}

// resetMidway is a client that goes away by RST: in its upload, which no member may take for a whole one, or in a download.
func (s *soak) resetMidway(rng *rand.Rand) error {
	token := s.token("r")
	conn, err := s.elb.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(soakLimit))
	size := 2 + rng.Int64N(2<<20)
	part := 1 + rng.Int64N(size-1)
	switch rng.IntN(3) {
	case 0:
		_, err = fmt.Fprintf(conn, "POST /soak/%s?size=0&how=length HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", token, soakHost, size)
		if err == nil {
			_, err = io.CopyN(conn, contentOf(token, "up", size), part)
		}
	case 1:
		_, err = fmt.Fprintf(conn, "POST /soak/%s?size=0&how=length HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n", token, soakHost, size)
		if err == nil {
			_, err = io.CopyN(conn, contentOf(token, "up", size), part)
		}
	default:
		_, err = fmt.Fprintf(conn, "GET /soak/%s?size=%d&how=%s HTTP/1.1\r\nHost: %s\r\n\r\n", token, size, []string{"length", "chunked"}[rng.IntN(2)], soakHost)
		if err == nil {
			_, err = io.CopyN(io.Discard, conn, part)
		}
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	return err
}
