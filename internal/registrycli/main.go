package registrycli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// Exit statuses.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitDenied      = 4 // also: nobody, or nobody right, is signed in
	exitConflict    = 5 // also: a condition does not hold
	exitUnavailable = 6
)

// Streams are where a verb reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// verb is one of the things that can be done.
type verb struct {
	name        string
	arguments   string // as the usage says them
	summary     string
	least, most int // how many arguments; most -1: any number
	// make defines the flags that the verb has besides, and gives what it does.
	make func(*flag.FlagSet) action
	// remote tells whether the i-th argument is a path of the registry, for the completion of shells.
	remote func(i int) bool
}

// action does what a verb is for.
type action func(ctx context.Context, s *session, args []string) error

func allRemote(int) bool { return true }

func firstRemote(i int) bool { return i == 0 }

// verbs is the table of all verbs.
func verbs() []verb {
	return []verb{
		{name: "login", arguments: "[URL]", summary: "sign in, and remember where and as whom", most: 1, make: login},
		{name: "logout", summary: "forget what login stored", make: logout},
		{name: "whoami", summary: "print the user that the server sees", make: whoami},
		{name: "ls", arguments: "[PATH]", summary: "list a collection", most: 1, make: list, remote: allRemote},
		{name: "stat", arguments: "PATH", summary: "print what is known about a path", least: 1, most: 1, make: stat, remote: allRemote},
		{name: "cat", arguments: "PATH...", summary: "print contents", least: 1, most: -1, make: cat, remote: allRemote},
		{name: "get", arguments: "PATH [FILE]", summary: "print a content, or write it to a file", least: 1, most: 2, make: get, remote: firstRemote},
		{name: "put", arguments: "FILE PATH", summary: "store a file, - for standard input", least: 2, most: 2, make: put, remote: func(i int) bool { return i == 1 }},
		{name: "mkdir", arguments: "PATH...", summary: "make collections", least: 1, most: -1, make: mkdir, remote: allRemote},
		{name: "rm", arguments: "PATH...", summary: "delete resources, with -r collections; -dry-run tells what would go", least: 1, most: -1, make: remove, remote: allRemote},
		{name: "mv", arguments: "PATH NEW", summary: "rename or move, also to another store", least: 2, most: 2, make: move, remote: allRemote},
		{name: "cp", arguments: "PATH NEW", summary: "copy, with all that is below", least: 2, most: 2, make: duplicate, remote: allRemote},
		{name: "prop", arguments: "PATH [NAME[=VALUE]...]", summary: "print, set or delete properties", least: 1, most: -1, make: properties, remote: firstRemote},
		{name: "tag", arguments: "[PATH [TAG...]]", summary: "print or add tags, or find what has one", most: -1, make: tag, remote: firstRemote},
		{name: "comment", arguments: "PATH [TEXT]", summary: "print, add, edit or delete comments", least: 1, most: 2, make: comment, remote: firstRemote},
		{name: "rate", arguments: "PATH [1-5]", summary: "print or give ratings", least: 1, most: 2, make: rate, remote: firstRemote},
		{name: "assoc", arguments: "PATH [TYPE TARGET]", summary: "print, add, remove or follow associations", least: 1, most: 3, make: associate, remote: func(i int) bool { return i != 1 }},
		{name: "perm", arguments: "PATH [ROLE=[-]RIGHT,...]...", summary: "print, set or explain permissions", least: 1, most: -1, make: permissions, remote: firstRemote},
		{name: "token", arguments: "[new NAME|revoke ID]", summary: "list, make or end API tokens", most: 2, make: tokens},
		{name: "webhook", arguments: "[ls|add NAME URL|rm ID|test ID|log ID]", summary: "list, make, remove and test webhooks, or print what they sent", most: 3, make: webhooks},
		{name: "log", arguments: "PATH", summary: "list the versions", least: 1, most: 1, make: history, remote: allRemote},
		{name: "diff", arguments: "PATH[;version:N] [PATH[;version:N]]", summary: "compare two contents, or a version with what is there now", least: 1, most: 2, make: difference, remote: allRemote},
		{name: "restore", arguments: "PATH VERSION", summary: "make an old version the newest", least: 2, most: 2, make: restore, remote: firstRemote},
		{name: "label", arguments: "PATH [LABEL=VERSION...]", summary: "print, set or remove labels of versions", least: 1, most: -1, make: labels, remote: firstRemote},
		{name: "checkpoint", arguments: "PATH [NAME]", summary: "print or make checkpoints of a collection, or restore one", least: 1, most: 2, make: checkpoint, remote: firstRemote},
		{name: "retention", arguments: "PATH", summary: "print or change the rule by which old versions go", least: 1, most: 1, make: retention, remote: allRemote},
		{name: "trash", arguments: "PATH", summary: "list what was deleted, or remove it for good", least: 1, most: 1, make: trash, remote: allRemote},
		{name: "undelete", arguments: "PATH", summary: "bring back what was deleted", least: 1, most: 1, make: undelete, remote: allRemote},
		{name: "search", arguments: "QUERY...", summary: "find resources by their words and metadata", most: -1, make: search},
		{name: "watch", arguments: "PATH", summary: "print what happens, as it happens", least: 1, most: 1, make: follow, remote: allRemote},
		{name: "bench", summary: "put load on a registry, and measure how it answers", make: bench},
		{name: "mounts", summary: "list the mounts of the node that answers", make: mounts},
		{name: "completion", arguments: "bash|zsh|fish", summary: "print the completion for a shell", least: 1, most: 1, make: completion},
		{name: completeVerb, most: -1},
	}
}

