package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const handshakeTimeout = 10 * time.Second

// handshakeReport is what the client says in the end, as JSON.
type handshakeReport struct {
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors"`
	FirstSaid string  `json:"first_error,omitempty"`
	Seconds   float64 `json:"seconds"`
	P50Micros float64 `json:"p50_us"`
	P99Micros float64 `json:"p99_us"`
}

// handshakeClient opens connections one after the other, each with a full TLS handshake for one request. One goroutine uses it.
type handshakeClient struct {
	dialer *tls.Dialer
	addr   string
	ask    []byte
	wanted int64 // bytes of the answer's body

	took   []time.Duration
	errors int64
	first  error
}

func runHandshakes(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("handshake", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "", "address to connect to")
	path := flags.String("path", "/", "what to ask for")
	wanted := flags.Int64("answer", 0, "length of the answer")
	clients := flags.Int("clients", 1, "how many connect at once")
	seconds := flags.Int("seconds", 1, "for how long")
	if err := flags.Parse(args); err != nil {
		return errors.Join(flag.ErrHelp, err)
	}
	// No session cache: nothing is resumed. One curve: a newer one would cost those that know it more than the others.
	config := &tls.Config{
		ServerName: host, InsecureSkipVerify: true, //nolint:gosec // the server is ours, on this machine
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}, NextProtos: []string{"http/1.1"},
	}
	ask := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", *path, host)
	all := make([]*handshakeClient, *clients)
	var running sync.WaitGroup
	began := time.Now()
	until := began.Add(time.Duration(*seconds) * time.Second)
	for i := range all {
		all[i] = &handshakeClient{dialer: &tls.Dialer{Config: config}, addr: *addr, ask: ask, wanted: *wanted}
		running.Go(func() { all[i].run(ctx, until) })
	}
	running.Wait()
	return json.NewEncoder(stdout).Encode(sumUp(all, time.Since(began)))
}

// run goes on until the time is over, ctx ends, or so much fails that the measurement is void anyway.
func (c *handshakeClient) run(ctx context.Context, until time.Time) {
	const enough = 100
	for ctx.Err() == nil && c.errors < enough && time.Now().Before(until) {
		began := time.Now()
		if err := c.once(ctx); err != nil {
			c.errors++
			if c.first == nil {
				c.first = err
			}
			continue
		}
		c.took = append(c.took, time.Since(began))
	}
}

// once makes one connection and one request.
func (c *handshakeClient) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := c.dialer.DialContext(ctx, "tcp", c.addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return c.exchange(conn)
}

func (c *handshakeClient) exchange(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return err
	}
	if _, err := conn.Write(c.ask); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 4<<10), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	n, err := io.Copy(io.Discard, response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK || n != c.wanted:
		return fmt.Errorf("status %d with %d bytes", response.StatusCode, n)
	}
	return nil
}

func sumUp(all []*handshakeClient, took time.Duration) handshakeReport {
	r := handshakeReport{Seconds: took.Seconds()}
	var micros []float64
	for _, c := range all {
		r.Errors += c.errors
		if c.first != nil && r.FirstSaid == "" {
			r.FirstSaid = c.first.Error()
		}
		for _, d := range c.took {
			micros = append(micros, float64(d)/float64(time.Microsecond))
		}
	}
	r.Requests = int64(len(micros))
	r.P50Micros, r.P99Micros = percentile(micros, 50), percentile(micros, 99)
	return r
}
