package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// Where people come from: the bare host, and the addresses of WSO2's console.

func (c *console) toConsole(w http.ResponseWriter, _ *http.Request) { redirect(w, "/console/") }

// fromCarbon leads old bookmarks to our page for the same thing; those we have no page for to the first one.
func (c *console) fromCarbon(w http.ResponseWriter, r *http.Request) {
	p, err := registry.ParsePath(r.URL.Query().Get("path"))
	if r.PathValue("page") == "resources/resource.jsp" && err == nil {
		redirect(w, link("browse", p))
		return
	}
	redirect(w, "/console/")
}
