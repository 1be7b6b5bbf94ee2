package console_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/regent-registry/regent/pkg/registry"
)

var joe = registry.Actor{User: "joe"}

// discuss makes tags, ratings, comments and associations of what is at p, and of the collection around it.
func (s *site) discuss(p, around registry.Path) {
	s.t.Helper()
	ctx := s.t.Context()
	// In this order: the activity has it.
	_, err := s.service.AddTags(ctx, s.admin, p, []string{"payments", "new & shiny"})
	must(s.t, err)
	_, err = s.service.AddTags(ctx, joe, p, []string{"payments", "beta"})
	must(s.t, err)
	_, err = s.service.AddTags(ctx, joe, around, []string{"payments"})
	must(s.t, err)
	_, err = s.service.Rate(ctx, s.admin, p, 4)
	must(s.t, err)
	_, err = s.service.Rate(ctx, joe, p, 5)
	must(s.t, err)
	say := func(who registry.Actor, text string, answered int64) int64 {
		_, c, err := s.service.AddComment(ctx, who, p, text, answered)
		must(s.t, err)
		return c.Number
	}
	first := say(joe, "Is <b>this</b> final?\nReally?", 0)
	mine := say(s.admin, "It is.", first)
	gone := say(joe, "deleted later", 0)
	say(s.admin, "An answer to nothing.", gone)
	_, _, err = s.service.EditComment(ctx, s.admin, p, mine, "It is, since today.", registry.Precondition{})
	must(s.t, err)
	_, err = s.service.DeleteComment(ctx, joe, p, gone, registry.Precondition{})
	must(s.t, err)
	s.comment = strconv.FormatInt(mine, 10)
	_, _, _, err = s.service.Associate(ctx, s.admin, p, "depends", string(around))
	must(s.t, err)
	_, _, _, err = s.service.Associate(ctx, s.admin, p, "docs", "urn:example:manual")
	must(s.t, err)
}

func TestCommunity_Flow(t *testing.T) {
	s := newSite(t)
	const p = "/_system/governance/api.yaml"
	s.put(p, "", "x")
	tag := s.get(p).ETag()
	s.signedIn().post("/console/users", "name", "ann", "password", adminPassword).wantRedirect("/console/users?note=user-created")
	b := s.signedInAs("ann") // who may read it, and no more
	const page = "/console/community" + p
	b.post("/console/tag"+p, "tags", "pay, ,  Two words,pay").wantRedirect(page + "?note=tagged")
	b.get(page).wantText("pay", "Two words")
	b.get("/console/tags").wantText("pay")
	if !b.get("/console/tagged?tag=Two+words").hasLink("/console/resource" + p) {
		t.Error("the page of a tag has no link to what it is on")
	}
	b.post("/console/untag"+p, "tag", "pay").wantRedirect(page + "?note=untagged")
	b.post("/console/untag"+p, "tag", "pay").wantStatus(http.StatusNotFound)
	b.post("/console/untag"+p, "tag", "Two words", "all", "1").wantStatus(http.StatusForbidden)
	refused := b.post("/console/tag"+p, "tags", "fine, a;b").wantStatus(http.StatusBadRequest)
	if refused.field("tags") != "fine, a;b" {
		t.Errorf("the form lost its input: %q", refused.field("tags"))
	}
	b.get(page).wantNoText("fine")

	b.post("/console/rate"+p, "rating", "4").wantRedirect(page + "?note=rated")
	b.get(page).wantText("4.0 of 5, 1 rating", "Take my 4 back")
	b.post("/console/rate"+p, "rating", "0").wantRedirect(page + "?note=rated")
	b.get(page).wantText("Nobody has rated it")
	b.post("/console/rate"+p, "rating", "6").wantStatus(http.StatusBadRequest)
	b.post("/console/rate"+p, "rating", "many").wantStatus(http.StatusBadRequest)

	b.post("/console/comment"+p, "text", "first\r\nline").wantRedirect(page + "?note=commented")
	id := b.get(page).wantText("first line").field("id")
	b.post("/console/comment"+p, "text", "an answer", "answer", id).wantRedirect(page + "?note=commented")
	if got := b.get(page + "?answer=" + id).field("answer"); got != id {
		t.Errorf("the form answers %q, not %s", got, id)
	}
	long := b.post("/console/comment"+p, "text", strings.Repeat("x", 501), "answer", id).wantStatus(http.StatusBadRequest).wantText("the limit is 500")
	if len(long.field("text")) != 501 || long.field("answer") != id {
		t.Error("the form lost its input")
	}
	b.post("/console/comment"+p, "text", "x", "answer", "99999").wantStatus(http.StatusNotFound)
	form := b.get("/console/edit-comment" + p + "?id=" + id).wantStatus(http.StatusOK)
	edit := func(text string) reply {
		return b.post("/console/edit-comment"+p, "id", id, "etag", form.field("etag"), "text", text)
	}
	edit("edited").wantRedirect(page + "?note=comment-edited")
	again := edit("once more").wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	if again.field("text") != "once more" || again.field("etag") == form.field("etag") {
		t.Errorf("after a conflict the form has %q and the tag %s", again.field("text"), again.field("etag"))
	}
	b.post("/console/delete-comment"+p, "id", id, "etag", form.field("etag")).wantStatus(http.StatusPreconditionFailed)
	b.post("/console/delete-comment"+p, "id", id, "etag", again.field("etag")).wantRedirect(page + "?note=comment-deleted")
	b.get(page).wantText("A comment that was deleted", "an answer").wantNoText("edited")
	b.get("/console/edit-comment" + p + "?id=" + id).wantStatus(http.StatusNotFound).wantText("was deleted")

	_, theirs, err := s.service.AddComment(t.Context(), joe, p, "of joe", 0)
	must(t, err)
	number := strconv.FormatInt(theirs.Number, 10)
	if !s.signedIn().get(page).hasLink("/console/edit-comment" + p + "?id=" + number) {
		t.Error("who may give permissions may not edit the comments of others")
	}
	if b.get(page).hasLink("/console/edit-comment" + p + "?id=" + number) {
		t.Error("somebody may edit another's comment")
	}
	b.get("/console/edit-comment" + p + "?id=" + number).wantStatus(http.StatusForbidden).wantNoText("of joe")
	b.post("/console/edit-comment"+p, "id", number, "text", "mine").wantStatus(http.StatusForbidden)
	b.post("/console/delete-comment"+p, "id", number).wantStatus(http.StatusForbidden)
	if got := s.get(p).ETag(); got != tag {
		t.Errorf("the community changed the resource from %s to %s", tag, got)
	}
}

