package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

func TestCheckpoints_FromMakingOneToRestoringAll(t *testing.T) {
	s := newSite(t)
	const tree, kept, gone, late = registry.Path("/_system/governance/team"), "/_system/governance/team/kept.txt", "/_system/governance/team/gone.txt", "/_system/governance/team/late.txt"
	s.put(kept, "", "one")
	s.put(gone, "", "x")
	s.put(tree+"/deep/a.txt", "", "a")
	b := s.signedIn()
	b.post("/console/checkpoint"+string(tree), "checkpoint", " v1 ", "comment", "as released", "do", "make").
		wantRedirect("/console/checkpoints" + string(tree) + "?note=checkpoint-made")
	s.put(kept, "", "two")
	_, err := s.service.Delete(t.Context(), s.admin, gone, registry.Precondition{})
	must(t, err)
	s.put(late, "", "late")

	list := b.get("/console/checkpoints"+string(tree)).wantStatus(http.StatusOK).wantText("v1", "as released", "Restore…")
	points, err := s.checkpointsOf(t, tree)
	must(t, err)
	at := url.QueryEscape(fmt.Sprintf("%s:%d", points[0].Seq.Store, points[0].Seq.N))
	if !list.hasLink("/console/past" + string(tree) + "?at=" + at) {
		t.Errorf("no link to the state:\n%s", list.body)
	}
	b.get("/console/past"+string(tree)+"?at="+at).wantText("kept.txt", "gone.txt", "Nothing can be changed here").wantNoText("late.txt")
	if got := b.get("/console/download" + kept + "?at=" + at); got.body != "one" {
		t.Errorf("the content of then is %q", got.body)
	}
	b.get("/console/past" + string(tree)).wantStatus(http.StatusBadRequest).wantText("At is empty")
	b.get("/console/past" + late + "?at=" + at).wantStatus(http.StatusNotFound)

	ask := b.get("/console/restore-tree"+string(tree)+"?checkpoint=v1").wantStatus(http.StatusOK).wantText(
		"Restore team to the checkpoint v1?", "1 resource or collection a new version", "bring 1 entry back from the trash", "put 1 entry that came since into the trash")
	if s.content(kept) != "two" || s.get(late).Version != 1 {
		t.Error("asking changed something")
	}
	fields := []string{"checkpoint", ask.field("checkpoint"), "at", ask.field("at"), "etag", ask.field("etag"), "would", ask.field("would"), "comment", "back"}
	described := "changed meanwhile"
	_, err = s.service.UpdateMeta(t.Context(), s.admin, registry.MetaInput{Path: tree, Description: &described})
	must(t, err)
	again := b.post("/console/restore-tree"+string(tree), fields...).wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this", "2 resources and collections a new version")
	if s.content(kept) != "two" {
		t.Error("a restore of what the page did not show")
	}
	fields[5], fields[7] = again.field("etag"), again.field("would")

	const deep = tree + "/deep/b.txt" // leaves the tag of the collection as it is
	s.put(deep, "", "late too")
	again = b.post("/console/restore-tree"+string(tree), fields...)
	if again.field("comment") != "back" || s.content(kept) != "two" || s.content(deep) != "late too" {
		t.Error("a restore of what the page did not show, or the form lost the comment")
	}
	again.wantStatus(http.StatusConflict).wantText("Something below the collection has changed", "put 2 entries that came since into the trash")
	fields[5], fields[7] = again.field("etag"), again.field("would")
	b.post("/console/restore-tree"+string(tree), fields...).wantRedirect("/console/browse" + string(tree) + "?note=tree-restored")
	if s.content(kept) != "one" || s.content(gone) != "x" || s.get(kept).Comment != "back" {
		t.Errorf("it is not what it was: %q, %q", s.content(kept), s.content(gone))
	}
	if _, err := s.service.Get(t.Context(), s.admin, late, registry.Freshness{}); registry.CodeOf(err) != registry.CodeNotFound {
		t.Errorf("what came since: %v", err)
	}
	b.get("/console/restore-tree" + string(tree) + "?checkpoint=v1").wantText("nothing would change").wantNoText("Restore all")
	b.get("/console/restore-tree" + string(tree) + "?checkpoint=none").wantStatus(http.StatusNotFound)
	b.get("/console/restore-tree" + string(tree)).wantStatus(http.StatusBadRequest)

	b.post("/console/checkpoint"+string(tree), "checkpoint", "v1", "do", "remove").wantRedirect("/console/checkpoints" + string(tree) + "?note=checkpoint-removed")
	b.get("/console/checkpoints" + string(tree)).wantText("No checkpoints yet")
	b.post("/console/checkpoint"+string(tree), "checkpoint", "v1", "do", "remove").wantStatus(http.StatusNotFound)
}

