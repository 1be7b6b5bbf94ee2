package registrycli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

const listPage = 1000 // entries of a list that one request asks for: the most that the server gives

// tag lists, adds or removes the tags of a path; without a path it tells of the tags of the registry.
func tag(f *flag.FlagSet) action {
	var gone names
	f.Var(&gone, "d", "take your tag of that `name` away; may be given several times")
	everybodys := f.Bool("all", false, "with -d: take it away whoever gave it, as a moderator")
	of := f.String("find", "", "list what has the tag of that `name`, instead")
	return func(ctx context.Context, s *session, args []string) error {
		switch {
		case *of != "" && len(args)+len(gone) > 0:
			return usagef("-find goes without a path")
		case len(args) == 0 && len(gone) > 0:
			return usagef("-d needs a path")
		case *everybodys && len(gone) == 0:
			return usagef("-all goes with -d")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case *of != "":
			return s.tagged(ctx, c, *of)
		case len(args) == 0:
			return s.cloud(ctx, c)
		}
		return s.retag(ctx, c, args[0], args[1:], gone, *everybodys)
	}
}

// retag adds and removes tags, and prints those that are there then.
func (s *session) retag(ctx context.Context, c *client.Client, path string, add, gone []string, everybodys bool) error {
	for _, name := range gone {
		if err := c.RemoveTag(ctx, path, name, everybodys, client.WriteOptions{}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(add) > 0 {
		if _, err := c.AddTags(ctx, path, add...); err != nil {
			return err
		}
	}
	if len(add)+len(gone) > 0 && !s.json {
		s.say("the tags of %s are changed", path)
		return nil
	}
	tags, err := c.Tags(ctx, path)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.Tag{}, tags...))
	}
	t := s.table("TAG", "USERS", "MINE")
	for _, tag := range tags {
		t.row(tag.Name, strconv.FormatInt(tag.Count, 10), yesNo(tag.Mine))
	}
	return t.end(nil)
}

func (s *session) cloud(ctx context.Context, c *client.Client) error {
	tags, err := c.TagCloud(ctx, 0)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(append([]client.CloudTag{}, tags...))
	}
	t := s.table("TAG", "RESOURCES")
	for _, tag := range tags {
		about := ""
		if tag.About {
			about = "about "
		}
		t.row(tag.Name, about+strconv.FormatInt(tag.Resources, 10))
	}
	return t.end(nil)
}

func (s *session) tagged(ctx context.Context, c *client.Client, name string) error {
	list := c.Tagged(ctx, name, client.ListOptions{PageSize: listPage})
	if s.json {
		return writeList(s, list)
	}
	for p, err := range list {
		if err != nil {
			return err
		}
		text := p.Path
		if p.Kind == client.KindCollection {
			text += "/"
		}
		if _, err := fmt.Fprintln(s.Out, s.shown(text)); err != nil {
			return err
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// mostComment is how many bytes of a comment are read from standard input: more than the server takes.
const mostComment = 16 << 10

// comment lists the comments on a path, or adds, edits or deletes one.
func comment(f *flag.FlagSet) action {
	var o client.WriteOptions
	f.StringVar(&o.IfMatch, "if-match", "", "with -edit and -d: only the state of the comment with this entity `tag`, as -json prints it")
	reply := f.Int64("reply", 0, "answer the comment of that `number`")
	edit := f.Int64("edit", 0, "replace the text of the comment of that `number`")
	gone := f.Int64("d", 0, "delete the comment of that `number`")
	return func(ctx context.Context, s *session, args []string) error {
		given := 0
		for _, n := range []int64{*reply, *edit, *gone} {
			if n < 0 {
				return usagef("%d is not the number of a comment", n)
			}
			given += int(min(n, 1))
		}
		switch {
		case given > 1:
			return usagef("either -reply, -edit or -d")
		case *gone != 0 && len(args) > 1:
			return usagef("-d goes without a text")
		case *reply+*edit != 0 && len(args) < 2:
			return usagef("a text is missing")
		case o.IfMatch != "" && *edit+*gone == 0:
			return usagef("-if-match goes with -edit and -d")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		switch {
		case *gone != 0:
			if err := c.DeleteComment(ctx, args[0], *gone, o); err != nil {
				return err
			}
			s.say("the comment %d is deleted", *gone)
			return nil
		case len(args) == 1:
			return s.comments(ctx, c, args[0])
		}
		return s.write(ctx, c, args[0], args[1], *reply, *edit, o)
	}
}

// write adds a comment, or edits one.
func (s *session) write(ctx context.Context, c *client.Client, path, text string, reply, edit int64, o client.WriteOptions) (err error) {
	if text == "-" {
		b, err := io.ReadAll(io.LimitReader(s.In, mostComment))
		if err != nil {
			return fmt.Errorf("read the comment: %w", err)
		}
		text = string(b)
	}
	var made client.Comment
	if edit != 0 {
		made, err = c.EditComment(ctx, path, edit, text, o)
	} else {
		made, err = c.AddComment(ctx, path, text, reply, o)
	}
	switch {
	case err != nil:
		return err
	case s.json:
		return s.writeJSON(made)
	}
	s.say("the comment %d is stored", made.ID)
	return nil
}

// comments prints the comments on a path, answers further to the right.
func (s *session) comments(ctx context.Context, c *client.Client, path string) error {
	list := c.Comments(ctx, path, client.ListOptions{PageSize: listPage})
	if s.json {
		return writeList(s, list)
	}
	depth := map[int64]int{} // of the comments of the thread that is being printed
	thread := int64(0)
	for comment, err := range list {
		if err != nil {
			return err
		}
		if comment.Thread != thread {
			thread = comment.Thread
			clear(depth)
		}
		if comment.ReplyTo != 0 {
			depth[comment.ID] = min(depth[comment.ReplyTo]+1, 8)
		}
		if err := s.printComment(comment, strings.Repeat("    ", depth[comment.ID])); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) printComment(c client.Comment, indent string) error {
	head := fmt.Sprintf("%d  %s by %s", c.ID, moment(c.CreatedAt), c.Author)
	switch {
	case c.Deleted:
		head = fmt.Sprintf("%d  deleted", c.ID)
	case !c.EditedAt.IsZero():
		head += ", edited " + signed(moment(c.EditedAt), c.EditedBy)
	}
	if _, err := fmt.Fprintln(s.Out, indent+s.shown(head)); err != nil {
		return err
	}
	if c.Text == "" {
		return nil
	}
	for line := range strings.SplitSeq(c.Text, "\n") {
		if _, err := fmt.Fprintln(s.Out, indent+"    "+s.shown(line)); err != nil {
			return err
		}
	}
	return nil
}

// rate prints how users rate a path, or sets the user's own rating.
func rate(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, args []string) error {
		var mine int
		if len(args) > 1 {
			n, err := strconv.Atoi(args[1])
			if err != nil || n < 0 || n > 5 {
				return usagef("%q is no rating: it is 1 to 5, or 0 to take yours away", args[1])
			}
			mine = n
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		var r client.Rating
		if len(args) > 1 {
			r, err = c.Rate(ctx, args[0], mine)
		} else {
			r, err = c.Rating(ctx, args[0])
		}
		switch {
		case err != nil:
			return err
		case s.json:
			return s.writeJSON(r)
		}
		own := "none"
		if r.Mine > 0 {
			own = strconv.Itoa(r.Mine)
		}
		users := "users"
		if r.Count == 1 {
			users = "user"
		}
		_, err = fmt.Fprintf(s.Out, "%.2f of 5 by %d %s, yours: %s\n", r.Average, r.Count, users, own)
		return err
	}
}
