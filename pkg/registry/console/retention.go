package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// retentionView is the rule of retention that holds at a collection, and the form for its own.
type retentionView struct {
	head
	registry.EffectiveRetention
	ETag     string // of its own rule; "" when it has none
	MaySet   bool
	KeepLast string // as the form has them
	KeepDays string
	Would    *registry.RetentionPreview // what the rule of the address would do
	Error    string
}

// HasOwn tells whether the collection has a rule of its own.
func (v retentionView) HasOwn() bool { return !v.Own.IsZero() }

// HasRule tells whether any rule holds.
func (v retentionView) HasRule() bool { return !v.Rule.IsZero() }

func (c *console) retention(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showRetention(w, r, a, nil)
}

func (c *console) showRetention(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	e, err := c.Service.Retention(r.Context(), a, res.Path, registry.Freshness{})
	if err != nil {
		return err
	}
	v := retentionView{head: c.headOf(r, res, "retention", res.Version), EffectiveRetention: e, ETag: e.Own.ETag()}
	v.MaySet = v.Writable && v.IsCollection() && c.may(r, registry.RightDelete, res.Path)
	if v.HasOwn() {
		v.KeepLast, v.KeepDays = formatNumber(e.Own.KeepLast), formatNumber(e.Own.KeepDays)
	}
	status := http.StatusOK
	if q := r.URL.Query(); failed == nil && (q.Has("keep_last") || q.Has("keep_days")) {
		v.KeepLast, v.KeepDays = q.Get("keep_last"), q.Get("keep_days")
		if v.Would, err = c.previewRetention(r, a, res.Path); err != nil {
			v.Error, status = c.formError(r, a, err), statusOf(err)
		}
	}
	if failed != nil {
		v.KeepLast, v.KeepDays = r.PostForm.Get("keep_last"), r.PostForm.Get("keep_days")
		v.Error, status = c.formError(r, a, failed), statusOf(failed)
	}
	return c.show(w, r, a, status, "retention", c.say("Retention of %s", v.Name()), v.head, v)
}

// previewRetention tells what the rule that the address has would do.
func (c *console) previewRetention(r *http.Request, a registry.Actor, p registry.Path) (*registry.RetentionPreview, error) {
	rule, err := ruleOf(r.URL.Query().Get)
	if err != nil {
		return nil, err
	}
	told, err := c.Service.PreviewRetention(r.Context(), a, p, rule)
	if err != nil {
		return nil, err
	}
	return &told, nil
}

// setRetention sets or removes the rule of a collection, if it is still the one that the page showed.
func (c *console) setRetention(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	condition := ifMatch(r)
	if len(condition.Match) == 0 {
		condition = nothingThere // the form knew of no rule
	}
	note := "retention-set"
	if r.PostForm.Get("do") == "remove" {
		note = "retention-removed"
		_, err = c.Service.RemoveRetention(r.Context(), a, p, condition)
	} else {
		in := registry.RetentionInput{Path: p, If: condition}
		if in.Rule, err = ruleOf(r.PostForm.Get); err == nil {
			_, err = c.Service.SetRetention(r.Context(), a, in)
		}
	}
	if err != nil {
		return c.showRetention(w, r, a, err)
	}
	toPage(w, link("retention", p), note)
	return nil
}

// ruleOf reads a rule from the fields of a form; an empty one counts as 0.
func ruleOf(field func(string) string) (registry.Retention, error) {
	var rule registry.Retention
	for _, f := range []struct {
		name, wrong string
		to          *int64
	}{
		{"keep_last", mark("the number of versions is %q; it must be a whole number"), &rule.KeepLast},
		{"keep_days", mark("the number of days is %q; it must be a whole number"), &rule.KeepDays},
	} {
		text := strings.TrimSpace(field(f.name))
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return rule, registry.Errorf(registry.CodeInvalid, f.wrong, text)
		}
		*f.to = n
	}
	return rule, nil
}
