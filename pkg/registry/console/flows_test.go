package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

const pay registry.Path = "/_system/governance/apis/pay/openapi.yaml"

func TestSignIn_LeadsToNextAndOut(t *testing.T) {
	s := newSite(t)
	b := s.visitor()
	b.get("/console/browse/_system/governance?cursor=YQ").wantRedirect("/console/sign-in?next=%2Fconsole%2Fbrowse%2F_system%2Fgovernance%3Fcursor%3DYQ")
	page := b.get("/console/sign-in?next=%2Fconsole%2Fbrowse%2F_system%2Fgovernance%3Fcursor%3DYQ").wantStatus(http.StatusOK)
	r := b.post("/console/sign-in", "user", adminName, "password", adminPassword, "next", page.field("next"))
	r.wantRedirect("/console/browse/_system/governance?cursor=YQ")
	cookie := r.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Errorf("session cookie is %v", cookie)
	}
	b.get("/console/browse/").wantStatus(http.StatusOK)
	b.get("/console/sign-in").wantRedirect("/console/")

	b.get("/console/sign-out").wantStatus(http.StatusMethodNotAllowed)
	b.post("/console/sign-out").wantRedirect("/console/sign-in?note=signed-out")
	b.get("/console/sign-in?note=signed-out").wantText("You are signed out.")
	b.get("/console/browse/").wantStatus(http.StatusSeeOther)
}

func TestSignIn_EndsTheSessionOnTheServer(t *testing.T) {
	s := newSite(t)
	b := s.visitor()
	token := b.post("/console/sign-in", "user", adminName, "password", adminPassword).Cookies()[0]
	b.post("/console/sign-out")
	thief := s.visitor()
	thief.header.Set("Cookie", token.Name+"="+token.Value)
	thief.get("/console/browse/").wantStatus(http.StatusSeeOther)
}

func TestSignIn_SaysTheSameForWrongUserAndWrongPassword(t *testing.T) {
	s := newSite(t)
	wrong := s.visitor().post("/console/sign-in", "user", adminName, "password", "wrong password").wantStatus(http.StatusUnauthorized)
	unknown := s.visitor().post("/console/sign-in", "user", "nobody", "password", adminPassword).wantStatus(http.StatusUnauthorized)
	wrong.wantText("User or password is wrong.", "a new password")
	if a, b := wrong.text(), unknown.text(); a != b {
		t.Errorf("the two pages differ:\n%s\n%s", a, b)
	}
	if len(wrong.Cookies()) > 0 {
		t.Error("a failed sign-in sets a cookie")
	}
}

// The super tenant's domain is no part of the name, in the pages and in the list of accesses either; another domain is a wrong user.
func TestSignIn_TakesTheSuperTenant(t *testing.T) {
	s := newSite(t)
	b := s.visitor()
	b.post("/console/sign-in", "user", adminName+"@Carbon.Super", "password", adminPassword).wantRedirect("/console/")
	page := b.get("/console/account").wantStatus(http.StatusOK)
	page.wantText(adminName)
	if strings.Contains(strings.ToLower(page.text()), "carbon.super") {
		t.Errorf("the account's page shows the domain:\n%s", page.text())
	}
	wrong := s.visitor().post("/console/sign-in", "user", adminName, "password", "wrong password").text()
	if other := s.visitor().post("/console/sign-in", "user", adminName+"@example.org", "password", adminPassword).wantStatus(http.StatusUnauthorized); other.text() != wrong {
		t.Errorf("another tenant is told\n%s\na wrong password\n%s", other.text(), wrong)
	}
}

func TestSignIn_NeverLeadsToAnotherSite(t *testing.T) {
	s := newSite(t)
	for _, next := range []string{
		"https://evil.example/", "//evil.example/", "/\\evil.example", "/console/\\evil", "javascript:alert(1)", "/elsewhere", "", "/console/../evil", "/console//evil.example",
	} {
		s.visitor().post("/console/sign-in", "user", adminName, "password", adminPassword, "next", next).wantRedirect("/console/")
	}
}

