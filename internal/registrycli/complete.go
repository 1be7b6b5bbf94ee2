package registrycli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry/client"
)

const (
	completeVerb  = "__complete" // what the shells' scripts call
	completeLimit = 2 * time.Second
	completePage  = 1000 // entries of a collection that are looked at
)

// completion prints what a shell has to read.
func completion(*flag.FlagSet) action {
	return func(_ context.Context, s *session, args []string) error {
		script, ok := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[args[0]]
		if !ok {
			return usagef("%q is no shell that is known; there are bash, zsh and fish", args[0])
		}
		_, err := io.WriteString(s.Out, script)
		return err
	}
}

const bashCompletion = `# registry completion bash: source it, for example with: source <(registry completion bash)
_registry() {
	local candidates
	mapfile -t candidates < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	COMPREPLY=("${candidates[@]}")
	case "${COMPREPLY[0]}" in
	/*) compopt -o filenames -o nospace ;;
	esac
}
complete -o default -F _registry registry
`

const zshCompletion = `#compdef registry
# registry completion zsh: source it, for example with: source <(registry completion zsh)
_registry() {
	local -a candidates
	candidates=("${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
	candidates=("${(@)candidates:#}")
	if (( ! ${#candidates} )); then
		_files
	elif [[ "${candidates[1]}" == /* ]]; then
		compadd -S '' -- "${candidates[@]}"
	else
		compadd -- "${candidates[@]}"
	fi
}
compdef _registry registry
`

const fishCompletion = `# registry completion fish: put it into ~/.config/fish/completions/registry.fish
function __registry_complete
	set -l words (commandline -opc) (commandline -ct)
	registry __complete $words[2..] 2>/dev/null
end
complete -c registry -a '(__registry_complete)'
`

// complete prints what the last of the words may become, a candidate on each line; nothing where a file of this machine is meant, and when the server
// cannot be asked. words are those after the program's name.
func complete(ctx context.Context, s *session, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	if len(words) == 1 {
		for _, v := range verbs() {
			s.offer(v.name, last)
		}
		for _, name := range []string{"run", "check", "doctor", "migrate", "transfers", "keys", "version", "help"} { // those of the node
			s.offer(name, last)
		}
		return
	}
	v, ok := find(words[0])
	if !ok || v.make == nil {
		return
	}
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	s.flags(flags)
	v.make(flags)
	before := words[1 : len(words)-1]
	if strings.HasPrefix(last, "-") && !slices.Contains(before, "--") {
		flags.VisitAll(func(f *flag.Flag) { s.offer("-"+f.Name, last) })
		return
	}
	positional, err := parse(flags, before)
	switch {
	case err != nil: // the word is the value of a flag
	case v.name == "completion":
		for _, shell := range []string{"bash", "zsh", "fish"} {
			s.offer(shell, last)
		}
	case v.remote != nil && v.remote(len(positional)):
		s.offerPaths(ctx, last)
	}
}

// offer prints a candidate if the word can become it.
func (s *session) offer(candidate, word string) {
	if strings.HasPrefix(candidate, word) && candidate != completeVerb {
		fmt.Fprintln(s.Out, s.shown(candidate))
	}
}

// offerPaths prints the paths that a word can become, as far as one page of the server tells.
func (s *session) offerPaths(ctx context.Context, word string) {
	ctx, cancel := context.WithTimeout(ctx, completeLimit)
	defer cancel()
	c, err := s.client()
	if err != nil {
		return
	}
	if word == "" {
		word = "/"
	}
	folder := word[:strings.LastIndexByte(word, '/')+1]
	n := 0
	for r, err := range c.Children(ctx, folder, client.ListOptions{PageSize: completePage}) {
		if n++; err != nil || n > completePage {
			return
		}
		candidate := folder + r.Name
		if r.Kind == client.KindCollection {
			candidate += "/"
		}
		s.offer(candidate, word)
	}
}
