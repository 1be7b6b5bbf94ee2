package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// record is one run: a scenario with a proxy in a round.
type record struct {
	Round    int    `json:"round"` // from 1
	Scenario string `json:"scenario"`
	Proxy    string `json:"proxy"`
	Invalid  string `json:"invalid,omitempty"` // why it does not count

	Requests  int64   `json:"requests"`
	Rate      float64 `json:"requests_per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	CPU       float64 `json:"cpu_us_per_request"` // of the proxy's processes
	Memory    float64 `json:"memory_mib"`         // of the proxy's processes, near the end of the window, under load
	Noise     float64 `json:"noise_percent"`      // of the machine's capacity: processes that are not ours, and time stolen by its host
	LoadCPU   float64 `json:"load_cpu_us_per_request"`
	MemberCPU float64 `json:"member_cpu_us_per_request"`
	Reconnect float64 `json:"member_connections_per_1000_requests"` // opened within the window
	Logged    float64 `json:"logged_share,omitempty"`               // lines of the access log per request; for proxies that write one
}

// results is a measurement, as the file of raw figures has it.
type results struct {
	Began     time.Time  `json:"began"`
	Took      string     `json:"took"`
	Rounds    int        `json:"rounds"`
	Seconds   int        `json:"seconds"`
	Machine   machine    `json:"machine"`
	Versions  []version  `json:"versions"`
	Guided    bool       `json:"guided"` // elb was built by a profile
	Scenarios []scenario `json:"scenarios"`
	Proxies   []string   `json:"proxies"`
	Cut       string     `json:"cut,omitempty"` // why there are fewer rounds than asked for
	Complete  bool       `json:"complete"`
	Records   []record   `json:"records"`
}

// measureAll runs everything.
func measureAll(ctx context.Context, o options, out io.Writer) (results, error) {
	r := results{Began: time.Now(), Seconds: o.seconds, Scenarios: o.scenarios, Machine: thisMachine()}
	for _, p := range o.proxies {
		r.Proxies = append(r.Proxies, p.name)
	}
	var err error
	if r.Versions, err = versions(ctx, slices.Concat(o.proxies, loadPrograms())); err != nil {
		return r, err
	}
	if slices.Contains(r.Proxies, subject) {
		if r.Guided, err = guided(o.elb); err != nil {
			return r, err
		}
	}
	w, err := openWorkspace(ctx)
	defer w.close()
	if err != nil {
		return r, err
	}
	for _, p := range o.proxies {
		if err := w.preflight(ctx, p); err != nil {
			return r, err
		}
		fmt.Fprintf(out, "%s does the job: all answers, the same headers, %s\n", p.name, cipher)
	}
	for round := 1; round <= o.rounds; round++ {
		if took, each := time.Since(r.Began), time.Since(r.Began)/time.Duration(round); round > 1 && took+each > o.limit {
			r.Cut = fmt.Sprintf("%d of %d rounds: another one would probably end later than %v", r.Rounds, o.rounds, o.limit)
			fmt.Fprintln(out, r.Cut)
			break
		}
		records, err := w.measureRound(ctx, o, round, out)
		if err != nil {
			return r, err
		}
		r.Records = append(r.Records, records...)
		r.Rounds = round
	}
	r.Complete = o.complete() && r.Rounds >= publicRounds
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return r, nil
}

// measureRound runs every scenario with every proxy. Another proxy begins in each round, so that none is always the first.
func (w *workspace) measureRound(ctx context.Context, o options, round int, out io.Writer) ([]record, error) {
	var records []record
	shift := (round - 1) % len(o.proxies)
	order := slices.Concat(o.proxies[shift:], o.proxies[:shift])
	for _, s := range o.scenarios {
		for _, p := range order {
			if !p.runs(s) {
				continue
			}
			rec := record{Round: round, Scenario: s.Name, Proxy: p.name}
			if err := w.measure(ctx, p, s, o.seconds, &rec); err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				rec.Invalid = oneLine(err) // the others go on; the report names it
			}
			fmt.Fprintf(out, "round %d/%d  %s\n", round, o.rounds, rec.line())
			records = append(records, rec)
		}
	}
	return records, nil
}

// oneLine is what an error says, fit for a list.
func oneLine(err error) string {
	const enough = 400
	text := strings.Join(strings.Fields(err.Error()), " ")
	return text[:min(enough, len(text))]
}

// line is the record for people who watch.
func (r record) line() string {
	begin := fmt.Sprintf("%-9s  %-14s ", r.Scenario, r.Proxy)
	if r.Invalid != "" {
		return begin + "INVALID: " + r.Invalid
	}
	return begin + fmt.Sprintf("%9.0f req/s  p50 %7.2f ms  p99 %7.2f ms  CPU %7.1f us/req  %6.1f MiB  noise %2.0f %%",
		r.Rate, r.P50, r.P99, r.CPU, r.Memory, r.Noise)
}

// measure starts the proxy, warms it up, and takes its figures over one window.
func (w *workspace) measure(ctx context.Context, p proxy, s scenario, seconds int, rec *record) error {
	i, err := w.start(ctx, p)
	if err != nil {
		return err
	}
	defer i.stop()
	warm, err := w.runLoad(ctx, s, i, warmUp)
	if err != nil {
		return fmt.Errorf("warm-up: %w", err)
	}
	if err := pause(ctx, settle); err != nil { // its connections are closed meanwhile
		return err
	}
	if err := w.window(ctx, i, s, seconds, rec); err != nil {
		return err
	}
	if p.logs {
		if err := pause(ctx, settle); err != nil { // the log is written beside the requests
			return err
		}
		lines, err := i.loggedLines()
		if err != nil {
			return err
		}
		rec.Logged = min(1, float64(lines)/float64(warm.requests+rec.Requests))
	}
	return nil
}

// sample is how much everything has used so far.
type sample struct {
	at          time.Time
	machine     machineTime
	proxy, self time.Duration
	members     memberCounts
}

func (w *workspace) sample(ctx context.Context, i *instance) (sample, error) {
	s := sample{at: time.Now()}
	var err1, err2, err3, err4 error
	var self process
	s.members, err1 = w.countMembers(ctx)
	s.proxy, err2 = treeTime(i.process.PID())
	self, err3 = readProcess(os.Getpid())
	s.self = self.own
	s.machine, err4 = readMachine()
	return s, errors.Join(err1, err2, err3, err4)
}

// window puts load on the proxy and writes into rec what that took.
func (w *workspace) window(ctx context.Context, i *instance, s scenario, seconds int, rec *record) error {
	before, err := w.sample(ctx, i)
	if err != nil {
		return err
	}
	l, err := w.startLoad(s, i.addr(s.TLS), seconds)
	if err != nil {
		return err
	}
	_ = pause(ctx, time.Duration(memoryAt*float64(seconds)*float64(time.Second))) // finish sees the end of ctx, too
	memory, memoryErr := treeMemory(i.process.PID())
	result, err := l.finish(ctx, seconds)
	if err != nil {
		return err
	}
	after, err := w.sample(ctx, i)
	if err := errors.Join(err, memoryErr); err != nil {
		return err
	}
	rec.Requests = result.requests
	rec.Memory = float64(memory) / (1 << 20)
	rec.Noise = noise(before, after, l.cpu(), runtime.NumCPU())
	answered := after.members.requests - before.members.requests
	switch {
	case result.fault != "":
		return errors.New(result.fault)
	case answered < result.requests:
		return fmt.Errorf("the members saw %d requests of %d", answered, result.requests)
	}
	per := func(d time.Duration) float64 {
		return float64(d) / float64(time.Microsecond) / float64(result.requests)
	}
	rec.Rate = float64(result.requests) / result.seconds
	rec.P50, rec.P99 = result.p50.Seconds()*1e3, result.p99.Seconds()*1e3
	rec.CPU = per(after.proxy - before.proxy)
	rec.LoadCPU = per(l.cpu())
	rec.MemberCPU = per(after.members.cpu - before.members.cpu)
	rec.Reconnect = float64(after.members.accepted-before.members.accepted) / float64(result.requests) * 1e3
	return nil
}

// noise is the part of the machine, in per cent, that went to others than the proxy, its load, its members and this program.
func noise(before, after sample, load time.Duration, cores int) float64 {
	ours := after.proxy - before.proxy + after.self - before.self + after.members.cpu - before.members.cpu + load
	others := after.machine.busy - before.machine.busy + after.machine.steal - before.machine.steal - ours
	capacity := after.at.Sub(before.at) * time.Duration(cores)
	return max(0, float64(others)/float64(capacity)*100)
}

// runLoad is a load of which only the result matters.
func (w *workspace) runLoad(ctx context.Context, s scenario, i *instance, seconds int) (loadResult, error) {
	l, err := w.startLoad(s, i.addr(s.TLS), seconds)
	if err != nil {
		return loadResult{}, err
	}
	r, err := l.finish(ctx, seconds)
	if err == nil && r.fault != "" {
		err = errors.New(r.fault)
	}
	return r, err
}

// pause waits; the error is that of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