func TestGuard_RefusesFormsOfOtherSites(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	b := s.signedIn()
	for _, h := range []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"http://evil.example"}, "Sec-Fetch-Site": {""}},
		{"Origin": {s.url}, "Sec-Fetch-Site": {"same-site"}},
	} {
		b.header = h
		b.post("/console/edit"+string(pay), "etag", s.get(pay).ETag(), "text", "two").wantStatus(http.StatusForbidden).wantText("came from another site", testRequestID)
		b.upload("/console/upload/_system/governance", "x.txt", "x").wantStatus(http.StatusForbidden)
		b.post("/console/sign-in", "user", adminName, "password", adminPassword).wantStatus(http.StatusForbidden)
	}
	if got := s.content(pay); got != "one" {
		t.Errorf("content is %q", got)
	}
}

func TestSession_ExpiredKeepsTheDraft(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one\n")
	b := s.signedIn()
	form := b.get("/console/edit" + string(pay)).wantStatus(http.StatusOK)
	s.clock.advance(sessionLength)

	page := b.post("/console/edit"+string(pay), "etag", form.field("etag"), "newlines", "lf", "text", "\r\n<my> draft\r\n")
	page.wantStatus(http.StatusUnauthorized).wantText("Your session ended", "<my> draft")
	if got := s.content(pay); got != "one\n" {
		t.Errorf("content is %q", got)
	}
	if page.field("etag") != form.field("etag") {
		t.Error("the entity tag is lost")
	}
	b.post("/console/sign-in", "user", adminName, "password", adminPassword).wantRedirect("/console/")
	b.post("/console/edit"+string(pay), "etag", page.field("etag"), "newlines", page.field("newlines"), "text", strings.ReplaceAll(page.field("text"), "\n", "\r\n")).
		wantRedirect("/console/resource" + string(pay) + "?note=saved")
	if got := s.content(pay); got != "\n<my> draft\n" {
		t.Errorf("content is %q", got)
	}

	s.clock.advance(sessionLength)
	b.upload("/console/upload/_system/governance", "x.txt", "x").wantStatus(http.StatusUnauthorized).wantText("The file was not stored")
}

func TestUpload_StoresAndReplaces(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	const in = "/console/upload/_system/governance"
	b.get(in).wantStatus(http.StatusOK).wantText("Upload into governance", "At most 4 MiB")
	b.upload(in, "openapi.yaml", "openapi: 3.1.0\n", "name", "apis/pay/openapi.yaml", "description", "The pay API").wantRedirect("/console/resource" + string(pay) + "?note=uploaded")
	res := s.get(pay)
	if res.Meta.MediaType != "application/yaml" || res.Meta.Description != "The pay API" || res.UpdatedBy != adminName {
		t.Errorf("stored %+v", res)
	}

	b.upload(in, "x", "other", "name", "apis/pay/openapi.yaml").wantStatus(http.StatusPreconditionFailed).wantText("exists already", "Choose the file again")
	b.upload(in, "x", "other", "name", "apis/pay/openapi.yaml", "replace", "1").wantRedirect("/console/resource" + string(pay) + "?note=uploaded")
	if got := s.content(pay); got != "other" {
		t.Errorf("content is %q", got)
	}
	if got := s.get(pay).Meta.Description; got != "The pay API" {
		t.Errorf("description is %q", got)
	}

	b.upload(in, "plain name.bin", "\x00\x01", "name", "", "media_type", "").wantRedirect("/console/resource/_system/governance/plain%20name.bin?note=uploaded")
	b.upload(in, "", "").wantStatus(http.StatusBadRequest).wantText("No file was chosen")
	b.upload(in, "a;b.txt", "x").wantStatus(http.StatusBadRequest).wantText("has the character")
	b.post(in, "name", "x").wantStatus(http.StatusBadRequest).wantText("carries no file")
}

func TestUpload_NewVersionOnlyOfWhatWasSeen(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	b := s.signedIn()
	form := b.get("/console/upload" + string(pay)).wantText("Upload a new version of openapi.yaml")
	s.put(pay, "", "two")
	b.upload("/console/upload"+string(pay), "any.txt", "three", "etag", form.field("etag"), "media_type", form.field("media_type")).
		wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	if got := s.content(pay); got != "two" {
		t.Fatalf("content is %q", got)
	}
	form = b.get("/console/upload" + string(pay))
	b.upload("/console/upload"+string(pay), "any.txt", "three", "etag", form.field("etag"), "media_type", form.field("media_type")).
		wantRedirect("/console/resource" + string(pay) + "?note=uploaded")
	if got := s.get(pay); got.Version != 3 || got.Meta.MediaType != "application/yaml" {
		t.Errorf("stored %+v", got)
	}
}