func TestAssociations_Flow(t *testing.T) {
	s := newSite(t)
	const p, other = "/_system/governance/a.yaml", "/_system/governance/with space.xsd"
	s.put(p, "", "x")
	s.put(other, "", "x")
	b := s.signedIn()
	const page = "/console/associations" + p
	const otherLink = "/console/resource/_system/governance/with%20space.xsd"
	b.post("/console/associate"+p, "type", "depends", "target", " "+other+" ").wantRedirect(page + "?note=associated")
	b.post("/console/associate"+p, "type", "depends", "target", other).wantRedirect(page)
	b.post("/console/associate"+p, "type", "docs", "target", "https://example.com/manual").wantRedirect(page + "?note=associated")
	list := b.get(page)
	if !list.hasLink(otherLink) || !list.hasLink("https://example.com/manual") {
		t.Errorf("the page has no links: %s", list.text())
	}
	if !b.get("/console/associations/_system/governance/with%20space.xsd").hasLink("/console/resource" + p) {
		t.Error("the target does not show who leads to it")
	}
	if !b.get("/console/dependencies" + p).hasLink(otherLink) {
		t.Error("the dependencies lack the target")
	}
	if !b.get("/console/impact/_system/governance/with%20space.xsd").hasLink("/console/resource" + p) {
		t.Error("the impact lacks the source")
	}
	for target, status := range map[string]int{"javascript:x": 400, "": 400, "/none": 404, "/_system/local": 409} {
		r := b.post("/console/associate"+p, "type", "odd", "target", target).wantStatus(status)
		if !strings.Contains(r.body, `name="type" value="odd"`) {
			t.Errorf("the form lost its input after %q", target)
		}
	}
	b.post("/console/dissociate"+p, "type", "depends", "target", other).wantRedirect(page + "?note=dissociated")
	b.post("/console/dissociate"+p, "type", "depends", "target", other).wantStatus(http.StatusNotFound)
	if b.get(page).hasLink(otherLink) {
		t.Error("what was removed shows")
	}
}

func TestCommunity_EscapesEverything(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	const p = "/_system/governance/hostile"
	s.put(p, "", "x")
	for _, text := range hostile {
		_, _, err := s.service.AddComment(t.Context(), registry.Actor{User: text}, p, text, 0)
		must(t, err)
		_, _, _, err = s.service.Associate(t.Context(), s.admin, p, "type "+strconv.Itoa(len(text)), "x-app:"+url.PathEscape(text))
		must(t, err)
		for _, r := range []reply{
			b.get("/console/community" + p), b.get("/console/associations" + p), b.get("/console/dependencies" + p + "?type=*"),
			b.get("/console/tagged?tag=" + url.QueryEscape(text)),
			b.get("/console/community" + p + "?cursor=" + url.QueryEscape(text) + "&answer=" + url.QueryEscape(text)),
			b.post("/console/tag"+p, "tags", text), b.post("/console/comment"+p, "text", text+strings.Repeat("x", 500)),
			b.post("/console/associate"+p, "type", text, "target", text), b.post("/console/rate"+p, "rating", text),
		} {
			doc := r.doc()
			checkNothingInline(t, doc)
			checkWellFormed(t, r.body)
			for n := range doc.Descendants() {
				if n.Type == html.ElementNode && (n.Data == "script" && !strings.HasPrefix(attr(n, "src"), "/console/static/") || n.Data == "img") {
					t.Errorf("%s has an element of somebody else", r.Request.URL)
				}
			}
		}
	}
	b.get("/console/community" + p).wantText(hostile[0])
}

// A form that another site sends changes nothing.
func TestCommunity_IsGuarded(t *testing.T) {
	s := newSite(t)
	const p = "/_system/governance/guarded"
	s.put(p, "", "x")
	b := s.signedIn()
	b.header.Set("Origin", "https://evil.example")
	b.header.Set("Sec-Fetch-Site", "cross-site")
	for _, op := range []string{"tag", "untag", "rate", "comment", "edit-comment", "delete-comment", "associate", "dissociate"} {
		b.post("/console/"+op+p, "tags", "x", "text", "x", "rating", "1", "type", "a", "target", "urn:x").wantStatus(http.StatusForbidden)
		s.visitor().post("/console/"+op+p, "tags", "x").wantStatus(http.StatusUnauthorized)
	}
	for _, op := range []string{"community", "associations", "dependencies", "impact", "edit-comment"} {
		s.visitor().get("/console/" + op + p).wantStatus(http.StatusSeeOther)
	}
}
