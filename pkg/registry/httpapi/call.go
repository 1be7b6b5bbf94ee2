package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

const (
	maxJSON   = 1 << 20 // bytes of a JSON body
	unlimited = 1 << 62 // for a number whose size nothing else limits
)

// call is one authenticated request on its way through an operation.
type call struct {
	*http.Request
	actor registry.Actor
	rest  string // what follows the operation in the URL, as the client escaped it

	hasPath bool // the rest is one
	byQuery bool // the path is in the query instead
}

// target is the path that the request names; a version is refused.
func (c *call) target() (registry.Path, error) {
	p, n, err := c.pathRef()
	if err == nil && n != 0 {
		return "", registry.Errorf(registry.CodeInvalid, "the path names version %d; this operation is on the current state only", n)
	}
	return p, err
}

// ref is the path and the state that the request names: by ";version:N" in the path, ?version=N, ?label=NAME or ?at=MOMENT.
func (c *call) ref() (registry.Path, registry.Pick, error) {
	fail := func(err error) (registry.Path, registry.Pick, error) { return "", registry.Pick{}, err }
	p, n, err := c.pathRef()
	if err != nil {
		return fail(err)
	}
	pick, err := c.pick("")
	switch {
	case err != nil:
		return fail(err)
	case pick.Version != 0 && n != 0 && pick.Version != n:
		return fail(registry.Errorf(registry.CodeInvalid, "the path names version %d and the query version %d", n, pick.Version))
	case n != 0:
		pick.Version = n
	}
	return p, pick, nil
}

// pick is the state that the query names, by the parameters version, label and at with a prefix.
func (c *call) pick(prefix string) (registry.Pick, error) {
	var pick registry.Pick
	query := c.URL.Query()
	var err error
	if pick.Version, err = c.number(prefix+"version", unlimited); err != nil {
		return pick, err
	}
	if query.Has(prefix + "label") {
		if pick.Label, err = registry.ParseLabel(query.Get(prefix + "label")); err != nil {
			return pick, err
		}
	}
	if query.Has(prefix + "at") {
		if pick.At, err = registry.ParseMoment(query.Get(prefix + "at")); err != nil {
			return pick, err
		}
	}
	return pick, nil
}

// versionComment is what the author says of the version that the request makes: the field of its body, nil where it has none, or else the header.
func (c *call) versionComment(field *string) (string, error) {
	header := c.Header.Get("Version-Comment")
	switch {
	case field == nil:
		return header, nil
	case header != "" && header != *field:
		return "", registry.Errorf(registry.CodeInvalid, "the header Version-Comment and the field comment differ")
	}
	return *field, nil
}

// parseRest decodes the path of a resource from a URL, once, and checks it.
func parseRest(escaped string) (registry.Path, int64, error) {
	if strings.Contains(strings.ToLower(escaped), "%2f") {
		return "", 0, registry.Errorf(registry.CodeInvalid, "the path has an encoded slash (%%2F); a name cannot hold a slash, and names are divided by plain ones")
	}
	s, err := url.PathUnescape(escaped)
	if err != nil {
		return "", 0, registry.Errorf(registry.CodeInvalid, "the path is not well escaped: %v", err)
	}
	if strings.HasPrefix(s, "/") {
		return "", 0, registry.Errorf(registry.CodeInvalid, "path has an empty name (two slashes in a row)")
	}
	return registry.ParseRef(s)
}

// known refuses query parameters that the operation does not have: a misspelt one must not change the answer unnoticed.
func (c *call) known(names []string) error {
	query, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return registry.Errorf(registry.CodeInvalid, "the query is not well escaped")
	}
	for name, values := range query {
		switch {
		case !slices.Contains(names, name) && len(names) == 0:
			return registry.Errorf(registry.CodeInvalid, "query parameter %q is not known; this operation has none", name)
		case !slices.Contains(names, name):
			return registry.Errorf(registry.CodeInvalid, "query parameter %q is not known; this operation has %s", name, strings.Join(names, ", "))
		case len(values) > 1:
			return registry.Errorf(registry.CodeInvalid, "query parameter %q is there %d times", name, len(values))
		}
	}
	return nil
}

// number reads a query parameter, a number from 1 to most; 0 when it is not there.
func (c *call) number(name string, most int64) (int64, error) {
	query := c.URL.Query()
	if !query.Has(name) {
		return 0, nil
	}
	n, err := strconv.ParseInt(query.Get(name), 10, 64)
	if err != nil || n < 1 || n > most {
		if most == unlimited {
			return 0, registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be a number from 1 on", name, query.Get(name))
		}
		return 0, registry.Errorf(registry.CodeInvalid, "query parameter %s is %q; it must be a number from 1 to %d", name, query.Get(name), most)
	}
	return n, nil
}

// freshness reads Registry-Min-Seq: "<store>:<n>".
func (c *call) freshness() (registry.Freshness, error) {
	s := c.Header.Get("Registry-Min-Seq")
	if s == "" {
		return registry.Freshness{}, nil
	}
	i := strings.LastIndexByte(s, ':')
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if i < 1 || err != nil || n < 0 {
		return registry.Freshness{}, registry.Errorf(registry.CodeInvalid, "Registry-Min-Seq must be what a Registry-Seq header said, <store>:<number>")
	}
	return registry.Freshness{Min: registry.Seq{Store: s[:i], N: n}}, nil
}

// change reads what every change has: the path, and the conditions under which to make it. Dates are refused as conditions: two changes can
// fall into one second.
func (c *call) change() (registry.Path, registry.Precondition, error) {
	p, err := c.target()
	if err != nil {
		return "", registry.Precondition{}, err
	}
	condition, err := c.condition()
	return p, condition, err
}

// condition reads the conditions under which to make a change.
func (c *call) condition() (registry.Precondition, error) {
	if c.Header.Get("If-Unmodified-Since") != "" {
		return registry.Precondition{}, registry.Errorf(registry.CodeInvalid, "If-Unmodified-Since is too coarse to guard a change; use If-Match with the entity tag")
	}
	return precondition(c.Header)
}

// knows tells whether the client has the state with that entity tag already (304); the error says that it wanted another one (412).
func (c *call) knows(tag string) (bool, error) {
	condition, err := precondition(c.Header)
	switch {
	case err != nil:
		return false, err
	case len(condition.Match) > 0 && !names(condition.Match, tag):
		return false, registry.Errorf(registry.CodePrecondition, "If-Match: the entity tag is %s", tag)
	}
	return names(condition.NoneMatch, tag), nil
}

func names(tags []string, tag string) bool {
	return slices.Contains(tags, "*") || slices.Contains(tags, tag)
}

// decode reads a JSON body of one of the given media types into v. Unknown fields and a second value are refused.
func (c *call) decode(v any, types ...string) error {
	got, _, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(types, got) {
		return unsupported(c.Method, c.Header.Get("Content-Type"), types)
	}
	if err := c.plainBody(maxJSON); err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(newBody(c.Request), maxJSON+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxJSON:
		return tooLarge(maxJSON)
	}
	c.actor.Once = c.actor.Once.And(string(body))
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return registry.Errorf(registry.CodeInvalid, "the JSON body is not understood: %s", jsonFault(err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return registry.Errorf(registry.CodeInvalid, "the JSON body has more than one value")
	}
	return nil
}

// jsonFault says a decoder's error in words that do not speak of Go.
func jsonFault(err error) string {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return "its type cannot be " + e.Value
		}
		return fmt.Sprintf("the type of field %q cannot be %s", e.Field, e.Value)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}