func TestUpload_RefusesOverTheLimitAndCutOff(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	const in = "/console/upload/_system/governance"
	b.upload(in, "big.bin", strings.Repeat("x", contentLimit+1)).wantStatus(http.StatusRequestEntityTooLarge).wantText("4194304", "Choose the file again")
	b.upload(in, "bigger.bin", strings.Repeat("x", contentLimit+1<<20)).wantStatus(http.StatusRequestEntityTooLarge).wantText("Choose the file again")

	body, contentType := multipartForm(t, "cut.txt", strings.Repeat("x", 100_000))
	body.Truncate(body.Len() / 2)
	b.do(http.MethodPost, in, contentType, body).wantStatus(http.StatusBadRequest).wantText("was cut off before its end; this file was not stored")

	page, err := s.service.List(t.Context(), s.admin, "/_system/governance", "", 0, registry.Freshness{})
	must(t, err)
	if len(page.Entries) > 0 {
		t.Errorf("something was stored: %v", page.Entries)
	}
}

func TestEdit_KeepsBothTextsOnConflict(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "a\nb\n")
	b := s.signedIn()
	form := b.get("/console/edit" + string(pay)).wantStatus(http.StatusOK)
	if got := form.field("text"); got != "a\nb\n" {
		t.Fatalf("the form has %q", got)
	}
	s.put(pay, "", "a\ntheirs\n")

	page := b.post("/console/edit"+string(pay), "etag", form.field("etag"), "newlines", "lf", "text", "a\r\nmine\r\n")
	page.wantStatus(http.StatusPreconditionFailed).wantText("admin saved version 2", "theirs", "Save mine over version 2")
	if got := page.field("text"); got != "a\nmine\n" {
		t.Errorf("the draft is %q", got)
	}
	if got := s.content(pay); got != "a\ntheirs\n" {
		t.Errorf("content is %q", got)
	}
	// Somebody is faster once more: the page comes again instead of overwriting.
	s.put(pay, "", "a\nthird\n")
	page = b.post("/console/edit"+string(pay), "etag", page.field("etag"), "newlines", "lf", "text", page.field("text"))
	page.wantStatus(http.StatusPreconditionFailed).wantText("Save mine over version 3", "third")

	b.post("/console/edit"+string(pay), "etag", page.field("etag"), "newlines", "lf", "text", page.field("text")).wantRedirect("/console/resource" + string(pay) + "?note=saved")
	if got := s.content(pay); got != "a\nmine\n" {
		t.Errorf("content is %q", got)
	}
	b.post("/console/edit"+string(pay), "etag", s.get(pay).ETag(), "newlines", "lf", "text", "a\r\nmine\r\n").wantRedirect("/console/resource" + string(pay) + "?note=unchanged")
	if got := s.get(pay).Version; got != 4 {
		t.Errorf("version %d, want 4", got)
	}
}

func TestEdit_OfWhatWasDeletedKeepsTheDraft(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	b := s.signedIn()
	form := b.get("/console/edit" + string(pay))
	_, err := s.service.Delete(t.Context(), s.admin, pay, registry.Precondition{})
	must(t, err)
	page := b.post("/console/edit"+string(pay), "etag", form.field("etag"), "newlines", "lf", "text", "mine")
	page.wantStatus(http.StatusPreconditionFailed).wantText("somebody deleted " + string(pay))
	b.post("/console/edit"+string(pay), "etag", page.field("etag"), "newlines", "lf", "text", page.field("text")).wantRedirect("/console/resource" + string(pay) + "?note=saved")
	if got := s.content(pay); got != "mine" {
		t.Errorf("content is %q", got)
	}
}

func TestEdit_KeepsLineEnds(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for name, text := range map[string]string{"lf": "\na\nb", "crlf": "a\r\nb\r\n", "none": "a", "empty": ""} {
		p := registry.Path("/_system/governance/" + name + ".txt")
		s.put(p, "", text)
		form := b.get("/console/edit" + string(p)).wantStatus(http.StatusOK)
		// A browser sends every line end as CR LF.
		sent := strings.ReplaceAll(strings.ReplaceAll(form.field("text"), "\r\n", "\n"), "\n", "\r\n")
		b.post("/console/edit"+string(p), "etag", form.field("etag"), "newlines", form.field("newlines"), "text", sent).wantRedirect("/console/resource" + string(p) + "?note=unchanged")
		if got := s.content(p); got != text {
			t.Errorf("%s: content is %q, want %q", name, got, text)
		}
	}
}

