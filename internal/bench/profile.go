package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/pprof/profile"
)

// publicProfile is where the compiler looks for the profile of the load balancer by itself (go help build, -pgo=auto).
const publicProfile = "cmd/elb/default.pgo"

// maxProfile bounds the file, in bytes: it lies in the source tree, and each version of it stays in the history.
const maxProfile = 200 << 10

// fetchGrace is how much longer than its window the answer with a profile may take.
const fetchGrace = 15 * time.Second

// profileAll puts each load on the load balancer and writes what it does meanwhile to o.profile, for profile-guided optimisation: the compiler
// inlines more of what is called often, and calls the usual method of an interface directly.
func profileAll(ctx context.Context, o options, out io.Writer) error {
	w, err := openWorkspace(ctx)
	defer w.close()
	if err != nil {
		return err
	}
	elb := o.proxies[0] // parseOptions leaves that one
	if err := w.preflight(ctx, elb); err != nil {
		return err
	}
	var taken []*profile.Profile
	for _, s := range o.scenarios {
		p, err := w.profile(ctx, elb, s, o.seconds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		fmt.Fprintf(out, "%-9s  %5.1f s of CPU time\n", s.Name, cpuTime(p).Seconds())
		taken = append(taken, p)
	}
	return writeProfile(taken, o.profile, out)
}

// profile starts the proxy, warms it up, and takes its CPU profile under one load. Each load has a process of its own, as in a measurement: the
// access log of all of them together would be gigabytes.
func (w *workspace) profile(ctx context.Context, p proxy, s scenario, seconds int) (*profile.Profile, error) {
	i, err := w.start(ctx, p)
	if err != nil {
		return nil, err
	}
	defer i.stop()
	if _, err := w.runLoad(ctx, s, i, warmUp); err != nil {
		return nil, fmt.Errorf("warm-up: %w", err)
	}
	l, err := w.startLoad(s, i.addr(s.TLS), seconds)
	if err != nil {
		return nil, err
	}
	taken, failed := i.cpuProfile(ctx, seconds) // while the load runs
	result, err := l.finish(ctx, seconds)
	switch err := errors.Join(failed, err); {
	case err != nil:
		return nil, err
	case result.fault != "":
		return nil, errors.New(result.fault)
	case cpuTime(taken) == 0:
		return nil, errors.New("the profile is empty")
	}
	return taken, nil
}

// cpuProfile asks the admin listener for what the process does in the next seconds.
func (i *instance) cpuProfile(ctx context.Context, seconds int) (*profile.Profile, error) {
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", i.Admin, seconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: time.Duration(seconds)*time.Second + fetchGrace, Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := exchange(client, request)
	if err != nil {
		return nil, err
	}
	return profile.ParseData(got.body)
}

// cpuTime is the time that was seen in a CPU profile of Go's runtime: the sum of the last value of its samples, which are nanoseconds.
func cpuTime(p *profile.Profile) time.Duration {
	var sum time.Duration
	for _, s := range p.Sample {
		sum += time.Duration(s.Value[len(s.Value)-1])
	}
	return sum
}

// guideOf makes one of CPU profiles, with what the compiler reads: functions, their first lines, the lines of calls, and counts. It changes the
// profiles. Addresses, files, mappings and the time of day are dropped: they tell of a machine and a build, and make a file large.
func guideOf(profiles []*profile.Profile) (*profile.Profile, error) {
	for _, p := range profiles {
		if err := p.Aggregate(true, true, false, true, false, false); err != nil {
			return nil, err
		}
		for _, l := range p.Location {
			l.Mapping = nil
		}
		for _, s := range p.Sample {
			s.Label, s.NumLabel, s.NumUnit = nil, nil, nil
		}
		p.Mapping, p.Comments, p.DocURL, p.TimeNanos = nil, nil, "", 0
	}
	guide, err := profile.Merge(profiles) // samples that are the same now become one
	if err != nil {
		return nil, err
	}
	return guide, checkGuide(guide)
}

// checkGuide tells what keeps a profile from being published: it is of no use to the compiler, or it names the machine that made it.
func checkGuide(p *profile.Profile) error {
	if len(p.Sample) == 0 {
		return errors.New("the profile has no samples")
	}
	if len(p.Mapping) > 0 || len(p.Comments) > 0 || p.DocURL != "" || p.DropFrames != "" || p.KeepFrames != "" {
		return errors.New("the profile tells more than functions and counts")
	}
	for _, s := range p.Sample {
		if len(s.Label) > 0 || len(s.NumLabel) > 0 {
			return errors.New("the profile has labels")
		}
	}
	begins := false // the compiler takes no profile without it
	for _, f := range p.Function {
		if f.Filename != "" || filepath.IsAbs(f.Name) || filepath.IsAbs(f.SystemName) {
			return fmt.Errorf("the profile names files: %s in %q", f.Name, f.Filename)
		}
		begins = begins || f.Name != "" && f.StartLine > 0
	}
	if !begins {
		return errors.New("the profile does not tell where functions begin")
	}
	return nil
}

// writeProfile writes what was taken under all loads as one profile, and says so on out.
func writeProfile(taken []*profile.Profile, file string, out io.Writer) error {
	guide, err := guideOf(taken)
	if err != nil {
		return err
	}
	size, err := writeGuide(guide, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "written: %s, %d bytes, %.1f s of CPU time in %d functions\n", file, size, cpuTime(guide).Seconds(), len(guide.Function))
	return nil
}

// writeGuide writes a profile and gives the size of the file in bytes. A file that would be too large is not written.
func writeGuide(p *profile.Profile, file string) (int, error) {
	var packed bytes.Buffer
	if err := p.Write(&packed); err != nil {
		return 0, err
	}
	if packed.Len() > maxProfile {
		return 0, fmt.Errorf("the profile would have %d bytes; %d are the most: take fewer seconds, or fewer loads", packed.Len(), maxProfile)
	}
	return packed.Len(), os.WriteFile(file, packed.Bytes(), 0o644) //nolint:gosec // a part of the source, for everybody to read
}