func find(name string) (verb, bool) {
	all := verbs()
	i := slices.IndexFunc(all, func(v verb) bool { return v.name == name })
	if i < 0 {
		return verb{}, false
	}
	return all[i], true
}

// Has tells whether name is a verb of this package.
func Has(name string) bool {
	_, ok := find(name)
	return ok
}

// Usage says all verbs, a line for each.
func Usage() string {
	var b strings.Builder
	for _, v := range verbs() {
		if v.name != completeVerb {
			fmt.Fprintf(&b, "  %-31s %s\n", strings.TrimSpace("registry "+v.name+" "+v.arguments), v.summary)
		}
	}
	return b.String()
}

// usageError is a command line that is not understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// Main runs the verb that args name. The status is 0, 1 after a failure, 2 for a command line that is not understood, 3 when there is no such thing, 4 when the user
// may not or is not signed in, 5 on a conflict or a condition that does not hold, 6 when the server cannot be reached or cannot answer.
func Main(args, environ []string, std Streams) int {
	v, ok := find(args[0])
	if !ok {
		fmt.Fprintf(std.Err, "registry: unknown command %q\n", args[0])
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	if v.name == completeVerb {
		complete(ctx, newSession(environ, std), args[1:])
		return exitOK
	}
	s := newSession(environ, std)
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	s.flags(flags)
	run := v.make(flags)
	positional, err := parse(flags, args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		v.help(std.Out, flags)
		return exitOK
	case err != nil:
		err = usagef("%s", err)
	case len(positional) < v.least:
		err = usagef("it needs more arguments")
	case v.most >= 0 && len(positional) > v.most:
		err = usagef("unexpected argument %q", positional[v.most])
	default:
		err = run(ctx, s, positional)
	}
	if err == nil {
		return exitOK
	}
	for line := range strings.SplitSeq(explain(err), "\n") {
		fmt.Fprintf(std.Err, "registry: %s: %s\n", v.name, printable(line))
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(std.Err, "usage: %s\n", v.usage())
	}
	return statusOf(err)
}

func (v verb) usage() string {
	return strings.TrimSpace("registry " + v.name + " [flags] " + v.arguments)
}

func (v verb) help(w io.Writer, flags *flag.FlagSet) {
	fmt.Fprintf(w, "%s\n\n%s\n\n", v.usage(), v.summary)
	flags.SetOutput(w)
	flags.PrintDefaults()
}

// parse reads flags that may stand between and behind the arguments. What follows "--" is arguments.
func parse(flags *flag.FlagSet, args []string) ([]string, error) {
	var positional, rest []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, rest = args[:i], args[i+1:]
	}
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return append(positional, rest...), nil
		}
		positional = append(positional, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// statusOf is the one table from failure to exit status.
func statusOf(err error) int {
	_, usage := errors.AsType[*usageError](err)
	switch {
	case usage:
		return exitUsage
	case errors.Is(err, context.Canceled):
		return exitFailure
	case client.IsCode(err, client.ErrNotFound, client.ErrGone):
		return exitNotFound
	case client.IsCode(err, client.ErrDenied, client.ErrUnauthenticated):
		return exitDenied
	case client.IsCode(err, client.ErrConflict, client.ErrPrecondition, client.ErrKeyReused):
		return exitConflict
	case client.IsCode(err, client.ErrUnavailable, client.ErrThrottled):
		return exitUnavailable
	}
	return exitFailure
}

// explain says an error for people, with what helps them on.
func explain(err error) string {
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	if errors.Is(err, client.ErrUnauthenticated) {
		text += "\nsign in with: registry login"
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status >= 500 && e.RequestID != "" {
		text += "\nthe server's log has it under the request id " + e.RequestID
	}
	return text
}
