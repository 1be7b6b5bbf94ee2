package registrycli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// follow is the verb watch: it prints what happens at a path and below, a line for each event.
func follow(f *flag.FlagSet) action {
	var o followOptions
	f.StringVar(&o.From, "since", "", "begin after that `position`: the id of an event, or a position of the change log such as shared:4711; 0 is all that the log has, and without it what happens next")
	f.BoolVar(&o.Only, "only", false, "that path alone, not what lies below it")
	f.StringVar(&o.Store, "store", "", "the `store` to watch, where several lie below the path")
	f.DurationVar(&o.GiveUp, "give-up", 10*time.Minute, "how `long` in a row the registry may be out of reach; 0 is for ever")
	f.IntVar(&o.most, "n", 0, "end after so `many` events")
	f.DurationVar(&o.within, "for", 0, "end after that `time`; with -n it is a failure when fewer events came")
	return func(ctx context.Context, s *session, args []string) error {
		if o.most < 0 || o.within < 0 || o.GiveUp < 0 {
			return usagef("-n, -for and -give-up are not negative")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		return o.run(ctx, s, c, args[0])
	}
}

type followOptions struct {
	client.WatchOptions

	most   int
	within time.Duration
}

// errTimeIsUp ends a watch for which the caller gave a time.
var errTimeIsUp = errors.New("the time is up")

// run prints events until there are enough, the time is up or somebody interrupts it, which is how a watch ends.
func (o followOptions) run(ctx context.Context, s *session, c *client.Client, path string) error {
	if o.within > 0 {
		timed, cancel := context.WithTimeoutCause(ctx, o.within, errTimeIsUp)
		defer cancel()
		ctx = timed
	}
	o.Lost = func(err error) {
		if !s.quiet {
			fmt.Fprintln(s.Err, "going on after:", printable(err.Error()))
		}
	}
	given := 0
	for e, err := range c.Watch(ctx, path, o.WatchOptions) {
		switch {
		case err != nil && ctx.Err() != nil && o.most == 0:
			return nil
		case errors.Is(err, errTimeIsUp):
			return fmt.Errorf("%d of %d events came within %s", given, o.most, o.within)
		case err != nil:
			return fellBehind(err)
		}
		if err := s.printEvent(e); err != nil {
			return err
		}
		if given++; given == o.most {
			return nil
		}
	}
	return nil
}

// fellBehind adds to a position that is gone where one can begin.
func fellBehind(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && e.OldestSeq > 0 {
		return fmt.Errorf("%w\nthe log begins with the operation %d: read anew what you follow, and watch from there", err, e.OldestSeq)
	}
	return err
}

// printEvent prints an event as a line.
func (s *session) printEvent(e client.Event) error {
	if s.json {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(append(b, '\n'))
		return err
	}
	line := []string{e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.ID, e.User, e.Action, e.Path}
	for i, name := range line {
		if name == "" {
			line[i] = "-"
		}
	}
	if e.Version > 0 {
		line = append(line, "version "+strconv.FormatInt(e.Version, 10))
	}
	if e.Subject != "" {
		line = append(line, strconv.Quote(e.Subject))
	}
	if e.Number > 0 {
		line = append(line, strconv.FormatInt(e.Number, 10))
	}
	if e.Related != "" {
		line = append(line, "("+e.Related+")")
	}
	_, err := fmt.Fprintln(s.Out, s.shown(strings.Join(line, "  ")))
	return err
}
