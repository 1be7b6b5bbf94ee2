package registrycli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// condition defines the flags of a change.
func condition(f *flag.FlagSet, o *client.WriteOptions) {
	f.StringVar(&o.IfMatch, "if-match", "", "change only the state with this entity `tag`, as stat prints it")
}

// commented defines the flag of a change that makes a version.
func commented(f *flag.FlagSet, o *client.WriteOptions) {
	f.StringVar(&o.Comment, "m", "", "what `changed`: the comment of the version that it makes")
}

// put stores a file, or a folder with all that is in it.
func put(f *flag.FlagSet) action {
	var o client.PutOptions
	condition(f, &o.WriteOptions)
	commented(f, &o.WriteOptions)
	deep := f.Bool("r", false, "FILE is a folder: store all files in it below PATH, and make its folders collections")
	create := f.Bool("create-only", false, "fail when there is something already")
	f.StringVar(&o.MediaType, "type", "", "the media `type`; guessed from the name when not given and nothing is there")
	return func(ctx context.Context, s *session, args []string) error {
		if *create {
			o.IfNoneMatch = "*"
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		from, to := args[0], args[1]
		if *deep {
			if o.IfMatch != "" || o.MediaType != "" {
				return usagef("-if-match and -type are about one resource; with -r there may be many")
			}
			return s.putFolder(ctx, c, from, strings.TrimSuffix(to, "/"), o)
		}
		if strings.HasSuffix(to, "/") {
			if from == "-" {
				return usagef("%s ends with a slash, and standard input has no name to put behind it", to)
			}
			to += filepath.Base(from)
		}
		return s.putFile(ctx, c, from, to, o)
	}
}

// putFile stores one file.
func (s *session) putFile(ctx context.Context, c *client.Client, from, to string, o client.PutOptions) error {
	in, size := s.In, int64(-1)
	if from != "-" {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if info.IsDir() {
			return usagef("%s is a folder; store it with -r", from)
		}
		in = f
		if info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	return s.send(ctx, c, in, size, to, o)
}

// send stores what in has, size bytes of it or -1 when that is not known.
func (s *session) send(ctx context.Context, c *client.Client, in io.Reader, size int64, to string, o client.PutOptions) error {
	m := s.meter(to, size)
	res, err := c.Put(ctx, to, m.reader(in), o)
	m.end()
	if err != nil {
		return err
	}
	return s.told(res)
}

// told says what a change made.
func (s *session) told(res client.PutResult) error {
	switch {
	case s.json:
		return s.writeJSON(res.Resource)
	case res.Created:
		s.say("created %s, version %d", res.Path, res.Version)
	default:
		s.say("%s is at version %d", res.Path, res.Version)
	}
	return nil
}

// putFolder stores what is in a folder. Links and what is no file are left out, and said so.
func (s *session) putFolder(ctx context.Context, c *client.Client, from, to string, o client.PutOptions) error {
	root, err := os.OpenRoot(from) // nothing outside of it is stored, whatever changes in it meanwhile
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was only read
	files := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		target := to
		if name != "." {
			target += "/" + name
		}
		switch {
		case err != nil:
			return err
		case e.IsDir():
			_, err = c.PutCollection(ctx, target, client.Collection{}, client.WriteOptions{})
		case !e.Type().IsRegular():
			s.say("left out: %s is no file", path.Join(from, name))
		default:
			files++
			err = s.putInside(ctx, c, root, name, target, o)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(from, name), err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w (%d files were tried; those before are stored)", err, files)
	}
	s.say("%d files are in %s", files, to)
	return nil
}

func (s *session) putInside(ctx context.Context, c *client.Client, root *os.Root, name, target string, o client.PutOptions) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return s.send(ctx, c, f, info.Size(), target, o)
}

func mkdir(f *flag.FlagSet) action {
	description := f.String("description", "", "what it is for")
	return func(ctx context.Context, s *session, args []string) error {
		c, err := s.client()
		if err != nil {
			return err
		}
		in := client.Collection{}
		if *description != "" {
			in.Description = description
		}
		for _, p := range args {
			res, err := c.PutCollection(ctx, p, in, client.WriteOptions{})
			if err != nil {
				return err
			}
			if err := s.told(res); err != nil {
				return err
			}
		}
		return nil
	}
}

// remove is the verb rm. It stops at the first that cannot be deleted.
func remove(f *flag.FlagSet) action {
	var o client.WriteOptions
	condition(f, &o)
	deep := f.Bool("r", false, "delete collections too, with all that is below them")
	dry := f.Bool("dry-run", false, "delete nothing; print what would go, and what points there from elsewhere")
	return func(ctx context.Context, s *session, args []string) error {
		if o.IfMatch != "" && len(args) > 1 {
			return usagef("-if-match is about one path")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		if *dry && o.IfMatch != "" {
			return usagef("-dry-run changes nothing; -if-match says nothing there")
		}
		if *dry {
			return s.printDependents(ctx, c, args)
		}
		for _, p := range args {
			if *deep {
				err = c.Delete(ctx, p, o)
			} else {
				err = c.DeleteContent(ctx, p, o)
			}
			if err != nil {
				return err
			}
			s.say("deleted %s", p)
		}
		return nil
	}
}

// names is a flag that may be given several times.
type names []string

func (n *names) String() string { return strings.Join(*n, ", ") }

func (n *names) Set(s string) error {
	if s == "" {
		return errors.New("a name is missing")
	}
	*n = append(*n, s)
	return nil
}

// properties is the verb prop.
func properties(f *flag.FlagSet) action {
	var o client.WriteOptions
	var gone names
	condition(f, &o)
	commented(f, &o)
	f.Var(&gone, "d", "delete the property of that `name`; may be given several times")
	return func(ctx context.Context, s *session, args []string) error {
		set, asked, err := assignments(args[1:])
		if err != nil {
			return err
		}
		for _, name := range gone {
			if _, both := set[name]; both {
				return usagef("%s is set and deleted", name)
			}
			set[name] = nil
		}
		if len(set) > 0 && len(asked) > 0 {
			return usagef("either print properties (NAME) or change them (NAME=VALUE, -d NAME)")
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		if len(set) > 0 {
			res, err := c.Patch(ctx, args[0], client.Patch{Properties: set}, o)
			if err != nil {
				return err
			}
			return s.told(res)
		}
		all, err := c.Properties(ctx, args[0], 0)
		if err != nil {
			return err
		}
		return s.printProperties(args[0], all, asked)
	}
}

// assignments divides NAME=VALUE from NAME. A name that is given several values has them all.
func assignments(args []string) (set client.Properties, asked []string, err error) {
	set = client.Properties{}
	for _, a := range args {
		name, value, assigns := strings.Cut(a, "=")
		switch {
		case name == "":
			return nil, nil, usagef("%q has no name of a property", a)
		case assigns:
			set[name] = append(set[name], value)
		default:
			asked = append(asked, name)
		}
	}
	return set, asked, nil
}

// printProperties prints all properties as NAME=VALUE, or the values of those that were asked for.
func (s *session) printProperties(p string, all client.Properties, asked []string) error {
	for _, name := range asked {
		if _, ok := all[name]; !ok {
			return &client.Error{Code: client.ErrNotFound, Detail: fmt.Sprintf("%s has no property %s", p, name)}
		}
	}
	if len(asked) > 0 {
		maps.DeleteFunc(all, func(name string, _ []string) bool { return !slices.Contains(asked, name) })
	}
	if s.json {
		return s.writeJSON(all)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, value := range all[name] {
			line := value
			if len(asked) == 0 {
				line = name + "=" + value
			}
			if _, err := io.WriteString(s.Out, s.shown(line)+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

func restore(f *flag.FlagSet) action {
	var o client.WriteOptions
	condition(f, &o)
	commented(f, &o)
	return func(ctx context.Context, s *session, args []string) error {
		n, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil || n < 1 {
			return usagef("%q is not the number of a version", args[1])
		}
		c, err := s.client()
		if err != nil {
			return err
		}
		res, err := c.Restore(ctx, args[0], n, o)
		if err != nil {
			return err
		}
		return s.told(res)
	}
}
