package registrycli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// list is the verb ls. A resource is listed as itself.
func list(f *flag.FlagSet) action {
	long := f.Bool("l", false, "version, size, time and user too")
	deep := f.Bool("r", false, "all that is below, with whole paths")
	at := f.String("at", "", atUsage)
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		path := "/"
		if len(args) > 0 {
			path = args[0]
		}
		entries := listed(ctx, c, path, *at, *deep)
		if s.json {
			return writeList(s, entries)
		}
		name := func(r client.Resource) string {
			text := r.Name
			if *deep || text == "" {
				text = r.Path
			}
			if r.Kind == client.KindCollection && r.Path != "/" {
				text += "/"
			}
			return s.shown(text)
		}
		if *long {
			return longList(s, entries, name)
		}
		for r, err := range entries {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(s.Out, name(r)); err != nil {
				return err
			}
		}
		return nil
	}
}

func longList(s *session, entries iter.Seq2[client.Resource, error], name func(client.Resource) string) error {
	t := s.table("VERSION", "SIZE", "UPDATED", "BY", "NAME")
	for r, err := range entries {
		if err != nil {
			return t.end(err)
		}
		version, size := "", "" // a collection has no size; one above mounts has no version
		if r.Version > 0 {
			version = strconv.FormatInt(r.Version, 10)
		}
		if r.Kind == client.KindResource {
			size = strconv.FormatInt(r.Size, 10)
		}
		text := name(r)
		if r.Kind == client.KindLink {
			text += " -> " + r.Target
		}
		t.row(version, size, moment(r.UpdatedAt), r.UpdatedBy, text)
	}
	return t.end(nil)
}

// listed gives what is in a collection, or a resource itself.
func listed(ctx context.Context, c *client.Client, path, at string, deep bool) iter.Seq2[client.Resource, error] {
	o := client.ListOptions{PageSize: listPage, At: at}
	entries := c.Children(ctx, path, o)
	if deep {
		entries = c.Walk(ctx, path, o)
	}
	return func(yield func(client.Resource, error) bool) {
		for r, err := range entries {
			if errors.Is(err, client.ErrConflict) && at == "" {
				r, err = c.Stat(ctx, path, 0)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func stat(f *flag.FlagSet) action {
	version := f.Int64("version", 0, "the `number` of an older version; PATH;version:N says the same")
	link := f.Bool("link", false, "a symbolic link itself, not what it leads to")
	return func(ctx context.Context, s *session, args []string) error {
		if *link && *version != 0 {
			return usagef("-version is about what a link leads to, -link about the link")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		var r client.Resource
		if *link {
			r, err = c.Link(ctx, args[0])
		} else {
			r, err = c.Stat(ctx, args[0], *version)
		}
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(r)
		}
		line := func(name, value string) {
			if value != "" && value != "0" {
				fmt.Fprintf(s.Out, "%-12s %s\n", name+":", s.shown(value))
			}
		}
		line("path", r.Path)
		line("real path", r.RealPath)
		line("kind", r.Kind)
		line("target", r.Target)
		line("version", strconv.FormatInt(r.Version, 10))
		line("current", strconv.FormatInt(r.CurrentVersion, 10))
		line("media type", r.MediaType)
		if r.Kind == client.KindResource {
			fmt.Fprintf(s.Out, "%-12s %d bytes\n", "size:", r.Size)
		}
		line("sha-256", r.SHA256)
		line("etag", r.ETag)
		line("created", signed(moment(r.CreatedAt), r.CreatedBy))
		line("updated", signed(moment(r.UpdatedAt), r.UpdatedBy))
		line("description", r.Description)
		for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
			for _, value := range r.Properties[name] {
				line("property", name+"="+value)
			}
		}
		return nil
	}
}

func signed(when, who string) string {
	if when == "" {
		return ""
	}
	return when + " by " + who
}

// history is the verb log.
func history(f *flag.FlagSet) action {
	most := f.Int("n", 0, "how `many` at most; 0 is all")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		versions := first(c.Versions(ctx, args[0], client.ListOptions{PageSize: pageFor(*most, listPage)}), *most)
		if s.json {
			return writeList(s, versions)
		}
		t := s.table("VERSION", "TIME", "BY", "SIZE", "MEDIA TYPE", "SHA-256", "LABELS", "COMMENT")
		for v, err := range versions {
			if err != nil {
				return t.end(err)
			}
			t.row(strconv.FormatInt(v.Version, 10), moment(v.CreatedAt), v.CreatedBy, strconv.FormatInt(v.Size, 10), v.MediaType, v.SHA256[:min(12, len(v.SHA256))], strings.Join(v.Labels, " "), v.Comment)
		}
		return t.end(nil)
	}
}

// first gives the first n of a list; all when n is 0.
func first[T any](all iter.Seq2[T, error], n int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		given := 0
		for v, err := range all {
			if given++; !yield(v, err) || given == n {
				return
			}
		}
	}
}

// pageFor is how many entries a page needs for the first n, 0 for all, of a list whose pages have most of them.
func pageFor(n, most int) int {
	if n > 0 {
		return min(n, most)
	}
	return most
}

func mounts(*flag.FlagSet) action {
	return func(ctx context.Context, s *session, _ []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		all, err := c.Mounts(ctx)
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(all)
		}
		t := s.table("PATH", "STORE", "TARGET", "ACCESS")
		for _, m := range all {
			access := "read, write"
			if m.ReadOnly {
				access = "read"
			}
			t.row(m.Path, m.Store, m.TargetPath, access)
		}
		return t.end(nil)
	}
}
