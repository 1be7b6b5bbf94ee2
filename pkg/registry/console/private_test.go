package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console"
)

// changes are the links on the pages of a note.txt in /_system/local and of that collection that lead to a change.
var changes = map[string][]string{
	"/console/browse/_system/local": {
		"/console/upload/_system/local", "/console/new-text/_system/local", "/console/new-collection/_system/local", "/console/describe/_system/local",
	},
	"/console/resource/_system/local/note.txt": {
		"/console/edit/_system/local/note.txt", "/console/upload/_system/local/note.txt", "/console/delete/_system/local/note.txt",
	},
	"/console/details/_system/local/note.txt":            {"/console/describe/_system/local/note.txt"},
	"/console/properties/_system/local/note.txt":         {"/console/property/_system/local/note.txt"},
	"/console/resource/_system/local/note.txt?version=1": {"/console/restore/_system/local/note.txt?version=1"},
}

const notice = "This is kept by node-1 alone; the load balancer may send your next click to another node."

func withNote(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.put("/_system/local/note.txt", "", "old")
	s.put("/_system/local/note.txt", "", "new")
	return s
}

func TestPrivate_ThroughTheLoadBalancerOffersNoChange(t *testing.T) {
	s := withNote(t)
	b := s.signedIn()
	for address, links := range changes {
		r := b.get(address).wantStatus(http.StatusOK).wantText(notice).wantNoText("read-only")
		own, _, _ := strings.Cut(address, "?")
		for _, tab := range []string{"details", "properties"} {
			own = strings.Replace(own, "/console/"+tab+"/", "/console/resource/", 1)
		}
		if !r.hasLink(selfHTTPS + own) {
			t.Errorf("%s has no link to %s", address, selfHTTPS+own)
		}
		for _, link := range links {
			if r.hasLink(link) {
				t.Errorf("%s links to %s", address, link)
			}
		}
	}
	b.get("/console/delete/_system/local/note.txt").wantText(notice, "It cannot be deleted here: open it on the console of the node that keeps it.")
	b.get("/console/upload/_system/local").wantText(notice) // by its address; the form says it again

	// What others share says nothing, and offers all; the sidebar tells the difference everywhere.
	r := b.get("/console/browse/_system/config").wantText("local only on node-1").wantNoText(notice)
	if !r.hasLink("/console/upload/_system/config") {
		t.Error("the shared mount takes no upload")
	}

	// A form that was sent is still taken.
	b.post("/console/new-text/_system/local", "name", "more.txt", "text", "x").wantRedirect("/console/resource/_system/local/more.txt?note=created")
	// At another node it is missing.
	const elsewhere = "Every node keeps this part of the registry for itself, and this is node-1."
	b.get("/console/resource/_system/local/theirs.txt?note=created").wantStatus(http.StatusNotFound).wantText(elsewhere)
	b.get("/console/go?to=_system/local/theirs.txt").wantStatus(http.StatusNotFound).wantText(elsewhere)
	b.get("/console/resource/_system/config/theirs.txt").wantStatus(http.StatusNotFound).wantNoText(elsewhere)
}

func TestPrivate_OnTheNodesOwnConsoleWorksAsAnywhere(t *testing.T) {
	s := withNote(t)
	b := s.signedIn()
	b.header.Set("X-Test-Host", selfHost)
	for address, links := range changes {
		r := b.get(address).wantStatus(http.StatusOK).wantNoText(notice)
		for _, link := range links {
			if !r.hasLink(link) {
				t.Errorf("%s does not link to %s", address, link)
			}
		}
	}
	b.get("/console/resource/_system/local/theirs.txt").wantStatus(http.StatusNotFound).wantNoText("Every node keeps")
}

// Without an address of its own, a node cannot tell who comes directly: it warns, and takes nothing away.
func TestPrivate_WithoutAnOwnAddressOnlyWarns(t *testing.T) {
	s := withNote(t)
	var err error
	s.handler, err = console.New(console.Config{
		Service: s.service, Auth: s.auth, Node: "node-1", Now: s.clock.Now, Private: []registry.Path{"/_system/local"},
	})
	must(t, err)
	r := s.signedIn().get("/console/browse/_system/local").wantText(notice + " Open the console of node-1 itself to work here.")
	if !r.hasLink("/console/upload/_system/local") {
		t.Error("no link to the upload form")
	}
}

func TestNew_RefusesAnOwnAddressThatIsNone(t *testing.T) {
	s := newSite(t)
	for _, address := range []string{"node3:9446", "http://node3:9446", "https://", "https://:9446", "https://node3:port"} {
		if _, err := console.New(console.Config{Service: s.service, Auth: s.auth, SelfHTTPS: address}); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
	if _, err := console.New(console.Config{Service: s.service, Auth: s.auth, SelfHTTPS: "https://[::1]:9446/"}); err != nil {
		t.Error(err)
	}
}

func TestCreate_RefusesPlacesWithoutAStoreAtOnce(t *testing.T) {
	s := newSite(t)
	b := s.signedIn()
	for _, form := range []string{"upload", "new-text", "new-collection"} {
		for _, place := range []string{"/", "/_system"} {
			want := "No store is mounted at or above " + place + ", so nothing can be created there; open a mount below it."
			b.get("/console/" + form + place).wantStatus(http.StatusConflict).wantText(want)
		}
	}
	for _, place := range []string{"/console/browse/", "/console/browse/_system"} {
		r := b.get(place).wantStatus(http.StatusOK)
		for _, form := range []string{"upload", "new-text", "new-collection"} {
			if link := strings.Replace(place, "browse", form, 1); r.hasLink(link) {
				t.Errorf("%s links to %s", place, link)
			}
		}
	}
}
