package registrytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// RunTransferTests runs the contract of copies and moves between two stores, each on a fresh database of its kind. Stores of the two must have different names.
func RunTransferTests(t *testing.T, from, to func(t testing.TB) Database) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*testing.T, *pair)
	}{
		{"MovesEverything", testMoveAcross},
		{"RefusesToCutAssociations", testCrossing},
		{"TakesPermissionsAlong", testPermissionsOnTheWay},
		{"AsksAgainForRights", testRevokedOnTheWay},
		{"KnowsIDsThatComeBack", testIDsComeBack},
		{"TellsThatItWasThereBefore", testPastBeforeReturn},
		{"KeepsEverySealedThing", testSealed},
		{"MovesOnceAnAnswer", testMoveAcrossOnce},
		{"CopiesAcross", testCopyAcross},
		{"FreesTheSourceFirst", testRemains},
		{"BoundsWhatATurnBrings", testLargeBatches},
		{"AnswersTwins", testTwins},
		{"RecoversPastOthers", testRecoveryPastOthers},
		{"TellsThatItMoved", testLateFaults},
		{"KeepsGapsOnTheWay", testGapsOnTheWay},
		{"SurvivesEveryEnd", testEveryEnd},
		{"SurvivesSleepers", testSleepers},
		{"LosesNoWriteOnTheWay", testWritersOnTheWay},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, &pair{from: from(t), to: to(t)}) })
	}
}

// pair is two databases.
type pair struct {
	from, to Database
}

// both is a node with two stores: /a is /in/a of the one, /b is the other.
type both struct {
	*node
	from, to Store
}

// transferTimeout is short, so that others take over at once what was left.
const transferTimeout = 20 * time.Millisecond

// open gives one more node on the databases.
func (p *pair) open(t testing.TB) *both {
	t.Helper()
	b := &both{from: migrated(t, p.from), to: migrated(t, p.to)}
	if b.from.Name() == b.to.Name() {
		t.Fatalf("both stores are named %s", b.to.Name())
	}
	b.node = &node{svc: pairService(t, b.from, b.to, time.Minute)}
	return b
}

func migrated(t testing.TB, db Database) Store {
	t.Helper()
	prepare(t, db)
	s := db.Open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return s
}

func pairService(t testing.TB, from, to registry.Store, timeout time.Duration) *registry.Service {
	t.Helper()
	mounts, err := registry.NewMounts(registry.Mount{Path: "/a", Store: from, Target: "/in/a"}, registry.Mount{Path: "/b", Store: to, Target: registry.Root})
	if err != nil {
		t.Fatal(err)
	}
	svc := registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.SignedIn{}, TransferTimeout: timeout})
	if err := svc.EnsureMounts(context.Background()); err != nil {
		t.Fatal(err)
	}
	return svc
}

// users are those whose tags and ratings a portrait shows.
var users = []registry.Actor{actor, {User: "ann"}}

// portrait is all that can be read of a tree, by path below its top. ids says whether the ids count, too.
func portrait(t testing.TB, svc *registry.Service, top registry.Path, ids bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	short := func(p registry.Path) string { return strings.TrimPrefix(p.String(), top.String()) }
	for open := []registry.Path{top}; len(open) > 0; {
		p := open[0]
		open = open[1:]
		r, err := svc.Look(t.Context(), actor, p, registry.Freshness{})
		if err != nil {
			t.Fatalf("look at %s: %v", p, err)
		}
		all[short(p)] = sketch(t, svc, r, ids, short)
		if r.Kind != registry.KindCollection {
			continue
		}
		page, err := svc.List(t.Context(), actor, p, "", 1000, registry.Freshness{})
		if err != nil || page.Next != "" {
			t.Fatalf("list %s: %v", p, err)
		}
		for _, e := range page.Entries {
			open = append(open, e.Path)
		}
	}
	return all
}

// sketch is all that can be read of one resource.
func sketch(t testing.TB, svc *registry.Service, r registry.Resource, ids bool, short func(registry.Path) string) string {
	t.Helper()
	ctx, none := t.Context(), registry.Freshness{}
	var b strings.Builder
	say := func(err error, format string, args ...any) {
		if err != nil {
			t.Fatalf("%s: %v", r.Path, err)
		}
		fmt.Fprintf(&b, format+"\n", args...)
	}
	if ids {
		say(nil, "id %s", r.ID)
	}
	say(nil, "%s %+v %d %s created %s %s", r.Kind, r.Meta, r.Size, r.Hash, r.CreatedAt, r.CreatedBy)
	if r.Kind == registry.KindLink {
		return b.String() // reads of what is attached follow it
	}
	versions, err := svc.Versions(ctx, actor, r.Path, 0, 1000, none)
	for _, v := range versions.Versions {
		text := ""
		if r.Kind == registry.KindResource {
			text = content(t, svc, r.Path, v.Number)
		}
		say(err, "version %d %+v %s by %s %q %.40q %d", v.Number, v.Meta, v.CreatedAt, v.CreatedBy, v.Comment, text, len(text))
	}
	for _, l := range versions.Labels {
		say(err, "label %s %d %s %s", l.Name, l.Version, l.SetAt, l.SetBy)
	}
	rule, err := svc.Retention(ctx, actor, r.Path, none)
	say(err, "rule %d %d %s", rule.Own.KeepLast, rule.Own.KeepDays, rule.Own.SetBy)
	for _, a := range users {
		tags, err := svc.Tags(ctx, a, r.Path, none)
		say(err, "tags for %s %v", a.User, tags.Tags)
		rating, err := svc.Rating(ctx, a, r.Path, none)
		say(err, "rating for %s %v", a.User, rating.Rating)
		_, starred, err := svc.Starred(ctx, a, r.Path, none)
		say(err, "star of %s %v", a.User, starred)
	}
	comments, err := svc.Comments(ctx, actor, r.Path, "", 100, none)
	for _, c := range comments.Comments {
		c.Resource = registry.ID{}
		say(err, "comment %+v", c)
	}
	for _, in := range []bool{false, true} {
		page, err := svc.Associations(ctx, actor, registry.AssociationsInput{Path: r.Path, Incoming: in, Limit: 100}, none)
		var list []string
		for _, l := range page.Associations {
			list = append(list, fmt.Sprintf("%s %s %s to %s%s at %s by %s", short(l.Source.Path), l.Source.Kind, l.Type, short(l.Target.Path), l.Target.URI, l.CreatedAt, l.CreatedBy))
		}
		slices.Sort(list)
		say(err, "associations %v", list)
	}
	return b.String()
}

func content(t testing.TB, svc *registry.Service, p registry.Path, n int64) string {
	t.Helper()
	_, _, c, err := svc.Open(t.Context(), actor, p, n, registry.Freshness{})
	if err != nil {
		t.Fatalf("open %s, version %d: %v", p, n, err)
	}
	data, err := io.ReadAll(c)
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatalf("read %s: %v", p, err)
	}
	return string(data)
}

// sameTree compares two portraits.
func sameTree(t testing.TB, got, want map[string]string) {
	t.Helper()
	for p, w := range want {
		if got[p] != w {
			t.Errorf("%q is\n%s\nwant\n%s", p, got[p], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the tree has %d nodes, want %d", len(got), len(want))
	}
}

// must is for calls whose first result does not matter.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
