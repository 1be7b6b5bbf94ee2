package registrycli

import (
	"context"
	"fmt"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// printDependents prints what deletions of some paths would take along, each by itself.
func (s *session) printDependents(ctx context.Context, c *client.Client, paths []string) error {
	all := make([]client.Dependents, 0, len(paths))
	for _, p := range paths {
		d, err := c.Dependents(ctx, p)
		if err != nil {
			return err
		}
		all = append(all, d)
	}
	if s.json {
		return s.writeJSON(all)
	}
	more := map[bool]string{true: " or more"}
	for _, d := range all {
		guarded := ""
		if d.Guarded > 0 {
			guarded = fmt.Sprintf("; %d with permissions of their own", d.Guarded)
		}
		lines := []string{fmt.Sprintf("%s: %d collections, %d resources, %d links%s%s", d.Path, d.Collections, d.Resources, d.Links, more[d.More], guarded)}
		for _, l := range d.Incoming {
			lines = append(lines, fmt.Sprintf("  %s %s %s", l.Source, l.Type, l.Target))
		}
		for _, l := range d.Pointing {
			lines = append(lines, fmt.Sprintf("  %s is a link that leads there", l.Path))
		}
		if d.MoreIncoming || d.MorePointing {
			lines = append(lines, "  and there may be others that point there")
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(s.Out, s.shown(line)); err != nil {
				return err
			}
		}
	}
	return nil
}
