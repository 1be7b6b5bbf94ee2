package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// regOptions are the flags of `bench registry`.
type regOptions struct {
	elb, registry, driver string // the programs
	rounds                int
	warm, window          time.Duration
	clients, keys         int
	some                  []cell
	out, doc, from        string
	profile               string
	strict                bool
}

const publicWindow = 2 * time.Second

// regRecord is one run of a cell in a round.
type regRecord struct {
	cell
	Round   int    `json:"round"` // from 1
	Invalid string `json:"invalid,omitempty"`

	Requests   int64   `json:"requests"`
	Rate       float64 `json:"operations_per_second"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	CPU        float64 `json:"cpu_us_per_operation"`          // of all server processes of the rig
	Database   float64 `json:"database_cpu_us_per_operation"` // of MariaDB, a part of CPU
	Statements float64 `json:"statements_per_operation"`
	Noise      float64 `json:"noise_percent"`
}

// regResults is a measurement, as the file of raw figures has it.
type regResults struct {
	Began    time.Time   `json:"began"`
	Took     string      `json:"took"`
	Rounds   int         `json:"rounds"`
	Window   string      `json:"window"`
	Clients  int         `json:"clients"`
	Keys     int         `json:"keys"`
	Machine  machine     `json:"machine"`
	Versions []version   `json:"versions"`
	Complete bool        `json:"complete"`
	Records  []regRecord `json:"records"`
}

func parseRegOptions(args []string, stderr io.Writer) (o regOptions, err error) {
	var some string
	flags := flag.NewFlagSet("bench registry", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.elb, "elb", "bin/elb", "the load balancer's program")
	flags.StringVar(&o.registry, "registry", "bin/registry", "the registry's program")
	flags.StringVar(&o.driver, "driver", "bin/bench-driver", "the program that makes the load")
	flags.IntVar(&o.rounds, "rounds", publicRounds, "how often everything is measured")
	flags.DurationVar(&o.window, "window", publicWindow, "the measured time of a cell")
	flags.DurationVar(&o.warm, "warm", 500*time.Millisecond, "load before it")
	flags.IntVar(&o.clients, "clients", 64, "clients")
	flags.IntVar(&o.keys, "keys", 10_000, "resources; a multiple of 100")
	flags.StringVar(&some, "cells", "", "measure these alone, each as operation/rig, such as get/node (spaces or commas between)")
	flags.StringVar(&o.doc, "doc", "", "document whose section is replaced ("+publicDoc+" after a complete measurement, else none)")
	flags.StringVar(&o.out, "out", "artifacts/bench", "folder of the raw figures")
	flags.StringVar(&o.from, "from", "", "measure nothing: write the section again from this file of raw figures")
	flags.StringVar(&o.profile, "profile", "", "measure nothing: profile a node under the loads, each for -window, and write that to this file (go tool pprof reads it)")
	flags.BoolVar(&o.strict, "strict", false, "fail when a bar is missed")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.window <= 0 || o.clients < 1 || o.keys < 100 || o.keys%100 != 0 {
		return o, errors.New("usage: bench registry [flags]; -h lists them")
	}
	o.some, err = choose(cells(), some, func(c cell) string { return c.Op + "/" + string(c.Rig) })
	return o, err
}

// complete tells whether nothing was left out, so that the result may stand in the project's documents.
func (o regOptions) complete() bool {
	return o.rounds >= publicRounds && o.window >= publicWindow && len(o.some) == len(cells()) && o.profile == ""
}

// runRegistry measures all cells round by round, and reports.
func runRegistry(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseRegOptions(args, stderr)
	if err != nil {
		return err
	}
	if o.profile != "" {
		return profileRegistry(ctx, o, stdout)
	}
	if o.from != "" {
		r, err := loadResults[regResults](o.from)
		if err != nil {
			return err
		}
		return publishRegistry(r, o, stdout)
	}
	r := regResults{
		Began: time.Now(), Rounds: o.rounds, Window: o.window.String(), Clients: o.clients, Keys: o.keys, Machine: thisMachine(), Complete: o.complete(),
	}
	if r.Versions, err = versions(ctx, []proxy{
		{name: "elb", program: o.elb, version: []string{"version"}},
		{name: "registry", program: o.registry, version: []string{"version"}},
		{name: "MariaDB", program: "mariadbd", version: []string{"--version"}},
		{name: "etcd", program: "etcd", version: []string{"--version"}},
	}); err != nil {
		return err
	}
	b, err := openRegBench(ctx, o)
	defer b.close()
	if err != nil {
		return err
	}
	for round := 1; round <= o.rounds; round++ {
		records, err := b.round(ctx, round, stdout)
		if err != nil {
			return err
		}
		r.Records = append(r.Records, records...)
	}
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return publishRegistry(r, o, stdout)
}

// round measures every cell once. Cells that only read share rigs; each one that writes has a fresh one. Another cell of an operation comes first in
// each round.
func (b *regBench) round(ctx context.Context, round int, out io.Writer) ([]regRecord, error) {
	var records []regRecord
	for _, op := range operationTitles() {
		group := slices.DeleteFunc(slices.Clone(b.some), func(c cell) bool { return c.Op != op.Op })
		if len(group) == 0 {
			continue
		}
		shift := (round - 1) % len(group)
		for _, c := range slices.Concat(group[shift:], group[:shift]) {
			rec := regRecord{cell: c, Round: round}
			if err := b.measure(ctx, c, &rec); err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				rec.Invalid = oneLine(err) // the others go on; the report names it
			}
			fmt.Fprintf(out, "round %d/%d  %s\n", round, b.rounds, rec.line())
			records = append(records, rec)
		}
	}
	b.stopAll(ctx)
	return records, nil
}

func (b *regBench) stopAll(ctx context.Context) {
	for _, r := range b.rigs {
		b.stop(ctx, r)
	}
}

// measure runs one cell.
func (b *regBench) measure(ctx context.Context, c cell, rec *regRecord) error {
	r := b.rigs[b.sharedRig(c)]
	if c.writes() {
		b.stopAll(ctx)
		r = nil
	}
	if r == nil {
		var err error
		if r, err = b.start(ctx, b.sharedRig(c)); err != nil {
			return err
		}
		if err := b.fill(ctx, r); err != nil {
			return err
		}
	}
	if err := pause(ctx, settle); err != nil { // what was written is put in order meanwhile
		return err
	}
	asked := *r
	asked.name = c.Rig
	return b.runWindow(ctx, &asked, c.Op, rec)
}

// sharedRig is the rig that serves a cell: etcd is one, however it is spoken with.
func (b *regBench) sharedRig(c cell) rigName {
	if c.Rig == rigGateway {
		return rigEtcd
	}
	return c.Rig
}

// line is the record for people who watch.
func (r regRecord) line() string {
	begin := fmt.Sprintf("%-4s  %-9s ", r.Op, r.Rig)
	if r.Invalid != "" {
		return begin + "INVALID: " + r.Invalid
	}
	return begin + fmt.Sprintf("%9.0f op/s  p50 %7.2f ms  p99 %7.2f ms  CPU %7.1f us/op (MariaDB %6.1f)  %6.3f stmt/op  noise %2.0f %%", r.Rate, r.P50, r.P99, r.CPU, r.Database, r.Statements, r.Noise)
}

// runHello is the least that a server made with net/http does: it answers 1 KiB.
func runHello(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench hello", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "", "where to listen")
	if err := flags.Parse(args); err != nil {
		return errors.Join(flag.ErrHelp, err)
	}
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	body := []byte(strings.Repeat("h", 1024))
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(body) // who does not read it has gone
	})}
	return server.Serve(l)
}
