package registrycli

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// permissions prints the permission entries of a path, changes some, or tells why somebody may do something.
func permissions(f *flag.FlagSet) action {
	why := f.String("why", "", "tell why a user has that `right`, or has it not")
	of := f.String("of", "", "the `user` that -why is about; oneself when not given")
	return func(ctx context.Context, s *session, args []string) error {
		changes, err := entriesOf(args[1:])
		switch {
		case err != nil:
			return err
		case *why != "" && len(changes) > 0:
			return usagef("either ask -why or change entries")
		case *of != "" && *why == "":
			return usagef("-of goes with -why")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case *why != "":
			return s.why(ctx, c, args[0], *why, *of)
		case len(changes) > 0:
			return s.permit(ctx, c, args[0], changes)
		}
		p, err := c.Permissions(ctx, args[0])
		if err != nil {
			return err
		}
		return s.printPermissions(p)
	}
}

// entriesOf reads ROLE=RIGHT,…: a right is given, with a minus sign denied. Without rights the role's entry is to go.
func entriesOf(args []string) ([]client.Entry, error) {
	var list []client.Entry
	for _, a := range args {
		i := strings.LastIndexByte(a, '=')
		if i < 1 {
			return nil, usagef("%q is not ROLE=RIGHT,…", a)
		}
		e := client.Entry{Role: a[:i]}
		for right := range strings.SplitSeq(a[i+1:], ",") {
			if denied, minus := strings.CutPrefix(right, "-"); minus {
				e.Deny = append(e.Deny, denied)
			} else if right != "" {
				e.Allow = append(e.Allow, right)
			}
		}
		list = append(list, e)
	}
	return list, nil
}

// permit puts entries in place of those that their roles have at a path. What somebody else changes meanwhile is not lost.
func (s *session) permit(ctx context.Context, c *client.Client, path string, changes []client.Entry) error {
	p, err := c.Permissions(ctx, path)
	if err != nil {
		return err
	}
	entries := slices.DeleteFunc(p.Entries, func(e client.Entry) bool {
		return slices.ContainsFunc(changes, func(change client.Entry) bool { return change.Role == e.Role })
	})
	for _, change := range changes {
		if len(change.Allow)+len(change.Deny) > 0 {
			entries = append(entries, change)
		}
	}
	if p, err = c.SetPermissions(ctx, path, entries, client.WriteOptions{IfMatch: p.ETag}); err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(p)
	}
	s.say("the permissions of %s are set", path)
	return nil
}

func (s *session) printPermissions(p client.Permissions) error {
	if s.json {
		return s.writeJSON(p)
	}
	t := s.table("ROLE", "ALLOW", "DENY", "AT")
	for _, at := range append([]client.PathEntries{p.PathEntries}, p.Inherited...) {
		for _, e := range at.Entries {
			t.row(e.Role, strings.Join(e.Allow, ","), strings.Join(e.Deny, ","), at.Path)
		}
	}
	return t.end(nil)
}

func (s *session) why(ctx context.Context, c *client.Client, path, right, user string) error {
	x, err := c.Explain(ctx, path, right, user)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(x)
	}
	verdict := "no"
	if x.Allowed {
		verdict = "yes"
	}
	fmt.Fprintf(s.Out, "%s: %s\n", verdict, s.shown(x.Reason))
	return nil
}

const day = 24 * time.Hour

// tokens lists the user's API tokens, makes one or ends one.
func tokens(f *flag.FlagSet) action {
	rights := f.String("rights", client.RightRead, "new: the `rights` that it is good for, with commas between them")
	days := f.Int("days", 90, "new: for how many `days` it is good")
	manage := f.Bool("manage", false, "new: good for your administrative rights, too")
	var paths names
	f.Var(&paths, "path", "new: a `path` that it is good for, with all below; may be given several times, and none means everything")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case len(args) == 0:
			return s.printTokens(ctx, c)
		case len(args) == 2 && args[0] == "new":
			t := client.NewToken{Name: args[1], Manage: *manage, Paths: paths, Lifetime: time.Duration(*days) * day}
			for right := range strings.SplitSeq(*rights, ",") {
				if right != "" {
					t.Rights = append(t.Rights, right)
				}
			}
			return s.makeToken(ctx, c, t)
		case len(args) == 2 && args[0] == "revoke":
			if err := c.RevokeToken(ctx, args[1]); err != nil {
				return err
			}
			s.say("the token %s is good for nothing any more", args[1])
			return nil
		}
		return usagef("write new NAME, revoke ID, or nothing")
	}
}

// makeToken prints the secret alone, for a file or a variable.
func (s *session) makeToken(ctx context.Context, c *client.Client, t client.NewToken) error {
	made, err := c.CreateToken(ctx, t)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(made)
	}
	fmt.Fprintln(s.Out, s.shown(made.Secret))
	s.say("the token %s is good until %s; it is not shown again", made.ID, moment(made.ExpiresAt))
	return nil
}

func (s *session) printTokens(ctx context.Context, c *client.Client) error {
	list, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Token{}, list...))
	}
	t := s.table("ID", "NAME", "BEGINS", "RIGHTS", "PATHS", "EXPIRES", "USED")
	for _, k := range list {
		rights := k.Rights
		if k.Manage {
			rights = append(rights, "manage")
		}
		t.row(k.ID, k.Name, k.Hint, strings.Join(rights, ","), strings.Join(k.Paths, " "), moment(k.ExpiresAt), moment(k.UsedAt))
	}
	return t.end(nil)
}
