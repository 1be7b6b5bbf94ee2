package console

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// checkpointsView lists the checkpoints of a collection.
type checkpointsView struct {
	head
	Checkpoints []registry.Checkpoint
	Restorable  bool // the user may bring the collection back to one

	// What the form for a new one has, and why it was refused.
	New, At, Comment string
	Error            string
}

func (c *console) checkpoints(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showCheckpoints(w, r, a, nil)
}

func (c *console) showCheckpoints(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	res, list, err := c.Service.Checkpoints(r.Context(), a, p, registry.Freshness{})
	if err != nil {
		return err
	}
	v := checkpointsView{head: c.headOf(r, res, "checkpoints", res.Version), Checkpoints: list}
	v.Restorable = v.Writable && c.may(r, registry.RightDelete, p)
	status := http.StatusOK
	if failed != nil {
		v.New, v.At, v.Comment = r.PostForm.Get("checkpoint"), r.PostForm.Get("at"), commentOf(r.PostForm.Get("comment"))
		v.Error, status = c.formError(r, a, failed), statusOf(failed)
	}
	return c.show(w, r, a, status, "checkpoints", c.say("Checkpoints of %s", v.Name()), v.head, v)
}

// checkpoint makes or removes a checkpoint.
func (c *console) checkpoint(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	in := registry.CheckpointInput{Path: p, Name: strings.TrimSpace(r.PostForm.Get("checkpoint")), Comment: commentOf(r.PostForm.Get("comment"))}
	note := "checkpoint-removed"
	if r.PostForm.Get("do") == "remove" {
		_, err = c.Service.RemoveCheckpoint(r.Context(), a, in)
	} else if in.At, err = momentOf(r.PostForm.Get("at")); err == nil {
		note = "checkpoint-made"
		_, err = c.Service.SetCheckpoint(r.Context(), oncePerForm(r, a), in)
	}
	if err != nil {
		return c.showCheckpoints(w, r, a, err)
	}
	toPage(w, link("checkpoints", p), note)
	return nil
}

// momentOf reads a moment as people write it, a time without a zone taken for UTC; the zero one for nothing.
func momentOf(text string) (registry.Moment, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return registry.Moment{}, nil
	}
	for _, layout := range []string{activityTime, activityTime + "Z07:00", activityTime + ":05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return registry.Moment{Time: t}, nil
		}
	}
	return registry.ParseMoment(text)
}

// restoreTreeView asks whether a collection is to go back to a checkpoint or a moment, and says what that would do.
type restoreTreeView struct {
	head
	ETag       string
	Checkpoint string
	At         string // instead of Checkpoint
	Would      registry.TreeRestored
	Comment    string
	Error      string
}

// Nothing tells that the collection is as it was.
func (v restoreTreeView) Nothing() bool {
	return v.Would.Revised+v.Would.Returned+v.Would.Created+v.Would.Removed == 0
}

// Counts is what the form has of the four counts, to tell whether they are still those that the page showed.
func (v restoreTreeView) Counts() string { return countsOf(v.Would) }

func countsOf(t registry.TreeRestored) string {
	return fmt.Sprintf("%d,%d,%d,%d", t.Revised, t.Returned, t.Created, t.Removed)
}

func (c *console) restoreTreeForm(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	q := r.URL.Query()
	return c.askRestoreTree(w, r, a, q.Get("checkpoint"), q.Get("at"), nil)
}

func (c *console) askRestoreTree(w http.ResponseWriter, r *http.Request, a registry.Actor, checkpoint, at string, failed error) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	v := restoreTreeView{
		head: c.headOf(r, res, "checkpoints", res.Version), ETag: res.ETag(), Checkpoint: checkpoint, At: at, Comment: commentOf(r.PostForm.Get("comment")),
	}
	in := registry.RestoreTreeInput{Path: res.Path, Checkpoint: checkpoint, DryRun: true}
	if in.At, err = momentOf(at); err != nil {
		return err
	}
	if v.Would, err = c.Service.RestoreTree(r.Context(), a, in); err != nil {
		return err
	}
	status := http.StatusOK
	if failed != nil {
		v.Error, status = c.formError(r, a, failed), statusOf(failed)
	}
	return c.show(w, r, a, status, "restore-tree", c.say("Restore %s", v.Name()), v.head, v)
}

var errOtherRestore = registry.Errorf(registry.CodeConflict, "something below the collection has changed since you opened the page; below is what restoring would do now")

// restoreTree brings a collection back to what it was, if that would still do what the page showed. The tag tells only of the collection itself, so a
// dry run counts anew what is below it. What changes between that and the restore is not noticed, and neither is what leaves the counts as they were.
func (c *console) restoreTree(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	checkpoint, at := r.PostForm.Get("checkpoint"), r.PostForm.Get("at")
	in := registry.RestoreTreeInput{Path: p, Checkpoint: checkpoint, Comment: commentOf(r.PostForm.Get("comment")), If: ifMatch(r)}
	if in.At, err = momentOf(at); err != nil {
		return err
	}
	dry := in
	dry.DryRun = true
	would, err := c.Service.RestoreTree(r.Context(), a, dry)
	if err == nil && countsOf(would) != r.PostForm.Get("would") {
		return c.askRestoreTree(w, r, a, checkpoint, at, errOtherRestore)
	}
	if err == nil {
		_, err = c.Service.RestoreTree(r.Context(), a, in)
	}
	switch registry.CodeOf(err) {
	case "":
		toPage(w, link("browse", p), "tree-restored")
		return nil
	case registry.CodePrecondition:
		return c.askRestoreTree(w, r, a, checkpoint, at, err)
	default:
		return err
	}
}
