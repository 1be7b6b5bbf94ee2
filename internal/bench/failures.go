package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/internal/drill"
)

// The load of the failure drills. Three members can do 1,200 requests a second; that is a matter of the members, not of the machine.
const (
	failWorkers = 8
	failService = 20 * time.Millisecond
	failRate    = 600 // a second: half of what the members can do
	failPosts   = 5   // of so many requests one is a POST
	failBody    = 2000
	failLimit   = 20 * time.Second // for one request
	kindPost    = 0                // of the requests of the loop; the other kinds are GETs
)

// The course of a drill.
const (
	calmTime   = 3 * time.Second
	deadTime   = 1500 * time.Millisecond // between kill -9 and the restart
	frozenTime = 5 * time.Second
	useLimit   = 20 * time.Second // for a proxy to use a member again
	// What is left of an event when the member is in use again, and at least that: nginx takes seconds where others take none, and percentiles
	// over times of different lengths would not be comparable.
	killTime   = 7 * time.Second
	freezeTime = 12 * time.Second
	afterTime  = 500 * time.Millisecond
)

// failure is a kind of drill.
type failure string

const (
	calm   failure = "calm"
	kill   failure = "kill -9"
	freeze failure = "SIGSTOP"
)

// event is one failure, or the time before all of them, and what the client saw.
type event struct {
	Failure   failure       `json:"failure"`
	Proxy     string        `json:"proxy"`
	Round     int           `json:"round"`
	Get       drill.Summary `json:"get"`
	Post      drill.Summary `json:"post"`
	Held      int           `json:"held,omitempty"`       // POSTs that the member had begun and not answered when it died
	AfterDead int           `json:"after_dead,omitempty"` // failed requests that were sent when it was dead
	BackAfter time.Duration `json:"back_after,omitempty"` // from the restart, or the end of the freeze, to the first request there
	Lag       time.Duration `json:"lag,omitempty"`        // how long after the elb with the load the other one stopped using the member
	Lagged    bool          `json:"lagged,omitempty"`     // that was measured
}

// failureResults are the drills of one run.
type failureResults struct {
	Began    time.Time `json:"began"`
	Took     string    `json:"took"`
	Rounds   int       `json:"rounds"`
	Kills    int       `json:"kills"`
	Freezes  int       `json:"freezes"`
	Machine  machine   `json:"machine"`
	Versions []version `json:"versions"`
	Events   []event   `json:"events"`
	samples  map[rowKey][]drill.Sample
	Rows     []failureRow `json:"rows"`
}

// failureOptions are the flags of `bench failures`.
type failureOptions struct {
	rounds, kills, freezes int
	out, doc               string
	proxies                []proxy
	strict                 bool
}

// failureProxies are those that take part, with the settings that serve them best when members fail.
func failureProxies(elb string) []proxy {
	var chosen []proxy
	for _, p := range proxies(elb) {
		if slices.Contains([]string{subject, "nginx", "haproxy"}, p.name) {
			p.config, p.probe = filepath.Join("failures", p.config), "/work"
			chosen = append(chosen, p)
		}
	}
	return chosen
}

func parseFailureOptions(args []string, stderr io.Writer) (o failureOptions, err error) {
	var elb, some string
	flags := flag.NewFlagSet("bench failures", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&elb, "elb", "bin/elb", "the load balancer's program")
	flags.IntVar(&o.rounds, "rounds", 5, "how often each proxy is started and drilled")
	flags.IntVar(&o.kills, "kills", 4, "how often a member is killed in a round")
	flags.IntVar(&o.freezes, "freezes", 1, "how often a member is frozen in a round")
	flags.StringVar(&some, "proxies", "", "drill these alone (names with spaces or commas between)")
	flags.StringVar(&o.doc, "doc", "", "document whose section on failures is replaced ("+publicDoc+" after a complete run, else none)")
	flags.StringVar(&o.out, "out", "artifacts/bench", "folder of the raw figures")
	flags.BoolVar(&o.strict, "strict", false, "fail when elb fails a drill")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.kills < 0 || o.freezes < 0 {
		return o, errors.New("usage: bench failures [flags]; -h lists them")
	}
	all := failureProxies(elb)
	o.proxies, err = choose(all, some, func(p proxy) string { return p.name })
	if o.doc == "" && len(o.proxies) == len(all) && o.rounds*o.kills >= 20 && o.rounds*o.freezes >= 5 {
		o.doc = publicDoc
	}
	return o, err
}

// runFailures drills all proxies in turn, round by round, and reports.
func runFailures(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFailureOptions(args, stderr)
	if err != nil {
		return err
	}
	r := failureResults{
		Began: time.Now(), Rounds: o.rounds, Kills: o.kills, Freezes: o.freezes, Machine: thisMachine(), samples: map[rowKey][]drill.Sample{},
	}
	if r.Versions, err = versions(ctx, o.proxies); err != nil {
		return err
	}
	for round := 1; round <= o.rounds; round++ {
		shift := (round - 1) % len(o.proxies)
		for _, p := range slices.Concat(o.proxies[shift:], o.proxies[:shift]) {
			events, err := drillOnce(ctx, p, o, r.samples)
			if err != nil {
				return fmt.Errorf("round %d: %s: %w", round, p.name, err)
			}
			for _, e := range events {
				e.Round = round
				r.Events = append(r.Events, e)
				fmt.Fprintf(stdout, "round %d/%d  %-8s %-8s GET: %v\n%31sPOST: %v%s\n", round, o.rounds, p.name, e.Failure, e.Get, "", e.Post, e.told())
			}
		}
	}
	r.Took = time.Since(r.Began).Round(time.Second).String()
	r.sumUp()
	return publishFailures(r, o, stdout)
}

// told is what there is to tell of an event besides its requests.
func (e event) told() string {
	text := ""
	if e.Failure == kill {
		text += fmt.Sprintf("; the member held %d POSTs; %d failed that were sent later", e.Held, e.AfterDead)
	}
	if e.Lagged {
		text += fmt.Sprintf("; the other elb followed after %v", e.Lag.Round(time.Millisecond))
	}
	if e.BackAfter > 0 {
		text += fmt.Sprintf("; in use again after %v", e.BackAfter.Round(time.Millisecond))
	}
	return text
}

// publishFailures keeps the raw figures, prints the table, and puts it into the document.
func publishFailures(r failureResults, o failureOptions, out io.Writer) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	raw := filepath.Join(o.out, "failures-"+r.Began.Format("20060102-150405")+".json")
	if err := os.WriteFile(raw, append(text, '\n'), 0o600); err != nil {
		return err
	}
	section, err := failureSection(r)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\nraw figures: %s\n", section, raw)
	if o.doc != "" {
		if err := failuresSection.replace(o.doc, section); err != nil {
			return err
		}
		fmt.Fprintln(out, "written:", o.doc)
	}
	if missed := r.missed(); o.strict && len(missed) > 0 {
		return fmt.Errorf("%w: %s", errBarMissed, strings.Join(missed, "; "))
	}
	return nil
}
