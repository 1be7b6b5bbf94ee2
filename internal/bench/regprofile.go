package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/pprof/profile"
)

// profileRegistry puts the loads of one node on it and writes what it does meanwhile to o.profile, for whoever looks for what to make cheaper. (As a guide
// for the compiler it has not made nodes measurably faster.)
func profileRegistry(ctx context.Context, o regOptions, out io.Writer) error {
	b, err := openRegBench(ctx, o)
	defer b.close()
	if err != nil {
		return err
	}
	var taken []*profile.Profile
	for _, c := range o.some {
		if c.Rig != rigNode {
			continue
		}
		p, err := b.profileCell(ctx, c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Op, err)
		}
		fmt.Fprintf(out, "%-4s  %5.1f s of CPU time\n", c.Op, cpuTime(p).Seconds())
		taken = append(taken, p)
		b.stopAll(ctx)
	}
	return writeProfile(taken, o.profile, out)
}

// profileCell profiles the node of a fresh rig under one load.
func (b *regBench) profileCell(ctx context.Context, c cell) (*profile.Profile, error) {
	r, err := b.start(ctx, c.Rig)
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx, r); err != nil {
		return nil, err
	}
	d, err := b.startDriver(r, c.Op, r.addr)
	if err != nil {
		return nil, err
	}
	defer d.process.Kill()
	if _, err := d.line(ctx, driverGrace); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(d.in, "go\n"); err != nil {
		return nil, err
	}
	seconds := max(1, int(b.window.Round(time.Second).Seconds()))
	a, failed := b.page(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.admins[0], seconds))
	_, err = d.line(ctx, b.window+driverGrace) // any wrong answer is an error
	if err := errors.Join(failed, err); err != nil {
		return nil, err
	}
	p, err := profile.ParseData(a.body)
	if err == nil && cpuTime(p) == 0 {
		err = errors.New("the profile is empty")
	}
	return p, err
}
