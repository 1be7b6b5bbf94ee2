package registry

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Limits of tags.
const (
	MaxTagLength    = 500 // characters
	MaxTagsAtOnce   = 100 // of one request
	MaxResourceTags = 500 // different tags of one resource, of all users
	MaxCloudTags    = 100
	DefaultCloud    = 50

	// cloudSample is how many resources of a tag the cloud looks at, to leave out what the actor does not get to see.
	cloudSample = 16
)

// Tag is a tag of a resource: how many users gave it, and whether the one who asks is among them.
type Tag struct {
	Name  string
	Count int64
	Mine  bool
}

// TagList is the tags of a resource, sorted by name (by bytes).
type TagList struct {
	Resource Resource
	Tags     []Tag
}

// CloudTag is a tag of the registry and how many resources that the actor may read have it. With About set the number is not exact: it may count
// resources that are in the trash or that the actor may not read.
type CloudTag struct {
	Name  string
	Count int64
	About bool
}

// TagUse is a tag of a store: how many nodes have it, those in the trash counted, and some of them.
type TagUse struct {
	Name   string
	Nodes  int64
	Sample []Place
}

// Place is where a node stands in its store. Path is "" for a node that no path leads to, as one in the trash.
type Place struct {
	ID   ID
	Kind Kind
	Path Path
}

// TaggedPage is a page of the resources that have a tag, in the order in which they were made. A page may have fewer entries than were asked for, even none,
// and still a Next: what the actor may not see is left out.
type TaggedPage struct {
	Entries []Place // Path is of the registry
	Next    string  // the cursor of the next page, "" at the end; opaque to callers
}

// TagReader is the part of a [Store] that reads tags. What it reads is as fresh as the database.
type TagReader interface {
	// Tags reads the tags of a node, sorted, with Mine for the user who.
	Tags(ctx context.Context, id ID, who string) ([]Tag, error)
	// Tagged reads up to limit nodes with that tag whose ids sort after the given one, in that order.
	Tagged(ctx context.Context, tag string, after ID, limit int) ([]Place, error)
	// TopTags reads the limit tags that most nodes have, most first, with up to sample nodes of each.
	TopTags(ctx context.Context, limit, sample int) ([]TagUse, error)
}

// TagWriter is the part of a [Tx] that changes tags, on behalf of the operation's actor. None makes a version of the resource.
type TagWriter interface {
	// AddTags adds tags and gives all tags that r then has. More than [MaxResourceTags] are [CodeInvalid].
	AddTags(r Resource, tags []string) ([]Tag, error)
	// RemoveTag takes the actor's own tag away, or with everyone set that of all users; [CodeNotFound] when there is none.
	RemoveTag(r Resource, tag string, everyone bool) error
}

// cleanTag gives the one form of a tag: NFC-normalised, without white space around. Two tags are the same when their bytes then are, so case and accents
// tell tags apart, as they do names. A comma cannot be in a tag, since it separates them where they are typed; nor can what WSO2's registry refuses.
func cleanTag(s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	if s == "" {
		return "", Errorf(CodeInvalid, "a tag is empty")
	}
	if err := checkText("tag", s, MaxTagLength); err != nil {
		return "", err
	}
	for _, r := range s {
		if unicode.IsControl(r) || strings.ContainsRune(forbiddenInName, r) {
			return "", Errorf(CodeInvalid, "tag %q… has the character %q; no control character and none of %s may be in a tag",
				firstRunes(s, 20), r, strings.Join(strings.Split(forbiddenInName, ""), " "))
		}
	}
	return s, nil
}

func cleanTags(names []string) ([]string, error) {
	if len(names) == 0 || len(names) > MaxTagsAtOnce {
		return nil, Errorf(CodeInvalid, "tags has %d entries; it must have from 1 to %d", len(names), MaxTagsAtOnce)
	}
	tags := make([]string, 0, len(names))
	seen := map[string]bool{}
	for _, name := range names {
		tag, err := cleanTag(name)
		if err != nil {
			return nil, err
		}
		if !seen[tag] {
			seen[tag] = true
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// SplitTags reads a list of tags with commas between them; what is blank is none.
func SplitTags(text string) []string {
	return slices.DeleteFunc(strings.Split(text, ","), func(tag string) bool { return strings.TrimSpace(tag) == "" })
}
