package registrycli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// labels is the verb label: it lists, sets or removes the labels of a path.
func labels(f *flag.FlagSet) action {
	var o client.WriteOptions
	var gone names
	f.StringVar(&o.IfMatch, "if-match", "", "change only the state of the label with this entity `tag`, as -json prints it")
	f.Var(&gone, "d", "remove the label of that `name`; may be given several times")
	return func(ctx context.Context, s *session, args []string) error {
		set, asked, err := assignments(args[1:])
		if err != nil {
			return err
		}
		versions := map[string]int64{}
		for name, values := range set {
			n, err := strconv.ParseInt(values[len(values)-1], 10, 64)
			if err != nil || n < 1 {
				return usagef("%s=%s: a label points at the number of a version", name, values[len(values)-1])
			}
			versions[name] = n
		}
		switch {
		case len(asked) > 0:
			return usagef("%q is not LABEL=VERSION", asked[0])
		case o.IfMatch != "" && len(versions)+len(gone) != 1:
			return usagef("-if-match is about one label")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		return s.label(ctx, c, args[0], versions, gone, o)
	}
}

// label changes labels, or prints them when there is nothing to change.
func (s *session) label(ctx context.Context, c *client.Client, path string, set map[string]int64, gone []string, o client.WriteOptions) error {
	for _, name := range gone {
		if err := c.RemoveLabel(ctx, path, name, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.say("the label %s is gone", name)
	}
	for name, version := range set {
		if _, err := c.SetLabel(ctx, path, name, version, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.say("the label %s points at version %d", name, version)
	}
	if len(set)+len(gone) > 0 && !s.json {
		return nil
	}
	list, err := c.Labels(ctx, path)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Label{}, list...))
	}
	t := s.table("LABEL", "VERSION", "SET", "BY")
	for _, l := range list {
		t.row(l.Label, strconv.FormatInt(l.Version, 10), moment(l.SetAt), l.SetBy)
	}
	return t.end(nil)
}

// checkpoint lists the checkpoints of a collection, makes or removes one, or restores the collection.
func checkpoint(f *flag.FlagSet) action {
	var o client.WriteOptions
	gone := f.Bool("d", false, "remove the checkpoint NAME")
	back := f.Bool("restore", false, "make the collection, with all below it, what it was at the checkpoint NAME, or without one at the moment of -at")
	at := f.String("at", "", "the `moment`: a position of the change log such as shared:4711, or a time such as 2026-01-31T12:00:00Z; now when not given")
	about := f.String("comment", "", "what the new checkpoint is for")
	condition(f, &o)
	return func(ctx context.Context, s *session, args []string) error {
		name := ""
		if len(args) > 1 {
			name = args[1]
		}
		switch {
		case *gone && *back:
			return usagef("either -d or -restore")
		case *gone && name == "":
			return usagef("-d needs a NAME")
		case *back && (name == "") == (*at == ""):
			return usagef("-restore needs either a NAME or -at")
		case *gone && (*at != "" || *about != "") || *back && *about != "" || name == "" && !*back && (*at != "" || *about != ""):
			return usagef("-at and -comment are about a new checkpoint")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case *back:
			return s.restoreTree(ctx, c, args[0], name, *at, o)
		case *gone:
			if err := c.RemoveCheckpoint(ctx, args[0], name, o); err != nil {
				return err
			}
			s.say("the checkpoint %s is gone", name)
			return nil
		case name == "":
			return s.checkpoints(ctx, c, args[0])
		}
		point, err := c.SetCheckpoint(ctx, args[0], name, *at, *about, o)
		switch {
		case err != nil:
			return err
		case s.json:
			return s.writeJSON(point)
		}
		s.say("the checkpoint %s is of %s", name, point.At)
		return nil
	}
}

func (s *session) checkpoints(ctx context.Context, c *client.Client, path string) error {
	list, err := c.Checkpoints(ctx, path)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Checkpoint{}, list...))
	}
	t := s.table("CHECKPOINT", "AT", "SET", "BY", "COMMENT")
	for _, p := range list {
		t.row(p.Name, p.At, moment(p.SetAt), p.SetBy, p.Comment)
	}
	return t.end(nil)
}

func (s *session) restoreTree(ctx context.Context, c *client.Client, path, name, at string, o client.WriteOptions) error {
	done, err := c.RestoreTree(ctx, path, name, at, o)
	switch {
	case err != nil:
		return err
	case s.json:
		return s.writeJSON(done)
	}
	s.say("%s is what it was: %d got a new version, %d came back from the trash, %d were made again, %d went to the trash",
		path, done.Revised, done.Returned, done.Created, done.Removed)
	return nil
}

