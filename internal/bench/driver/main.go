// Command driver is the load of `make bench-registry`: clients that send one operation after the other, each when it has the answer to the last
// one, to a registry or an etcd over HTTP, to an etcd over gRPC, or to a MariaDB. It is a module of its own, so that the product does not depend
// on what only rivals need. The bench starts it and speaks with it by its standard input and output:
//
//	driver: "ready"    all clients are connected, know what they need, and the warm-up is over
//	bench:  "go"
//	driver: a line of JSON (result) at the end of the window
//
// Any answer that is not the right one ends the run: a load that fails in part measures nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

// options say what is loaded, and how.
type options struct {
	kind, op string
	addr     string
	host     string // of requests over HTTP
	user     string // for Basic authentication, name:password
	clients  int
	keys     int
	size     int // bytes of a value
	warm     time.Duration
	window   time.Duration
}

// result is what a window gave.
type result struct {
	Requests int64   `json:"requests"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
}

// client is one of the clients. Each has keys of its own for what must know the state before.
type client interface {
	// prime makes the client know what its operations need.
	prime(ctx context.Context, keys []int) error
	// do is one operation on a key.
	do(ctx context.Context, key int) error
}

func run(args []string) error {
	var o options
	flags := flag.NewFlagSet("driver", flag.ContinueOnError)
	flags.StringVar(&o.kind, "kind", "", "registry, gateway, etcd, mysql or hello")
	flags.StringVar(&o.op, "op", "", "get, list, put, cas; fill or read once over all keys: fill, prime")
	flags.StringVar(&o.addr, "addr", "", "host:port; of mysql the address of the driver")
	flags.StringVar(&o.host, "host", "localhost", "the Host header")
	flags.StringVar(&o.user, "user", "", "name:password")
	flags.IntVar(&o.clients, "clients", 64, "clients")
	flags.IntVar(&o.keys, "keys", 10_000, "keys")
	flags.IntVar(&o.size, "size", 1024, "bytes of a value")
	flags.DurationVar(&o.warm, "warm", 500*time.Millisecond, "load before the window")
	flags.DurationVar(&o.window, "window", 3*time.Second, "the measured time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clients, err := connect(o)
	if err != nil {
		return err
	}
	ctx := context.Background()
	switch o.op {
	case "fill", "prime":
		return each(clients, func(i int, c client) error { return over(ctx, c, o.op, i, o) })
	}
	if err := each(clients, func(i int, c client) error { return c.prime(ctx, own(i, o)) }); err != nil {
		return err
	}
	if _, err := load(ctx, clients, o, o.warm); err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	fmt.Println("ready")
	if _, err := fmt.Fscanln(os.Stdin, new(string)); err != nil {
		return err
	}
	r, err := load(ctx, clients, o, o.window)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin) // the bench reads the clocks of this process, then ends it
	return err
}

// connect makes the clients.
func connect(o options) ([]client, error) {
	switch o.kind {
	case "registry", "gateway", "hello":
		return httpClients(o)
	case "etcd":
		return etcdClients(o)
	case "mysql":
		return mysqlClients(o)
	}
	return nil, fmt.Errorf("kind %q is not known", o.kind)
}

// own are the keys of client i.
func own(i int, o options) []int {
	var keys []int
	for k := i; k < o.keys; k += o.clients {
		keys = append(keys, k)
	}
	return keys
}

// over does an operation once for each of the client's keys.
func over(ctx context.Context, c client, op string, i int, o options) error {
	if f, ok := c.(interface {
		fill(ctx context.Context, i int, o options) error
	}); ok && op == "fill" {
		return f.fill(ctx, i, o)
	}
	for _, k := range own(i, o) {
		if err := c.do(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func each(clients []client, do func(int, client) error) error {
	errs := make([]error, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { errs[i] = do(i, c) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// load lets all clients work for a time.
func load(ctx context.Context, clients []client, o options, window time.Duration) (result, error) {
	times := make([][]int32, len(clients)) // microseconds
	began := time.Now()
	err := each(clients, func(i int, c client) error {
		keys, random := own(i, o), rand.New(rand.NewPCG(uint64(began.UnixNano()), uint64(i)))
		for before := time.Now(); before.Sub(began) < window; {
			key := random.IntN(o.keys)
			if o.op == "cas" {
				key = keys[random.IntN(len(keys))]
			}
			if err := c.do(ctx, key); err != nil {
				return err
			}
			now := time.Now()
			times[i] = append(times[i], int32(now.Sub(before).Microseconds()))
			before = now
		}
		return nil
	})
	if err != nil {
		return result{}, err
	}
	seconds := time.Since(began).Seconds()
	all := slices.Concat(times...)
	slices.Sort(all)
	at := func(p float64) float64 { return float64(all[min(len(all)-1, int(p*float64(len(all))))]) / 1e3 }
	if len(all) == 0 {
		return result{}, errors.New("no operation was done")
	}
	return result{int64(len(all)), seconds, at(0.5), at(0.99)}, nil
}

// value is a content that no other operation has: it begins with a number of its own.
func value(size int) []byte {
	b := make([]byte, size)
	n := copy(b, fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()))
	for i := n; i < size; i++ {
		b[i] = byte('a' + i%26)
	}
	return b
}