func TestEdit_RefusesBinaryAndLarge(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	s.put("/_system/governance/bin.txt", "text/plain", "a\x00b")
	s.put("/_system/governance/large.txt", "text/plain", strings.Repeat("x\n", 600_000))
	for _, name := range []string{"bin.txt", "large.txt"} {
		b.get("/console/edit/_system/governance/" + name).wantStatus(http.StatusUnsupportedMediaType).wantText("cannot be edited here")
		if b.get("/console/resource/_system/governance/" + name).wantStatus(http.StatusOK).hasLink("/console/edit/_system/governance/" + name) {
			t.Errorf("%s has an Edit button", name)
		}
	}
	b.get("/console/resource/_system/governance/large.txt").wantText("Only the first")
	b.post("/console/edit"+"/_system/governance/new.txt", "text", strings.Repeat("x", 4<<20)).wantStatus(http.StatusRequestEntityTooLarge).wantText("store large contents with Upload")
}

func TestVersions_ViewAndRestore(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "first text")
	s.put(pay, "", "second text")
	b := s.signedIn()
	b.get("/console/versions"+string(pay)).wantText("current", "Restore…")
	b.get("/console/resource"+string(pay)+"?version=1").wantText("This is version 1; the current one is version 2.", "first text").wantNoText("second text")
	b.get("/console/resource" + string(pay) + "?version=3").wantStatus(http.StatusNotFound).wantText("has no version 3; the newest is 2")
	b.get("/console/resource" + string(pay) + "?version=x").wantStatus(http.StatusBadRequest)

	ask := b.get("/console/restore" + string(pay) + "?version=1").wantText("Restore version 1 of openapi.yaml?")
	s.put(pay, "", "third text")
	b.post("/console/restore"+string(pay), "version", "1", "etag", ask.field("etag")).wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this")
	ask = b.get("/console/restore" + string(pay) + "?version=1")
	b.post("/console/restore"+string(pay), "version", "1", "etag", ask.field("etag")).wantRedirect("/console/versions" + string(pay) + "?note=restored")
	if got := s.content(pay); got != "first text" {
		t.Errorf("content is %q", got)
	}
	b.get("/console/restore" + string(pay) + "?version=4").wantStatus(http.StatusBadRequest).wantText("nothing to restore")
}

func TestVersions_Pages(t *testing.T) {
	s := newSite(t)
	for i := range 55 {
		s.put(pay, "", fmt.Sprint("text ", i))
	}
	b := s.signedIn()
	first := b.get("/console/versions" + string(pay))
	if !first.hasLink("/console/versions" + string(pay) + "?before=6") {
		t.Fatal("no link to older versions")
	}
	b.get("/console/versions" + string(pay) + "?before=6").wantText("That is the oldest.")
}

func TestBrowse_Pages(t *testing.T) {
	s := newSite(t)
	for i := range registry.DefaultPageSize + 5 {
		s.put(registry.Path(fmt.Sprintf("/_system/governance/many/file-%03d.txt", i)), "", "x")
	}
	b := s.signedIn()
	page := b.get("/console/browse/_system/governance/many").wantText("file-000.txt", "file-099.txt").wantNoText("file-100.txt")
	var next string
	for n := range page.doc().Descendants() {
		if attr(n, "rel") == "next" {
			next = attr(n, "href")
		}
	}
	b.get(next).wantText("file-100.txt", "file-104.txt", "First page", "That is the last page.").wantNoText("file-099.txt")
	b.get("/console/browse/_system/governance/many?cursor=!").wantStatus(http.StatusBadRequest)
}

func TestDelete_ShowsWhatGoes(t *testing.T) {
	s := newSite(t)
	s.put("/_system/governance/apis/a.txt", "", "x")
	s.put("/_system/governance/apis/b.txt", "", "x")
	b := s.signedIn()
	ask := b.get("/console/delete/_system/governance/apis").wantText("Delete apis?", "2 entries", "a.txt", "b.txt")
	b.post("/console/delete/_system/governance/apis", "etag", ask.field("etag")).wantRedirect("/console/browse/_system/governance?note=deleted")
	b.get("/console/browse/_system/governance/apis").wantStatus(http.StatusNotFound)

	s.put(pay, "", "one")
	ask = b.get("/console/delete" + string(pay)).wantText("its one version")
	s.put(pay, "", "two")
	b.post("/console/delete"+string(pay), "etag", ask.field("etag")).wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this", "all its 2 versions")
	b.get("/console/delete/_system/governance").wantText("It cannot be deleted")
	b.post("/console/delete/_system/governance").wantStatus(http.StatusConflict).wantText("is a mount point")
}