// retention prints the rule by which old versions go, or gives a collection one of its own.
func retention(f *flag.FlagSet) action {
	var o client.WriteOptions
	f.StringVar(&o.IfMatch, "if-match", "", "change only the rule with this entity `tag`, as -json prints it")
	var last, days *int64 // nil = not given
	f.Func("last", "keep the last so `many` versions; 0 is not to look at their number, without it that part of the rule stays", amount(&last))
	f.Func("days", "keep what was current within the last so `many` days; 0 is not to look at the time, without it that part of the rule stays", amount(&days))
	gone := f.Bool("d", false, "remove the rule of the collection")
	return func(ctx context.Context, s *session, args []string) error {
		sets := last != nil || days != nil
		switch {
		case *gone && sets:
			return usagef("either -d, or -last and -days")
		case o.IfMatch != "" && !*gone && !sets:
			return usagef("-if-match is about a change")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case *gone:
			err = c.RemoveRetention(ctx, args[0], o)
		case sets:
			err = setRetention(ctx, c, args[0], last, days, o)
		}
		if err != nil {
			return err
		}
		r, err := c.Retention(ctx, args[0])
		switch {
		case err != nil:
			return err
		case s.json:
			return s.writeJSON(r)
		}
		_, err = fmt.Fprintln(s.Out, s.shown(ruleText(r)))
		return err
	}
}

// amount reads a number that is not negative.
func amount(into **int64) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return errors.New("it must be a number from 0 on")
		}
		*into = &n
		return nil
	}
}

// setRetention gives a collection a rule. The part that is nil is that of the rule that holds, which must not have changed meanwhile.
func setRetention(ctx context.Context, c *client.Client, path string, last, days *int64, o client.WriteOptions) error {
	if last == nil || days == nil {
		r, err := c.Retention(ctx, path)
		if err != nil {
			return err
		}
		switch {
		case o.IfMatch != "" && o.IfMatch != "*" && o.IfMatch != r.ETag:
			return &client.Error{Code: client.ErrPrecondition, Detail: "the rule of " + path + " is not that of the entity tag " + o.IfMatch}
		case r.ETag != "":
			o.IfMatch = r.ETag
		case o.IfMatch == "":
			o.IfNoneMatch = "*"
		}
		last, days = cmp.Or(last, &r.KeepLast), cmp.Or(days, &r.KeepDays)
	}
	return c.SetRetention(ctx, path, *last, *days, o)
}

// ruleText says a rule of retention.
func ruleText(r client.Retention) string {
	var text string
	switch {
	case r.From == "":
		return "every version stays"
	case r.KeepLast > 0 && r.KeepDays > 0:
		text = fmt.Sprintf("the last %d versions stay, and what was current within the last %d days", r.KeepLast, r.KeepDays)
	case r.KeepLast > 0:
		text = fmt.Sprintf("the last %d versions stay", r.KeepLast)
	default:
		text = fmt.Sprintf("what was current within the last %d days stays", r.KeepDays)
	}
	return text + "; the rule is that of " + r.From
}

// trash lists what was deleted.
func trash(f *flag.FlagSet) action {
	id := f.String("purge", "", "remove the entry with that `id` for good; nothing brings it back")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		path := args[0]
		if *id != "" {
			if err := c.Purge(ctx, path, *id, client.WriteOptions{}); err != nil {
				return err
			}
			s.say("the entry %s is gone for good", *id)
			return nil
		}
		list := c.Trash(ctx, path, client.ListOptions{PageSize: listPage})
		if s.json {
			return writeList(s, list)
		}
		t := s.table("ID", "DELETED", "BY", "VERSION", "PATH")
		for d, err := range list {
			if err != nil {
				return t.end(err)
			}
			if d.Kind == client.KindCollection {
				d.Path += "/"
			}
			t.row(d.ID, moment(d.DeletedAt), d.DeletedBy, strconv.FormatInt(d.Version, 10), d.Path)
		}
		return t.end(nil)
	}
}

// undelete brings back what was deleted from a path last, or the entry of the trash that is named.
func undelete(f *flag.FlagSet) action {
	id := f.String("id", "", "the entry of the trash with that `id`, wherever it was; what was deleted from PATH last when not given")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		entry := *id
		if entry == "" {
			for d, err := range c.Trash(ctx, args[0], client.ListOptions{}) {
				if err != nil {
					return err
				}
				if d.Path == args[0] {
					entry = d.ID
					break
				}
			}
		}
		if entry == "" {
			return &client.Error{Code: client.ErrNotFound, Detail: "the trash has nothing of " + args[0]}
		}
		res, err := c.Undelete(ctx, args[0], entry, client.WriteOptions{})
		if err != nil {
			return err
		}
		return s.told(res)
	}
}
