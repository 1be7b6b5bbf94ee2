package registrycli

import (
	"context"
	"flag"
	"path"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// move gives something another place.
func move(f *flag.FlagSet) action {
	return place(f, func(ctx context.Context, c *client.Client, from, to string, o client.MoveOptions) (client.PutResult, error) {
		return c.Move(ctx, from, to, o)
	})
}

// duplicate copies something.
func duplicate(f *flag.FlagSet) action {
	return place(f, func(ctx context.Context, c *client.Client, from, to string, o client.MoveOptions) (client.PutResult, error) {
		return c.Copy(ctx, from, to, o)
	})
}

func place(f *flag.FlagSet, do func(context.Context, *client.Client, string, string, client.MoveOptions) (client.PutResult, error)) action {
	var o client.MoveOptions
	condition(f, &o.WriteOptions)
	f.BoolVar(&o.Overwrite, "f", false, "put what is at the new place into the trash")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		from, to := args[0], args[1]
		if strings.HasSuffix(to, "/") {
			to += path.Base(from)
		}
		res, err := do(ctx, c, from, to, o)
		if err != nil {
			return err
		}
		return s.told(res)
	}
}