func TestProperties_AddEditRemove(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	b := s.signedIn()
	const at = "/console/property" + string(pay)
	b.get("/console/properties" + string(pay)).wantText("No properties")
	form := b.get(at).wantText("Add property to openapi.yaml")
	b.post(at, "etag", form.field("etag"), "new", "1", "name", "owner", "value", "ann", "value", "bob\r\nand carol", "value", "", "value", "").
		wantRedirect("/console/properties" + string(pay) + "?note=property-saved")
	if got := s.get(pay).Meta.Properties["owner"]; len(got) != 2 || got[1] != "bob\nand carol" {
		t.Errorf("values are %q", got)
	}
	b.post(at, "etag", s.get(pay).ETag(), "new", "1", "name", "owner", "value", "x").wantStatus(http.StatusConflict).wantText("There is a property \"owner\" already")
	b.post(at, "new", "1", "name", " ", "value", "x").wantStatus(http.StatusBadRequest).wantText("needs a name")
	b.post(at, "new", "1", "name", strings.Repeat("n", 101), "value", "x").wantStatus(http.StatusBadRequest).wantText("Property name has 101 characters; the limit is 100")

	more := b.post(at, "etag", "\"x\"", "name", "owner", "value", "ann", "more", "1").wantStatus(http.StatusOK)
	if n := strings.Count(more.body, `name="value"`); n != 5 || more.field("etag") != "\"x\"" {
		t.Errorf("%d boxes, etag %s", n, more.field("etag"))
	}
	b.post(at, "etag", "\"stale\"", "name", "owner", "value", "dora").wantStatus(http.StatusPreconditionFailed).wantText("Somebody changed this", "dora")

	list := b.get("/console/properties"+string(pay)).wantText("owner", "ann", "and carol")
	b.post("/console/remove-property"+string(pay), "etag", list.field("etag"), "name", "owner").wantRedirect("/console/properties" + string(pay) + "?note=property-removed")
	b.get("/console/properties" + string(pay)).wantText("No properties")
	b.get("/console/properties"+string(pay)+"?version=2").wantText("owner", "ann")
}

func TestDescribe_ChangesMetadata(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	b := s.signedIn()
	form := b.get("/console/describe" + string(pay))
	b.post("/console/describe"+string(pay), "etag", form.field("etag"), "description", "Pay\r\nAPI", "media_type", "nonsense").
		wantStatus(http.StatusBadRequest).wantText("not of the form type/subtype", "Pay API")
	b.post("/console/describe"+string(pay), "etag", form.field("etag"), "description", "Pay\r\nAPI", "media_type", "text/plain").
		wantRedirect("/console/details" + string(pay) + "?note=described")
	if got := s.get(pay).Meta; got.Description != "Pay\nAPI" || got.MediaType != "text/plain" {
		t.Errorf("metadata is %+v", got)
	}
	b.get("/console/details"+string(pay)).wantText(publicHTTPS+"/registry/resource"+string(pay), publicHTTP+"/registry/resource"+string(pay), "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed")
	b.post("/console/describe/_system/governance", "description", "All of it").wantRedirect("/console/details/_system/governance?note=described")
}

func TestCreate_CollectionAndText(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	const in = "/_system/governance"
	b.get("/console/new-collection" + in).wantStatus(http.StatusOK)
	b.post("/console/new-collection"+in, "name", "apis/pay", "description", "Pay").wantRedirect("/console/browse/_system/governance/apis/pay?note=created")
	b.post("/console/new-collection"+in, "name", "apis").wantStatus(http.StatusPreconditionFailed).wantText("/_system/governance/apis exists already")
	b.post("/console/new-collection"+in, "name", "").wantStatus(http.StatusBadRequest).wantText("It needs a name")
	b.post("/console/new-collection"+in, "name", "..").wantStatus(http.StatusBadRequest)

	b.get("/console/new-text" + in).wantStatus(http.StatusOK)
	b.post("/console/new-text"+in, "name", "apis/pay/openapi.yaml", "text", "openapi: 3.1.0\r\n").wantRedirect("/console/resource" + string(pay) + "?note=created")
	if got := s.content(pay); got != "openapi: 3.1.0\n" {
		t.Errorf("content is %q", got)
	}
	b.post("/console/new-text"+in, "name", "apis/pay/openapi.yaml", "text", "my <b>draft</b>").wantStatus(http.StatusPreconditionFailed).wantText("exists already", "my <b>draft</b>")
	b.post("/console/new-text"+in, "name", "notes", "text", "x").wantRedirect("/console/resource/_system/governance/notes?note=created")
	if got := s.get("/_system/governance/notes").Meta.MediaType; got != "text/plain" {
		t.Errorf("media type is %q", got)
	}
	b.get("/console/new-text" + string(pay)).wantStatus(http.StatusConflict).wantText("only a collection takes new entries")
}

