package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/websocket"

	"github.com/regent-registry/regent/pkg/membership"
)

// Member is a server behind the load balancer. It does Workers requests at a time, each for Service, so its capacity is known: Workers / Service.
//
//	GET  /healthz            200
//	any  /work…              holds a worker for Service; answers Answer, and its name in the field Member
//	GET  /download?for=20s   an answer of DownloadSize bytes that takes so long
//	     /ws…                a websocket that echoes
//	POST /control/slow?by=4  from now on Service is that many times as long
//	GET  /control/requests   how many requests for /work were answered
//
// When ctx of Run ends it drains as a node does: it says so in its group, goes on for DrainDelay, ends its websockets, finishes what runs within
// DrainTimeout, and leaves. It writes a line for each POST that it begins and has answered, and for each request that comes while it drains.
type Member struct {
	Name         string        `json:"name"`
	Addr         string        `json:"addr"` // of HTTP, an IP address and a port
	Workers      int           `json:"workers"`
	Service      time.Duration `json:"service"`
	Domain       string        `json:"domain,omitempty"` // "": it joins no group
	GossipPort   int           `json:"gossip_port,omitempty"`
	Seeds        []string      `json:"seeds,omitempty"`
	DrainDelay   time.Duration `json:"drain_delay,omitempty"`
	DrainTimeout time.Duration `json:"drain_timeout,omitempty"`
}

// What a member writes, a line each. late is followed by the milliseconds since it said that it drains.
const (
	begunLine = "POST begun\n"
	endedLine = "POST answered\n"
	lateWord  = "request while draining after "
)

// DownloadSize is the length of the body of /download.
const DownloadSize = 1 << 20

// leaveLimit bounds the farewell to the group.
const leaveLimit = 5 * time.Second

// Answer is the body of the answer to a request for /work.
func Answer(method, path string, body int) string { return fmt.Sprintf("%s %s %d", method, path, body) }

// String is the member as JSON, which ParseMember reads.
func (m Member) String() string {
	text, err := json.Marshal(m)
	if err != nil {
		return err.Error() // there is nothing in it that cannot be written
	}
	return string(text)
}

// ParseMember reads what String wrote, in another process.
func ParseMember(text string) (m Member, err error) {
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return m, fmt.Errorf("drill member: %w", err)
	}
	if m.Workers < 1 {
		return m, errors.New("drill member: workers: at least one is needed")
	}
	return m, nil
}

// memberRun is a member at work.
type memberRun struct {
	Member
	out      io.Writer
	workers  chan struct{}
	slow     atomic.Int64
	requests atomic.Int64
	draining atomic.Pointer[time.Time] // when it said so
	ending   chan struct{}             // closed when websockets are to end
	sockets  sync.WaitGroup
}

// Run serves until ctx ends and then drains. out gets the lines; each is one write, so that it is there when the process is killed the next moment.
func (m Member) Run(ctx context.Context, out io.Writer) error {
	addr, err := netip.ParseAddrPort(m.Addr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", m.Addr)
	if err != nil {
		return err
	}
	r := &memberRun{Member: m, out: out, workers: make(chan struct{}, m.Workers), ending: make(chan struct{})}
	r.slow.Store(1)
	server := &http.Server{Handler: r.handler(), ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	var group *membership.Group
	if m.Domain != "" {
		if group, err = m.join(ctx, int(addr.Port())); err != nil {
			return errors.Join(err, server.Close(), ignoreClosed(<-done))
		}
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	err = r.drain(context.WithoutCancel(ctx), server, group)
	return errors.Join(err, ignoreClosed(<-done))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (m Member) join(ctx context.Context, httpPort int) (*membership.Group, error) {
	return membership.Open(ctx, membership.Config{
		Local: membership.Member{
			Name: m.Name, Domain: m.Domain, Host: "127.0.0.1", HTTPPort: httpPort, HealthPath: "/healthz",
			State: membership.StateActive, StartedAt: time.Now(),
		},
		BindPort: m.GossipPort, Seeds: m.Seeds,
	})
}

// drain is the end of a member, in the order in which a node ends.
func (r *memberRun) drain(ctx context.Context, server *http.Server, group *membership.Group) error {
	var errs []error
	said := time.Now()
	r.draining.Store(&said)
	if group != nil {
		errs = append(errs, group.SetState(membership.StateDraining))
		timer := time.NewTimer(r.DrainDelay)
		defer timer.Stop()
		<-timer.C
	}
	close(r.ending)
	finish, cancel := context.WithTimeout(ctx, r.DrainTimeout)
	defer cancel()
	errs = append(errs, server.Shutdown(finish), server.Close())
	r.sockets.Wait()
	if group != nil {
		leave, cancel := context.WithTimeout(ctx, leaveLimit)
		defer cancel()
		errs = append(errs, group.Leave(leave))
	}
	return errors.Join(errs...)
}

func (r *memberRun) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") })
	mux.HandleFunc("/work", r.work)
	mux.HandleFunc("/work/", r.work)
	mux.HandleFunc("GET /download", r.download)
	mux.Handle("/ws/", websocket.Server{Handler: r.echo})
	mux.HandleFunc("POST /control/slow", func(w http.ResponseWriter, q *http.Request) {
		by, err := strconv.ParseInt(q.FormValue("by"), 10, 32)
		if err != nil || by < 1 {
			http.Error(w, "by: a whole number from 1", http.StatusBadRequest)
			return
		}
		r.slow.Store(by)
	})
	mux.HandleFunc("GET /control/requests", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, r.requests.Load()) })
	return mux
}

// arrived notes a request that comes while the member drains.
func (r *memberRun) arrived() {
	if said := r.draining.Load(); said != nil {
		_, _ = io.WriteString(r.out, lateWord+strconv.FormatInt(time.Since(*said).Milliseconds(), 10)+"\n")
	}
}

func (r *memberRun) work(w http.ResponseWriter, q *http.Request) {
	r.arrived()
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // the load balancer or its client broke off
	}
	if q.Method == http.MethodPost {
		_, _ = io.WriteString(r.out, begunLine)
		defer io.WriteString(r.out, endedLine) //nolint:errcheck // the reader of the lines finds out
	}
	select {
	case r.workers <- struct{}{}:
	case <-q.Context().Done():
		return
	}
	timer := time.NewTimer(r.Service * time.Duration(r.slow.Load()))
	defer timer.Stop()
	<-timer.C
	<-r.workers
	r.requests.Add(1)
	text := Answer(q.Method, q.URL.Path, len(body))
	w.Header().Set("Member", r.Name)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush() // before the line that says so
}

func (r *memberRun) download(w http.ResponseWriter, q *http.Request) {
	r.arrived()
	const pieces = 64
	d, err := time.ParseDuration(q.FormValue("for"))
	if err != nil || d <= 0 {
		http.Error(w, "for: a duration", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(DownloadSize))
	w.Header().Set("Member", r.Name)
	tick := time.NewTicker(d / pieces)
	defer tick.Stop()
	for range pieces {
		if _, err := w.Write(make([]byte, DownloadSize/pieces)); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush() // Write tells
		<-tick.C
	}
}

// echo sends back what comes until the client closes or the member ends.
func (r *memberRun) echo(conn *websocket.Conn) {
	r.arrived()
	r.sockets.Add(1)
	defer r.sockets.Done()
	gone := make(chan struct{})
	defer close(gone)
	r.sockets.Go(func() {
		select {
		case <-r.ending:
			_ = conn.Close()
		case <-gone:
		}
	})
	_, _ = io.Copy(conn, conn)
}
