package registrytest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/backup"
)

// RunBackupTests runs the contract of backups from one kind of database to another.
func RunBackupTests(t *testing.T, from, to func(t testing.TB) Database) {
	t.Helper()
	t.Run("RestoresEverything", func(t *testing.T) { testBackup(t, from, to) })
	t.Run("RestoresAllOrNothing", func(t *testing.T) { testDamagedBackup(t, from, to) })
}

// archive makes a backup of a store.
func archive(t testing.TB, s Store) []byte {
	t.Helper()
	var out bytes.Buffer
	sum, err := s.Backup(context.Background(), &out, registry.BackupNote{By: "ann", Program: "1.2.3"})
	if err != nil || sum.Store != s.Name() || sum.By != "ann" {
		t.Fatalf("backup: %+v, %v", sum, err)
	}
	return out.Bytes()
}

// rowsOf are the rows of a backup, by table, each as one text: to compare contents byte by byte would take minutes under the race detector.
func rowsOf(t testing.TB, data []byte) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	_, _, err := backup.Read(bytes.NewReader(data), nil, func(table backup.Table, rows [][]any) error {
		for _, row := range rows {
			var text strings.Builder
			for i, v := range row {
				if b, ok := v.([]byte); ok && len(b) > 64 {
					v = sha256.Sum256(b)
				}
				fmt.Fprintf(&text, "%s=%#v ", table.Columns[i], v)
			}
			all[table.Name] = append(all[table.Name], text.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// furnish fills a store with one of everything.
func furnish(t testing.TB, h *hooked, plain *node) {
	t.Helper()
	ctx := context.Background()
	settleTree(t, &both{node: plain})
	plain.put(t, "/a/t/deleted", "x")
	if _, err := plain.svc.Delete(ctx, actor, "/a/t/deleted", registry.Precondition{}); err != nil {
		t.Fatal(err)
	}
	must[registry.Checkpoint](t)(plain.svc.SetCheckpoint(ctx, actor, registry.CheckpointInput{Path: "/a/t/docs", Name: "then", Comment: "é"}))
	must[registry.PutResult](t)(plain.svc.Move(ctx, actor, registry.MoveInput{From: "/a/t/docs/empty", To: "/a/t/docs/moved"}))
	ann := h.user(t, "ann", registry.GrantWebhooks|registry.GrantUsers)
	h.grant(t, "/", "everyone +read")
	h.grant(t, "/a/t/docs", "ann-role +read,write", "everyone -delete")
	h.hook(t, ann, "/a/t", "create", "update")
	if _, err := h.AddToken(ctx, op(), registry.Token{
		Hash: registry.Hash{7}, User: ann.UserID, Name: "ci", Hint: "rgt_x", Scope: registry.Scope{Rights: 1, Paths: []registry.Path{"/a", "/é"}},
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}, 10); err != nil {
		t.Fatal(err)
	}
	if err := h.NoteAccess(ctx, []registry.AccessEvent{{Kind: registry.AccessFailed, Times: 2, At: time.Now(), User: "eve", Client: "192.0.2.1"}}); err != nil {
		t.Fatal(err)
	}
}

func testBackup(t *testing.T, from, to func(t testing.TB) Database) {
	ctx := t.Context()
	plain := open(t, from, 1)[0]
	h := hookNode(t, plain.Store, &receiver{})
	furnish(t, h, plain)
	before := portrait(t, plain.svc, "/a/t", true)
	plain.put(t, "/w/n", "1")

	// Somebody writes all the time.
	stop, written := make(chan struct{}), make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 2; ; i++ {
			plain.put(t, "/w/n", strconv.Itoa(i))
			if i == 5 {
				close(written)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-written
	data := archive(t, plain.Store)
	close(stop)
	writer.Wait()

	target := to(t)
	restored := migrated(t, target)
	sum, err := restored.RestoreBackup(ctx, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if sum.Users != 1 || sum.Resources < 10 || sum.Versions < sum.Resources || sum.Contents < 5 || sum.Operations != sum.Seq {
		t.Errorf("%+v", sum)
	}

	// The tables are the same, byte by byte; and so is what the doors see, through a process that was not there when it was restored.
	there := migrated(t, target)
	if diff := cmp.Diff(rowsOf(t, data), rowsOf(t, archive(t, there))); diff != "" {
		t.Errorf("the tables differ (-backup +restored):\n%.4000s", diff)
	}
	n := newNode(t, there)
	sameTree(t, portrait(t, n.svc, "/a/t", true), before)
	// One moment: the log, the versions and the contents end at the same change.
	at := n.get(t, "/w/n")
	if head := must[registry.Position](t)(there.Head(ctx)); head.Seq != sum.Seq || n.text(t, "/w/n", 0) != strconv.FormatInt(at.Version, 10) {
		t.Errorf("the log ends at %d, the backup at %d; version %d of the counter is %q", head.Seq, sum.Seq, at.Version, n.text(t, "/w/n", 0))
	}
	for _, q := range []registry.ActivityQuery{{Limit: 1000, To: sum.Seq}} {
		a, b := must[registry.ActivityPage](t)(plain.Activity(ctx, q)), must[registry.ActivityPage](t)(there.Activity(ctx, q))
		if diff := cmp.Diff(a.Events, b.Events); diff != "" {
			t.Errorf("the activity differs:\n%.2000s", diff)
		}
	}
	for name, read := range map[string]func(Store) any{
		"users": func(s Store) any {
			list := must[[]registry.User](t)(s.Users(ctx, "", 100))
			for i := range list {
				list[i].Seq = registry.Seq{}
			}
			return list
		},
		"roles":    func(s Store) any { return must[[]registry.Role](t)(s.Roles(ctx)) },
		"accesses": func(s Store) any { return must[[]registry.AccessEvent](t)(s.Accesses(ctx, registry.ID{}, 100)) },
		"token": func(s Store) any {
			k := must[registry.Token](t)(s.TokenByHash(ctx, registry.Hash{7}))
			k.Seq = registry.Seq{}
			return k
		},
		"tags":     func(s Store) any { return must[[]registry.CloudTag](t)(newNode(t, s).svc.TagCloud(ctx, actor, 100)) },
		"identity": func(s Store) any { return must[registry.ID](t)(s.Identity(ctx)) },
	} {
		if diff := cmp.Diff(read(plain.Store), read(there)); diff != "" {
			t.Errorf("%s differ:\n%s", name, diff)
		}
	}
	// A webhook comes without its secret, and disabled.
	hooks := must[[]registry.Webhook](t)(there.Webhooks(ctx))
	if len(hooks) != 1 || hooks[0].Enabled || hooks[0].Secret != "" || hooks[0].URL != "https://example.org/hook" || hooks[0].State.Cursor.Seq == 0 {
		t.Errorf("%+v", hooks)
	}

	// It lives on: it finds what it has, and takes changes.
	for must[int](t)(there.IndexSearch(ctx)) > 0 { // until it has looked at all that came
		continue
	}
	found := must[registry.SearchPage](t)(n.svc.Search(ctx, actor, registry.SearchInput{Query: "name:one.txt"}))
	if len(found.Hits) != 1 {
		t.Errorf("search finds %+v", found.Hits)
	}
	n.put(t, "/a/t/docs/one.txt", "after")
	if got := n.get(t, "/a/t/docs/one.txt"); got.Version != 5 || got.Seq.N <= sum.Seq {
		t.Errorf("the next version is %d at %d", got.Version, got.Seq.N)
	}
}

func testDamagedBackup(t *testing.T, from, to func(t testing.TB) Database) {
	ctx := t.Context()
	plain := open(t, from, 1)[0]
	furnish(t, hookNode(t, plain.Store, &receiver{}), plain)
	data := archive(t, plain.Store)
	target := to(t)
	s := migrated(t, target)
	empty := rowsOf(t, archive(t, s))
	for what, broken := range map[string][]byte{
		"cut off": data[:len(data)-100], "a bit": flipped(data, len(data)/2), "nothing": nil, "a text": []byte("no backup at all"),
	} {
		_, err := s.RestoreBackup(ctx, bytes.NewReader(broken))
		wantCode(t, err, registry.CodeInvalid)
		if err == nil || !strings.Contains(err.Error(), "near byte") || !strings.Contains(err.Error(), "nothing was restored") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// One that breaks off only when it is read for the second time, for the pieces or for the rest.
	for _, times := range []int{2, 3} {
		if _, err := s.RestoreBackup(ctx, &failing{Reader: bytes.NewReader(data), left: times}); err == nil {
			t.Errorf("reading it the %d. time fails: no error", times)
		}
	}
	if diff := cmp.Diff(empty, rowsOf(t, archive(t, migrated(t, target))), cmp.FilterPath(func(p cmp.Path) bool {
		i, ok := p.Index(1).(cmp.MapIndex)
		return ok && i.Key().String() == "blob_chunk" // what nobody sees yet
	}, cmp.Ignore())); diff != "" {
		t.Errorf("a restore that failed changed the store:\n%s", diff)
	}
	if _, err := s.RestoreBackup(ctx, bytes.NewReader(data)); err != nil {
		t.Errorf("after all that: %v", err)
	}
	if diff := cmp.Diff(rowsOf(t, data), rowsOf(t, archive(t, migrated(t, target)))); diff != "" {
		t.Errorf("the tables differ (-backup +restored):\n%.2000s", diff)
	}
	_, err := s.RestoreBackup(ctx, bytes.NewReader(data))
	wantCode(t, err, registry.CodeConflict)
	_, err = plain.RestoreBackup(ctx, bytes.NewReader(data))
	wantCode(t, err, registry.CodeConflict)
}

func flipped(data []byte, i int) []byte {
	broken := bytes.Clone(data)
	broken[i] ^= 4
	return broken
}

// failing ends with an error in the middle, when it is read for the left-th time.
type failing struct {
	*bytes.Reader
	left int
}

func (f *failing) Seek(offset int64, whence int) (int64, error) {
	f.left--
	return f.Reader.Seek(offset, whence)
}

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 1 && f.Len() < int(f.Size()/2) {
		return 0, io.ErrUnexpectedEOF
	}
	return f.Reader.Read(p)
}