func TestMounts_ReadOnlyAndVirtualTakeNoChanges(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, p := range []string{"/", "/_system", "/_system/archive"} {
		page := b.get("/console/browse" + p).wantStatus(http.StatusOK)
		if strings.Contains(page.body, "/console/upload") || strings.Contains(page.body, "/console/new-") {
			t.Errorf("%s offers changes", p)
		}
	}
	b.get("/console/browse/_system").wantText("governance", "mount", "config", "local", "archive")
	b.upload("/console/upload/_system/archive", "x.txt", "x").wantStatus(http.StatusForbidden).wantText("is read-only")
	b.post("/console/new-collection/", "name", "x").wantStatus(http.StatusConflict).wantText("No store is mounted")
}

func TestJump_OpensWhatWasTyped(t *testing.T) {
	s := newSite(t)
	s.put(pay, "", "one")
	s.put(pay, "", "two")
	b := s.signedIn()
	const resource = "/console/resource" + string(pay)
	for typed, want := range map[string]string{
		"/_system/governance":      "/console/browse/_system/governance",
		"_system/governance/":      "/console/browse/_system/governance",
		string(pay):                resource,
		string(pay) + ";version:1": resource + "?version=1",
		publicHTTPS + "/registry/resource" + string(pay):      resource,
		publicHTTP + "/resource/1.0.0/artifact" + string(pay): resource,
		"http://x/console/versions" + string(pay):             resource,
		"//_system/governance":                                "/console/browse/_system/governance",
		"/":                                                   "/console/browse/",
	} {
		b.get("/console/go?to=" + strings.NewReplacer(";", "%3B").Replace(typed) + "+").wantRedirect(want)
	}
	page := b.get("/console/go?to=/_system/governance/nothing/here").wantStatus(http.StatusNotFound).wantText("Nothing is at /_system/governance/nothing/here", testRequestID)
	if !page.hasLink("/console/browse/_system/governance") {
		t.Error("no link to the nearest collection")
	}
	b.get("/console/go?to=/a/../b").wantStatus(http.StatusBadRequest)
}

func TestRedirects_FromOldAddresses(t *testing.T) {
	b := newSite(t).visitor()
	b.get("/").wantRedirect("/console/")
	b.get("/console").wantRedirect("/console/")
	b.get("/carbon").wantRedirect("/console/")
	b.get("/carbon/").wantRedirect("/console/")
	b.get("/carbon/admin/login.jsp").wantRedirect("/console/")
	b.get("/carbon/resources/resource.jsp?region=region3&path=/_system/governance/a%20b").wantRedirect("/console/browse/_system/governance/a%20b")
	b.get("/carbon/resources/resource.jsp?path=/a/../b").wantRedirect("/console/")
}

func TestTheme_IsACookie(t *testing.T) {
	b := newSite(t).signedIn()
	r := b.post("/console/theme", "theme", "dark", "next", "/console/cluster").wantRedirect("/console/cluster")
	if c := r.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("theme cookie is %v", c)
	}
	if page := b.get("/console/cluster"); !strings.Contains(page.body, `<html lang="en" data-theme="dark"`) {
		t.Error("the page is not dark")
	}
	b.post("/console/theme", "theme", "\"><script>", "next", "//evil.example/").wantRedirect("/console/")
	if page := b.get("/console/cluster"); !strings.Contains(page.body, `<html lang="en" data-zone=`) {
		t.Error("the theme is not back to the browser's")
	}
	b.header.Set("X-Test-Scheme", "https")
	if c := b.post("/console/theme", "theme", "dark").Cookies(); len(c) != 1 || !c[0].Secure || c[0].Name != "__Host-regent_theme" {
		t.Errorf("theme cookie over https is %v", c)
	}
}