// checkpointsOf are the checkpoints of a collection.
func (s *site) checkpointsOf(t *testing.T, p registry.Path) ([]registry.Checkpoint, error) {
	t.Helper()
	_, list, err := s.service.Checkpoints(t.Context(), s.admin, p, registry.Freshness{})
	return list, err
}

func TestCheckpoints_OfAnEarlierTime(t *testing.T) {
	s := newSite(t)
	s.put("/_system/config/a/x", "", "1")
	before := s.clock.Now().Format("2006-01-02T15:04")
	s.clock.advance(time.Hour)
	s.put("/_system/config/a/y", "", "1")
	b := s.signedIn()
	b.post("/console/checkpoint/_system/config/a", "checkpoint", "old", "at", before, "do", "make").wantRedirect("/console/checkpoints/_system/config/a?note=checkpoint-made")
	points, err := s.checkpointsOf(t, "/_system/config/a")
	if err != nil || len(points) != 1 {
		t.Fatalf("%v: %v", points, err)
	}
	b.get("/console/past/_system/config/a?at=" + url.QueryEscape(fmt.Sprintf("shared:%d", points[0].Seq.N))).wantText("x").wantNoText("y 1 B")
	for i, zone := range []string{"Z", ":00", ":00Z", "+00:00"} {
		b.post("/console/checkpoint/_system/config/a", "checkpoint", fmt.Sprint("same", i), "at", before+zone, "do", "make").
			wantRedirect("/console/checkpoints/_system/config/a?note=checkpoint-made")
	}
	all, err := s.checkpointsOf(t, "/_system/config/a")
	must(t, err)
	for _, p := range all {
		if p.Seq != points[0].Seq {
			t.Errorf("%s is of %v, not %v", p.Name, p.Seq, points[0].Seq)
		}
	}
	b.post("/console/checkpoint/_system/config/a", "checkpoint", "older", "at", "nowhen", "comment", "kept words", "do", "make").
		wantStatus(http.StatusBadRequest).wantText("At is \"nowhen\"")
	if got := b.post("/console/checkpoint/_system/config/a", "checkpoint", "older", "at", "nowhen", "comment", "kept words").field("comment"); got != "kept words" {
		t.Errorf("the form lost %q", got)
	}
}

func TestRetention_FromPreviewToRemoval(t *testing.T) {
	s := newSite(t)
	const tree = "/_system/governance/team"
	for _, text := range []string{"1", "2", "3"} {
		s.put(tree+"/x", "", text)
	}
	b := s.signedIn()
	page := "/console/retention" + tree
	b.get(page).wantText("No rule: every version is kept.", "Give it a rule of its own")
	b.get(page+"?keep_last=1&keep_days=").wantText("would remove 2 versions", "All 1 resource or collection with older versions was looked at")
	b.get(page + "?keep_last=0&keep_days=0").wantStatus(http.StatusBadRequest).wantText("to keep everything, remove the rule")
	b.get(page + "?keep_last=x").wantStatus(http.StatusBadRequest).wantText("whole number")
	if rule, err := s.service.Retention(t.Context(), s.admin, tree, registry.Freshness{}); err != nil || !rule.Own.IsZero() {
		t.Errorf("a preview set %+v: %v", rule, err)
	}
	b.post(page, "etag", "", "keep_last", "2", "keep_days", " 30 ", "do", "set").wantRedirect(page + "?note=retention-set")
	own := b.get(page).wantText("Kept are the newest 2 versions of each resource and collection, and those that were current within the last 30 days", "by admin")
	etag := own.field("etag")
	// Somebody who had opened the page before overwrites nothing unseen.
	b.post(page, "etag", "", "keep_last", "9", "do", "set").wantStatus(http.StatusPreconditionFailed)
	b.post(page, "etag", etag, "keep_last", "3", "do", "set").wantRedirect(page + "?note=retention-set")
	b.post(page, "etag", etag, "do", "remove").wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	b.get("/console/retention" + tree + "/x").wantText("The rule is that of /_system/governance/team").wantNoText("Set rule")
	b.post(page, "etag", b.get(page).field("etag"), "do", "remove").wantRedirect(page + "?note=retention-removed")
	b.get(page).wantText("No rule: every version is kept.")
}
