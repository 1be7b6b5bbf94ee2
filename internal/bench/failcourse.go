package main

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"github.com/regent-registry/regent/internal/drill"
)

// course is a proxy under load, and what has happened to its members.
type course struct {
	*rig
	load  *drill.Loop
	spans []span
}

// span is an event and when it began.
type span struct {
	event
	from   time.Time
	dead   time.Time // when the member was dead; zero if it was not killed
	victim *drillMember
}

// drillOnce starts members and a proxy and lets everything happen once. The samples go to their rows.
func drillOnce(ctx context.Context, p proxy, o failureOptions, into map[rowKey][]drill.Sample) ([]event, error) {
	rig, err := openRig(ctx, p)
	defer rig.close()
	if err != nil {
		return nil, err
	}
	c := &course{rig: rig, load: rig.load(ctx)}
	defer c.load.Stop()
	if err := c.run(ctx, o); err != nil {
		return nil, err
	}
	samples := c.load.Stop()
	var events []event
	for i := range c.spans {
		s := &c.spans[i]
		// A request belongs to the event in which it ended, and the last one lasts for ever, so that each is counted once.
		end := time.Now()
		if i+1 < len(c.spans) {
			end = c.spans[i+1].from
		}
		own := slices.DeleteFunc(slices.Clone(samples), func(one drill.Sample) bool {
			over := one.Due.Add(one.Took)
			return over.Before(s.from) || !over.Before(end)
		})
		s.Proxy = p.name
		s.count(own, into)
		if !s.dead.IsZero() {
			if s.Lag, s.Lagged, err = rig.lag(s.victim.Name, s.from); err != nil {
				return nil, err
			}
		}
		events = append(events, s.event)
	}
	return events, nil
}

// count sums up the requests of the event.
func (s *span) count(own []drill.Sample, into map[rowKey][]drill.Sample) {
	for _, one := range own {
		key := rowKey{s.Failure, s.Proxy, one.Kind == kindPost}
		into[key] = append(into[key], one)
		if one.Err != nil && !s.dead.IsZero() && one.Due.After(s.dead) {
			s.AfterDead++
		}
	}
	s.Get = drill.Summarise(own, func(one drill.Sample) bool { return one.Kind != kindPost })
	s.Post = drill.Summarise(own, func(one drill.Sample) bool { return one.Kind == kindPost })
}

// run lets everything happen, one after the other, to one member after the other.
func (c *course) run(ctx context.Context, o failureOptions) error {
	err := c.happens(ctx, calm, 0, calmTime, func(*span) error { return nil })
	for i := 0; err == nil && i < o.kills; i++ {
		err = c.happens(ctx, kill, i, killTime, func(s *span) error { return c.kill(ctx, s) })
	}
	for i := 0; err == nil && i < o.freezes; i++ {
		err = c.happens(ctx, freeze, i, freezeTime, func(s *span) error { return c.freeze(ctx, s) })
	}
	return err
}

// happens lets one thing happen, and the load go on until the time is over.
func (c *course) happens(ctx context.Context, what failure, member int, least time.Duration, do func(s *span) error) error {
	s := span{event: event{Failure: what}, from: time.Now(), victim: c.members[member%len(c.members)]}
	err := do(&s)
	if err == nil {
		err = pause(ctx, max(afterTime, least-time.Since(s.from)))
	}
	c.spans = append(c.spans, s)
	return err
}

func (c *course) kill(ctx context.Context, s *span) (err error) {
	s.Held, err = s.victim.kill()
	s.dead = time.Now()
	if err != nil {
		return err
	}
	if err := pause(ctx, deadTime); err != nil {
		return err
	}
	if err := s.victim.start(ctx); err != nil {
		return err
	}
	s.BackAfter, err = c.awaitUse(ctx, s.victim)
	return err
}

func (c *course) freeze(ctx context.Context, s *span) error {
	if err := s.victim.process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err := pause(ctx, frozenTime)
	if err := errors.Join(err, s.victim.process.Signal(syscall.SIGCONT)); err != nil {
		return err
	}
	s.BackAfter, err = c.awaitUse(ctx, s.victim)
	return err
}
