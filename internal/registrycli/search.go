package registrycli

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

const searchPage = 100 // the most that the server gives

// search is the verb search: it runs a query, or with flags of its own works on saved searches.
func search(f *flag.FlagSet) action {
	var o searchOptions
	f.IntVar(&o.most, "n", 20, "how `many` hits at most; 0 is all")
	f.BoolVar(&o.facets, "facets", false, "count types, tags, owners and collections of the hits instead of listing them")
	f.BoolVar(&o.saved, "saved", false, "list the saved searches")
	f.StringVar(&o.run, "run", "", "run the saved search of that `name`; the words beside it are added to its query")
	f.StringVar(&o.save, "save", "", "keep the query under that `name` instead of running it")
	f.BoolVar(&o.shared, "shared", false, "with -save: others see it, too")
	f.StringVar(&o.forget, "forget", "", "delete the saved search of that `name`")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		return o.do(ctx, s, c, strings.Join(args, " "))
	}
}

type searchOptions struct {
	most                  int
	facets, saved, shared bool
	run, save, forget     string
}

func (o searchOptions) do(ctx context.Context, s *session, c *client.Client, query string) error {
	switch {
	case o.saved:
		return listSaved(ctx, s, c)
	case o.forget != "":
		return c.ForgetSearch(ctx, o.forget, client.WriteOptions{})
	case o.run != "":
		kept, err := savedQuery(ctx, c, o.run)
		if err != nil {
			return err
		}
		query = strings.TrimSpace("(" + kept + ") " + query)
	}
	switch {
	case query == "":
		return usagef("it needs a query")
	case o.save != "":
		saved, err := c.SaveSearch(ctx, o.save, query, o.shared, client.WriteOptions{})
		if err == nil && s.json {
			err = s.writeJSON(saved)
		}
		return err
	case o.facets:
		return facets(ctx, s, c, query)
	}
	return hits(ctx, s, c, query, o.most)
}

// savedQuery finds a saved search by its name: the user's own, else the first shared one.
func savedQuery(ctx context.Context, c *client.Client, name string) (string, error) {
	all, err := c.SavedSearches(ctx)
	if err != nil {
		return "", err
	}
	for _, saved := range all {
		if saved.Name == name {
			return saved.Query, nil
		}
	}
	return "", &client.Error{Code: client.ErrNotFound, Detail: fmt.Sprintf("there is no saved search %q", name)}
}

func listSaved(ctx context.Context, s *session, c *client.Client) error {
	all, err := c.SavedSearches(ctx)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(all)
	}
	t := s.table("NAME", "OWNER", "SHARED", "QUERY")
	for _, saved := range all {
		shared := "no"
		if saved.Shared {
			shared = "yes"
		}
		t.row(saved.Name, saved.Owner, shared, saved.Query)
	}
	return t.end(nil)
}

// hits prints what was found: a path and a line of its text for each, and a word when that is not all.
func hits(ctx context.Context, s *session, c *client.Client, query string, most int) error {
	if s.json {
		return writeList(s, first(c.SearchAll(ctx, query, client.ListOptions{PageSize: pageFor(most, searchPage)}), most))
	}
	given, cursor := 0, ""
	for {
		o := client.ListOptions{PageSize: searchPage}
		if most > 0 {
			o.PageSize = min(searchPage, most-given)
		}
		page, err := c.Search(ctx, query, cursor, o)
		if err != nil {
			return err
		}
		for _, h := range page.Hits {
			given++
			if _, err := fmt.Fprintln(s.Out, s.shown(h.Path)); err != nil {
				return err
			}
			if text := snippetLine(h); text != "" {
				fmt.Fprintln(s.Out, "    "+s.shown(text))
			}
		}
		if cursor = page.Next; cursor == "" || most > 0 && given >= most {
			searchNotes(s, page, given)
			return nil
		}
	}
}

// searchNotes says on the error stream what the list does not show.
func searchNotes(s *session, page client.SearchPage, given int) {
	if s.quiet {
		return
	}
	if page.Next != "" {
		about := ""
		if page.AtLeast {
			about = "at least "
		}
		fmt.Fprintf(s.Err, "%d of %s%d\n", given, about, page.Total)
	}
	if !page.Complete {
		fmt.Fprintln(s.Err, "not all resources were looked at: the index is being made")
	}
}

// snippetLine is the snippet of a hit as one line.
func snippetLine(h client.Hit) string {
	var b strings.Builder
	for _, p := range h.Snippet {
		b.WriteString(p.Text)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func facets(ctx context.Context, s *session, c *client.Client, query string) error {
	page, err := c.Search(ctx, query, "", client.ListOptions{PageSize: 1})
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(page.Facets)
	}
	t := s.table("FIELD", "VALUE", "HITS")
	for _, f := range []struct {
		name string
		list []client.Facet
	}{{"type", page.Facets.Types}, {"tag", page.Facets.Tags}, {"owner", page.Facets.Owners}, {"path", page.Facets.Collections}} {
		for _, v := range f.list {
			t.row(f.name, v.Value, strconv.Itoa(v.Count))
		}
	}
	return t.end(nil)
}
