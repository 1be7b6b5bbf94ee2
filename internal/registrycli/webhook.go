package registrycli

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// webhooks lists, makes, removes and tests webhooks, and prints their logs.
func webhooks(f *flag.FlagSet) action {
	path := f.String("path", "", "add: the `path` that it follows, with all below; / when not given")
	actions := f.String("actions", "", "add: the `actions` that it tells, with commas between them; all when not given")
	limit := f.Int("n", 50, "log: how `many` deliveries")
	again := f.String("resend", "", "log: send the event of this `delivery` again")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		what := "ls"
		if len(args) > 0 {
			what = args[0]
		}
		switch {
		case what == "ls" && len(args) < 2:
			return s.printWebhooks(ctx, c)
		case what == "add" && len(args) == 3:
			w := client.NewWebhook{Name: args[1], URL: args[2], Path: *path}
			for a := range strings.SplitSeq(*actions, ",") {
				if a != "" {
					w.Actions = append(w.Actions, a)
				}
			}
			return s.makeWebhook(ctx, c, w)
		case what == "rm" && len(args) == 2:
			if err := c.RemoveWebhook(ctx, args[1]); err != nil {
				return err
			}
			s.say("the webhook %s is removed", args[1])
			return nil
		case what == "test" && len(args) == 2:
			d, err := c.PingWebhook(ctx, args[1])
			return s.delivered(d, err)
		case what == "log" && len(args) == 2 && *again != "":
			d, err := c.ResendDelivery(ctx, args[1], *again)
			return s.delivered(d, err)
		case what == "log" && len(args) == 2:
			return s.printDeliveries(ctx, c, args[1], *limit)
		}
		return usagef("write ls, add NAME URL, rm ID, test ID or log ID")
	}
}

// makeWebhook prints the secret alone, for a file or a variable.
func (s *session) makeWebhook(ctx context.Context, c *client.Client, w client.NewWebhook) error {
	made, err := c.CreateWebhook(ctx, w)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(made)
	}
	fmt.Fprintln(s.Out, s.shown(made.Secret))
	s.say("the webhook %s tells %s what happens at %s; its secret is not shown again", made.ID, made.URL, made.Path)
	return nil
}

// delivered tells what came of something that was sent; that it was not taken is a failure.
func (s *session) delivered(d client.Delivery, err error) error {
	if err != nil {
		return err
	}
	if s.json {
		if err := s.writeJSON(d); err != nil {
			return err
		}
	}
	if d.State != "delivered" {
		return fmt.Errorf("it was not delivered: %s%s", d.Fault, statusText(d))
	}
	s.say("delivered%s in %d ms", statusText(d), d.Millis)
	return nil
}

func statusText(d client.Delivery) string {
	if d.Status == 0 {
		return ""
	}
	return " (status " + strconv.Itoa(d.Status) + ")"
}

func (s *session) printWebhooks(ctx context.Context, c *client.Client) error {
	list, err := c.Webhooks(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Webhook{}, list...))
	}
	t := s.table("ID", "NAME", "PATH", "ACTIONS", "URL", "OWNER", "STATE")
	for _, w := range list {
		state := "well"
		switch {
		case !w.Enabled:
			state = "disabled"
		case w.Problem != "":
			state = w.Problem
		case w.Failures > 0:
			state = fmt.Sprintf("failing since %s, next try %s", moment(w.Failing), moment(w.NextTry))
		}
		t.row(w.ID, w.Name, w.Path, strings.Join(w.Actions, ","), w.URL, w.Owner, state)
	}
	return t.end(nil)
}

func (s *session) printDeliveries(ctx context.Context, c *client.Client, id string, limit int) error {
	list, err := c.Deliveries(ctx, id, limit)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Delivery{}, list...))
	}
	t := s.table("ID", "TIME", "KIND", "STATE", "TRIES", "STATUS", "MS", "ACTION", "PATH", "FAULT")
	for _, d := range list {
		t.row(d.ID, moment(d.Last), d.Kind, d.State, strconv.Itoa(d.Attempts), strconv.Itoa(d.Status), strconv.FormatInt(d.Millis, 10), d.Action, d.Path, d.Fault)
	}
	return t.end(nil)
}
