package client_test

import (
	"fmt"
	"iter"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// all reads a list to its end.
func all[T any](t *testing.T, list iter.Seq2[T, error]) (entries []T) {
	t.Helper()
	for e, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

var onePage = client.ListOptions{PageSize: 1} // every entry is a page of its own

func TestClient_TagsAndRatings(t *testing.T) {
	c, ctx := newServer(t).dial(t), t.Context()
	for _, p := range []string{config + "/a", config + "/b"} {
		put(t, c, p, "x")
		if tags, err := c.AddTags(ctx, p, "pay & more", "b"); err != nil || len(tags) != 2 || !tags[0].Mine || tags[1].Name != "pay & more" {
			t.Fatalf("tags %+v, %v", tags, err)
		}
	}
	if places := all(t, c.Tagged(ctx, "pay & more", onePage)); len(places) != 2 || places[1].Path != config+"/b" || places[1].Kind != client.KindResource {
		t.Errorf("tagged: %+v", places)
	}
	if err := c.RemoveTag(ctx, config+"/b", "pay & more", false, client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	wantErr(t, "remove it again", c.RemoveTag(ctx, config+"/b", "pay & more", false, client.WriteOptions{}), client.ErrNotFound)
	if tags, err := c.Tags(ctx, config+"/b"); err != nil || len(tags) != 1 || tags[0].Name != "b" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	if cloud, err := c.TagCloud(ctx, 1); err != nil || len(cloud) != 1 || cloud[0].Name != "b" || cloud[0].Resources != 2 {
		t.Errorf("cloud %+v, %v", cloud, err)
	}
	if _, err := c.Rate(ctx, config+"/a", 4); err != nil {
		t.Error(err)
	}
	if r, err := c.Rating(ctx, config+"/a"); err != nil || r.Average != 4 || r.Mine != 4 || r.Count != 1 {
		t.Errorf("rating %+v, %v", r, err)
	}
}

func TestClient_Comments(t *testing.T) {
	c, ctx := newServer(t).dial(t), t.Context()
	put(t, c, config+"/a", "x")
	first, err := c.AddComment(ctx, config+"/a", "first", 0, client.WriteOptions{IdempotencyKey: "k1"})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := c.AddComment(ctx, config+"/a", "first", 0, client.WriteOptions{IdempotencyKey: "k1"}); err != nil || same.ID != first.ID {
		t.Errorf("sent again: %+v, %v", same, err)
	}
	reply, err := c.AddComment(ctx, config+"/a", "reply", first.ID, client.WriteOptions{})
	if err != nil || reply.ReplyTo != first.ID || reply.Thread != first.ID {
		t.Fatalf("reply %+v, %v", reply, err)
	}
	edited, err := c.EditComment(ctx, config+"/a", first.ID, "edited", client.WriteOptions{IfMatch: first.ETag})
	if err != nil || edited.Text != "edited" || edited.EditedBy != "admin" {
		t.Errorf("edited %+v, %v", edited, err)
	}
	_, err = c.EditComment(ctx, config+"/a", first.ID, "again", client.WriteOptions{IfMatch: first.ETag})
	wantErr(t, "edit what has changed", err, client.ErrPrecondition)
	if err := c.DeleteComment(ctx, config+"/a", first.ID, client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	if list := all(t, c.Comments(ctx, config+"/a", onePage)); len(list) != 2 || !list[0].Deleted || list[1].Text != "reply" {
		t.Errorf("comments %+v", list)
	}
}

func TestClient_Associations(t *testing.T) {
	c, ctx := newServer(t).dial(t), t.Context()
	for _, p := range []string{"/a", "/b", "/c"} {
		put(t, c, config+p, "x")
	}
	for _, to := range []string{config + "/b", "https://example.org/?q=1&r=2"} {
		for _, fresh := range []bool{true, false} {
			if l, made, err := c.Associate(ctx, config+"/a", "depends", to); err != nil || made != fresh || l.Target.String() != to {
				t.Errorf("associate: %+v, %t, %v", l, made, err)
			}
		}
	}
	if _, _, err := c.Associate(ctx, config+"/b", "depends", config+"/c"); err != nil {
		t.Fatal(err)
	}
	out := all(t, c.Associations(ctx, config+"/a", client.AssociationOptions{ListOptions: onePage, Type: "depends"}))
	in := all(t, c.Associations(ctx, config+"/c", client.AssociationOptions{Incoming: true}))
	if len(out) != 2 || len(in) != 1 || in[0].Source.Path != config+"/b" {
		t.Errorf("out %+v, in %+v", out, in)
	}
	g, err := c.Dependencies(ctx, config+"/a", client.GraphOptions{})
	if err != nil || len(g.Nodes) != 4 || len(g.Edges) != 3 || g.Cut != "" || g.Nodes[0].Path != config+"/a" {
		t.Errorf("dependencies %+v, %v", g, err)
	}
	if g, err := c.Impact(ctx, config+"/c", client.GraphOptions{Depth: 1}); err != nil || len(g.Nodes) != 2 || g.Cut != "depth" {
		t.Errorf("impact %+v, %v", g, err)
	}
	if d, err := c.Dependents(ctx, config+"/c"); err != nil || d.Resources != 1 || len(d.Incoming) != 1 || d.Incoming[0].Source.Path != config+"/b" || d.More {
		t.Errorf("dependents %+v, %v", d, err)
	}
	_, err = c.Dependents(ctx, config+"/none")
	wantErr(t, "dependents of nothing", err, client.ErrNotFound)
	if err := c.Dissociate(ctx, config+"/a", "depends", "https://example.org/?q=1&r=2", client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	wantErr(t, "dissociate again", c.Dissociate(ctx, config+"/a", "depends", "https://example.org/?q=1&r=2", client.WriteOptions{}), client.ErrNotFound)
}

func TestClient_LabelsCheckpointsRetentionTrash(t *testing.T) {
	c, ctx := newServer(t).dial(t), t.Context()
	const folder = config + "/f"
	for i := range 3 {
		put(t, c, folder+"/a", fmt.Sprint(i))
	}
	l, err := c.SetLabel(ctx, folder+"/a", "prod", 1, client.WriteOptions{IfNoneMatch: "*"})
	if err != nil || l.Version != 1 {
		t.Fatalf("label %+v, %v", l, err)
	}
	if _, err := c.SetLabel(ctx, folder+"/a", "prod", 2, client.WriteOptions{IfMatch: l.ETag}); err != nil {
		t.Error(err)
	}
	if list, err := c.Labels(ctx, folder+"/a"); err != nil || len(list) != 1 || list[0].Version != 2 {
		t.Errorf("labels %+v, %v", list, err)
	}
	if err := c.RemoveLabel(ctx, folder+"/a", "prod", client.WriteOptions{}); err != nil {
		t.Error(err)
	}

	if p, err := c.SetCheckpoint(ctx, folder, "v1", "", "as released", client.WriteOptions{}); err != nil || p.Name != "v1" || p.Comment != "as released" || p.At == "" {
		t.Errorf("checkpoint %+v, %v", p, err)
	}
	_, err = c.SetCheckpoint(ctx, folder, "v1", "", "", client.WriteOptions{})
	wantErr(t, "a checkpoint that is there", err, client.ErrConflict)
	if err := c.DeleteContent(ctx, folder+"/a", client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := all(t, c.Trash(ctx, folder, onePage))
	if len(gone) != 1 || gone[0].Path != folder+"/a" || gone[0].DeletedBy != "admin" {
		t.Fatalf("trash %+v", gone)
	}
	if _, err := c.Undelete(ctx, folder+"/b", gone[0].ID, client.WriteOptions{}); err != nil {
		t.Error(err)
	}
	if done, err := c.RestoreTree(ctx, folder, "v1", "", client.WriteOptions{}); err != nil || done.Returned+done.Created != 1 && done.Revised == 0 {
		t.Errorf("restored %+v, %v", done, err)
	}
	if list, err := c.Checkpoints(ctx, folder); err != nil || len(list) != 1 {
		t.Errorf("checkpoints %+v, %v", list, err)
	}
	if err := c.RemoveCheckpoint(ctx, folder, "v1", client.WriteOptions{}); err != nil {
		t.Error(err)
	}

	if err := c.SetRetention(ctx, folder, 5, 90, client.WriteOptions{IfNoneMatch: "*"}); err != nil {
		t.Error(err)
	}
	r, err := c.Retention(ctx, folder+"/a")
	if err != nil || r.KeepLast != 5 || r.KeepDays != 90 || r.Own || r.From != folder {
		t.Errorf("retention %+v, %v", r, err)
	}
	if r, err = c.Retention(ctx, folder); err != nil || !r.Own || r.ETag == "" {
		t.Errorf("retention %+v, %v", r, err)
	}
	if err := c.RemoveRetention(ctx, folder, client.WriteOptions{IfMatch: r.ETag}); err != nil {
		t.Error(err)
	}
}
