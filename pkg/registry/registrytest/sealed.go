package registrytest

import (
	"context"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// testSealed: while a tree is on its way nothing changes in it, at any node, by whatever use case; all of it can be read, and all else be changed.
func testSealed(t *testing.T, p *pair) {
	n, other := p.open(t), p.open(t)
	ctx := t.Context()
	n.put(t, "/a/up/t/doc", "1")
	n.put(t, "/a/up/t/doc", "2")
	n.put(t, "/a/up/t/in/x", "x")
	n.put(t, "/a/up/t/gone", "x")
	n.remove(t, "/a/up/t/gone")
	n.put(t, "/a/out/y", "y")
	must[registry.LabelResult](t)(n.svc.SetLabel(ctx, actor, registry.LabelInput{Path: "/a/up/t/doc", Name: "old", Version: 1}))
	must[registry.Checkpoint](t)(n.svc.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/a/up", Name: "then"}))
	n.put(t, "/a/up/t/doc", "3")
	_, comment, err := n.svc.AddComment(ctx, actor, "/a/up/t/doc", "said", 0)
	if err != nil {
		t.Fatal(err)
	}
	must[registry.TagList](t)(n.svc.AddTags(ctx, actor, "/a/up/t/doc", []string{"given"}))
	must[registry.Retention](t)(n.svc.SetRetention(ctx, actor, registry.RetentionInput{Path: "/a/up", Rule: registry.Retention{KeepLast: 1}}))
	if _, _, _, err := n.svc.Associate(ctx, actor, "/a/up/t/doc", "of", "https://example.com/"); err != nil {
		t.Fatal(err)
	}
	gone := n.trash(t, "/a/up/t", 1)[0].ID
	before := portrait(t, n.svc, "/a/up/t", true)

	asleep, wake, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	x := sleepsIn("import", asleep, wake)
	svc := pairService(t, &tapped{n.from, x}, &tapped{n.to, x}, 0)
	go func() {
		_, err := svc.Move(context.Background(), actor, registry.MoveInput{From: "/a/up/t", To: "/b/t"})
		done <- err
	}()
	<-asleep
	none := registry.Precondition{}
	description := "new"
	for name, write := range sealedWrites(ctx, gone, comment.Number, &description) {
		for i, svc := range []*registry.Service{n.svc, other.svc} {
			if err := write(svc); registry.CodeOf(err) != registry.CodeUnavailable {
				t.Errorf("%s at node %d: %v", name, i, err)
			}
		}
	}
	sameTree(t, portrait(t, other.svc, "/a/up/t", true), before)
	reports, err := other.svc.RunRetention(ctx, actor)
	if err != nil || reports[0].Versions != 0 {
		t.Errorf("retention removed versions of what is sealed: %+v, %v", reports, err)
	}
	other.gone(t, "/b/t")
	// The rest is free.
	other.put(t, "/a/out/y", "2")
	other.put(t, "/a/up/new", "x")
	must[registry.PutResult](t)(other.svc.Copy(ctx, actor, registry.MoveInput{From: "/a/up/t", To: "/a/copy"}))
	must[registry.PutResult](t)(other.svc.Copy(ctx, actor, registry.MoveInput{From: "/a/up/t", To: "/b/copy"}))
	if _, err := other.svc.Delete(ctx, actor, "/a/copy", none); err != nil {
		t.Error(err)
	}
	close(wake)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	sameTree(t, portrait(t, other.svc, "/b/t", true), before)
	wantNothingOpen(t, n)
	for name, write := range map[string]func() error{
		"put above": func() error {
			_, err := other.svc.Put(ctx, actor, registry.PutInput{Path: "/a/up/t/again", Body: strings.NewReader("x")})
			return err
		},
		"delete above": func() error { _, err := other.svc.Delete(ctx, actor, "/a/up", none); return err },
	} {
		if err := write(); err != nil {
			t.Errorf("after the move %s: %v", name, err)
		}
	}
}

// sealedWrites are all changes of the sealed /a/up/t, of what lies in it, and of what holds it.
func sealedWrites(ctx context.Context, gone registry.ID, comment int64, description *string) map[string]func(*registry.Service) error {
	const doc, in = registry.Path("/a/up/t/doc"), registry.Path("/a/up/t/in")
	none := registry.Precondition{}
	put := func(p registry.Path) func(*registry.Service) error {
		return func(s *registry.Service) error {
			_, err := s.Put(ctx, actor, registry.PutInput{Path: p, Body: strings.NewReader("new")})
			return err
		}
	}
	move := func(from, to registry.Path) func(*registry.Service) error {
		return func(s *registry.Service) error {
			_, err := s.Move(ctx, actor, registry.MoveInput{From: from, To: to})
			return err
		}
	}
	link := func(from registry.Path, to string) func(*registry.Service) error {
		return func(s *registry.Service) error {
			_, _, _, err := s.Associate(ctx, actor, from, "of", to)
			return err
		}
	}
	remove := func(p registry.Path) func(*registry.Service) error {
		return func(s *registry.Service) error { _, err := s.Delete(ctx, actor, p, none); return err }
	}
	return map[string]func(*registry.Service) error{
		"put": put(doc), "put a new one": put("/a/up/t/new"), "put deep": put("/a/up/t/in/new/er"),
		"delete": remove(doc), "delete all": remove("/a/up/t"), "delete above": remove("/a/up"), "delete deep": remove("/a/up/t/in/x"),
		"rename": move(doc, "/a/up/t/other"), "move out": move(in, "/a/out/in"), "move in": move("/a/out/y", "/a/up/t/y"), "rename all": move("/a/up/t", "/a/up/u"),
		"rename above": move("/a/up", "/a/upper"), "move elsewhere": move("/a/up/t", "/b/u"), "move a part elsewhere": move(in, "/b/in"), "move above elsewhere": move("/a/up", "/b/up"),
		"associate": link(doc, "https://example.org/"), "associate within": link(doc, "/a/up/t/in"), "associate from outside": link("/a/out/y", "/a/up/t/in/x"), "associate to outside": link(doc, "/a/out/y"),
		"dissociate": func(s *registry.Service) error {
			_, err := s.Dissociate(ctx, actor, doc, "of", "https://example.com/")
			return err
		},
		"metadata": func(s *registry.Service) error {
			_, err := s.UpdateMeta(ctx, actor, registry.MetaInput{Path: in, Description: description})
			return err
		},
		"collection": func(s *registry.Service) error {
			_, err := s.CreateCollection(ctx, actor, registry.CollectionInput{Path: "/a/up/t/c"})
			return err
		},
		"link": func(s *registry.Service) error {
			_, err := s.Link(ctx, actor, registry.LinkInput{Path: "/a/up/t/l", Target: "/a"})
			return err
		},
		"copy in": func(s *registry.Service) error {
			_, err := s.Copy(ctx, actor, registry.MoveInput{From: "/a/out", To: "/a/up/t/copy"})
			return err
		},
		"restore": func(s *registry.Service) error { _, err := s.Restore(ctx, actor, doc, 1, none); return err },
		"restore a tree": func(s *registry.Service) error {
			_, err := s.RestoreTree(ctx, actor, registry.RestoreTreeInput{Path: "/a/up", Checkpoint: "then"})
			return err
		},
		"undelete": func(s *registry.Service) error { _, err := s.Undelete(ctx, actor, gone, "/a/up/t/gone"); return err },
		"label": func(s *registry.Service) error {
			_, err := s.SetLabel(ctx, actor, registry.LabelInput{Path: doc, Name: "prod"})
			return err
		},
		"remove a label": func(s *registry.Service) error {
			_, err := s.RemoveLabel(ctx, actor, registry.LabelInput{Path: doc, Name: "old"})
			return err
		},
		"rule": func(s *registry.Service) error {
			_, err := s.SetRetention(ctx, actor, registry.RetentionInput{Path: in, Rule: registry.Retention{KeepLast: 3}})
			return err
		},
		"checkpoint": func(s *registry.Service) error {
			_, err := s.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: in, Name: "now"})
			return err
		},
		"tag":          func(s *registry.Service) error { _, err := s.AddTags(ctx, actor, doc, []string{"t"}); return err },
		"remove a tag": func(s *registry.Service) error { _, err := s.RemoveTag(ctx, actor, doc, "given", false); return err },
		"rate":         func(s *registry.Service) error { _, err := s.Rate(ctx, actor, doc, 5); return err },
		"comment":      func(s *registry.Service) error { _, _, err := s.AddComment(ctx, actor, doc, "more", 0); return err },
		"edit a comment": func(s *registry.Service) error {
			_, _, err := s.EditComment(ctx, actor, doc, comment, "else", none)
			return err
		},
		"delete a comment": func(s *registry.Service) error {
			_, err := s.DeleteComment(ctx, actor, doc, comment, none)
			return err
		},
		"batch": func(s *registry.Service) error {
			_, _, err := s.Batch(ctx, actor, []registry.Step{
				registry.DeleteStep("/a/out/y", none), registry.CollectionStep(registry.CollectionInput{Path: "/a/up/t/in/batch"}),
			})
			return err
		},
	}
}
