package console

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// link is the address of an operation on a resource: the operation first, the path last, each name escaped by itself.
func link(operation string, p registry.Path) string { return "/console/" + operation + escapePath(p) }

// permalink is the address of the raw content, below a base URL that may be "".
func permalink(base string, p registry.Path) string {
	return base + "/registry/resource" + escapePath(p)
}

func escapePath(p registry.Path) string {
	if p.IsRoot() {
		return "/"
	}
	var b strings.Builder
	for _, name := range p.Names() {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(name))
	}
	return b.String()
}

// query adds parameters, given as name, value, name, value…, to an address; parameters with empty values are left out.
func query(address string, pairs ...any) (template.URL, error) {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		var value string
		switch v := pairs[i+1].(type) {
		case string:
			value = v
		case int64:
			if v != 0 {
				value = strconv.FormatInt(v, 10)
			}
		}
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) > 0 {
		address += "?" + q.Encode()
	}
	return template.URL(address), nil //nolint:gosec // made of escaped parts above
}

// toPage ends a change: the browser goes on to a page that shows its result, with a note on top.
func toPage(w http.ResponseWriter, address, note string) {
	if note != "" {
		address += "?note=" + url.QueryEscape(note)
	}
	redirect(w, address)
}

// redirect answers 303 with a path as Location. http.Redirect would do the same but cleans the path.
func redirect(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// pageOf is the page that shows r: its entries or its content.
func pageOf(r registry.Resource) string {
	if r.Kind == registry.KindCollection {
		return link("browse", r.Path)
	}
	return link("resource", r.Path)
}

// pathOf reads the resource's path from the address.
func pathOf(r *http.Request) (registry.Path, error) { return registry.ParsePath(r.PathValue("path")) }

// versionOf reads the version parameter, of the form that was sent or of the address; 0 when there is none. Not FormValue: that reads a body of any
// size, and of any request.
func versionOf(r *http.Request) (int64, error) {
	if r.PostForm.Has("version") {
		return numberOf(r.PostForm.Get("version"), "version")
	}
	return numberOf(r.URL.Query().Get("version"), "version")
}

// refOf reads a resource's path from the address, and which state of it: by ";version:N" at the end of the path, or by parameter.
func refOf(r *http.Request) (registry.Path, registry.Pick, error) {
	p, n, err := registry.ParseRef(r.PathValue("path"))
	if err != nil {
		return "", registry.Pick{}, err
	}
	pick, err := pickOf(r)
	switch {
	case err != nil:
		return "", pick, err
	case pick.Version != 0 && n != 0 && pick.Version != n:
		return "", pick, registry.Errorf(registry.CodeInvalid, "the path names version %d and the query version %d", n, pick.Version)
	case n != 0:
		pick.Version = n
	}
	return p, pick, nil
}

// pickOf reads which state of a resource the parameters name: by version or by label.
func pickOf(r *http.Request) (registry.Pick, error) {
	n, err := versionOf(r)
	return registry.Pick{Version: n, Label: r.URL.Query().Get("label")}, err
}

func numberOf(text, field string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, registry.Errorf(registry.CodeInvalid, "%s is %q; it must be a whole number from 1 on", field, text)
	}
	return n, nil
}

// safeNext makes sure that the page to go to after sign-in is one of the console: nobody is sent to another site.
func safeNext(next string) string {
	const home = "/console/"
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(next, home) ||
		strings.ContainsAny(next, "\\\r\n\t") || checkRawPath(u.EscapedPath()) != nil {
		return home
	}
	return next
}
