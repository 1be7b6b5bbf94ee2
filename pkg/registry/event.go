package registry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Event is one thing that an operation did, as the change log of a store has it: for the audit and for watchers. It never changes.
type Event struct {
	Position

	Action  string    // "create", "update", "delete", … ; the store names what it does
	Path    Path      // where the thing was then; "" when no path led to it, as for an account
	Moves   bool      // what lay below Path came, went or moved with it
	Related Path      // the other path that it is about: where a move led to or came from, what was copied, where the deleted was, the target of an association; or ""
	Node    ID        // of the resource or the account
	Other   ID        // of what is at Related; zero where the log does not say
	Version int64     // that it has since, that the label points at or that retention removed; 0 where there is none
	Number  int64     // of the comment; or the rating, 0 when it was taken away
	Before  Hash      // of the content; zero for none
	After   Hash      // of the content; zero for none
	Subject string    // the name of the account, the tag, the type of the association, the label or the checkpoint
	User    string    // who did it
	At      time.Time // when the operation began, by the clock of its node

	RequestID string
	Client    string // address that the request came from, as trusted proxies say
	Agent     string // what the client called itself, shortened
}

// HasBefore tells whether there was a content before.
func (e Event) HasBefore() bool { return e.Before != Hash{} }

// HasAfter tells whether there was a content after.
func (e Event) HasAfter() bool { return e.After != Hash{} }

// Position names a place in the change log of one store: after the item Item of the operation Seq. Mark is taken from the operation's random tag, so that
// a position of another log (of another store, or of a database that was restored and went on differently) is known for what it is; 0 means that nobody looks.
type Position struct {
	Seq  int64
	Item int
	Mark uint32
}

// EndOfOperation as Position.Item stands for the last item, whichever that is.
const EndOfOperation = 1<<31 - 1

// Before tells whether p comes before o in their log.
func (p Position) Before(o Position) bool {
	return p.Seq < o.Seq || p.Seq == o.Seq && p.Item < o.Item
}

// String writes "<seq>.<item>.<mark>", with "end" for [EndOfOperation].
func (p Position) String() string {
	item := "end"
	if p.Item != EndOfOperation {
		item = strconv.Itoa(p.Item)
	}
	return fmt.Sprintf("%d.%s.%08x", p.Seq, item, p.Mark)
}

// ParsePosition reads what String wrote, or "<seq>" (after that operation) or "<seq>.<item>", which are not held against the log. A store's name
// may stand in front, as in Registry-Seq: "<store>:<seq>"; it is given back. Errors have [CodeInvalid].
func ParsePosition(s string) (Position, string, error) {
	wrong := Errorf(CodeInvalid, "the position %q is not one that the log gave; it is <seq>, <store>:<seq> or <seq>.<item>.<mark>", firstRunes(s, 60))
	store, rest := "", s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		store, rest = s[:i], s[i+1:]
	}
	seq, rest, more := strings.Cut(rest, ".")
	n, err := strconv.ParseUint(seq, 10, 63)
	if err != nil {
		return Position{}, "", wrong
	}
	p := Position{Seq: int64(n), Item: EndOfOperation}
	if !more {
		return p, store, nil
	}
	item, mark, more := strings.Cut(rest, ".")
	if item != "end" {
		i, err := strconv.ParseUint(item, 10, 31)
		if err != nil {
			return Position{}, "", wrong
		}
		p.Item = int(i)
	}
	if more {
		m, err := strconv.ParseUint(mark, 16, 32)
		if err != nil {
			return Position{}, "", wrong
		}
		p.Mark = uint32(m)
	}
	return p, store, nil
}

// GoneError is the cause in a [CodeGone] error of a log: Oldest is the oldest operation that the log still has, 0 when the log is not the one
// that the position is of.
type GoneError struct{ Oldest int64 }

func (e *GoneError) Error() string { return "oldest position " + strconv.FormatInt(e.Oldest, 10) }

// maxAgent is how many bytes of a client's name are kept.
const maxAgent = 120

// AgentOf shortens what a client calls itself (User-Agent) to what the activity keeps: 120 bytes, without characters that cannot be shown.
func AgentOf(s string) string {
	if len(s) <= maxAgent && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s // nearly all; this runs for every request
	}
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			continue
		}
		if b.Len()+utf8.RuneLen(r) > maxAgent {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
