package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/regent-registry/regent/pkg/registry"
)

// The URL spaces of this door.
const (
	apiPrefix       = "/api/v1/"
	compatPrefix    = "/resource/1.0.0/"
	permalinkPrefix = "/registry/resource"

	contentURL  = apiPrefix + "content"
	resourceURL = apiPrefix + "resource"
	tagsURL     = apiPrefix + "tags"
	commentURL  = apiPrefix + "comment"
	artifactURL = compatPrefix + "artifact"
	usersURL    = apiPrefix + "users"
	rolesURL    = apiPrefix + "roles"
)

// route is one operation: a method on a URL, or, when the URL ends in "/{path}", on the URL of every resource below it. What ends in "/{name}" or
// "/{id}" is matched the same way.
type route struct {
	method string
	url    string
	serve  func(http.ResponseWriter, *call) error
	query  []string // the parameters it knows
}

// hasPath tells whether the URL ends in a path.
func (t route) hasPath() bool { return strings.HasSuffix(t.url, "/{path}") }

// table is the URL map but for WSO2's calls; see allRoutes. HEAD is served by GET, whose body then goes nowhere.
func (h *handler) table() []route {
	// version names the parameters that pick a state; see call.pick.
	version, page := []string{"version", "label", "at"}, []string{"cursor", "limit"}
	ofUser := []string{"user"}
	return []route{
		{"GET", "/api/v1/permissions/{path}", h.getPermissions, nil},
		{"PUT", "/api/v1/permissions/{path}", h.putPermissions, nil},
		{"GET", "/api/v1/explain/{path}", h.explain, []string{"right", "user"}},

		{"GET", usersURL, h.getUsers, []string{"after", "limit", "role"}},
		{"POST", usersURL, h.postUser, nil},
		{"GET", usersURL + "/{name}", h.getUser, nil},
		{"PATCH", usersURL + "/{name}", h.patchUser, nil},
		{"DELETE", usersURL + "/{name}", h.deleteUser, nil},
		{"PUT", "/api/v1/passwords/{name}", h.putPassword, nil},
		{"POST", "/api/v1/password", h.postPassword, nil},
		{"GET", rolesURL, h.getRoles, nil},
		{"POST", rolesURL, h.postRole, nil},
		{"GET", rolesURL + "/{name}", h.getRole, nil},
		{"PATCH", rolesURL + "/{name}", h.patchRole, nil},
		{"DELETE", rolesURL + "/{name}", h.deleteRole, nil},
		{"GET", "/api/v1/tokens", h.getTokens, ofUser},
		{"POST", "/api/v1/tokens", h.postToken, nil},
		{"DELETE", "/api/v1/tokens/{id}", h.deleteToken, ofUser},
		{"GET", "/api/v1/sessions", h.getSessions, ofUser},
		{"DELETE", "/api/v1/sessions", h.deleteSessions, ofUser},
		{"DELETE", "/api/v1/sessions/{id}", h.deleteSession, ofUser},

		{"GET", contentURL + "/{path}", h.getContent, version},
		{"PUT", contentURL + "/{path}", h.putContent, nil},
		{"DELETE", contentURL + "/{path}", h.deleteContent, nil},

		{"GET", resourceURL + "/{path}", h.getResource, version},
		{"PUT", resourceURL + "/{path}", h.putCollection, nil},
		{"PATCH", resourceURL + "/{path}", h.patchResource, nil},
		{"DELETE", resourceURL + "/{path}", h.deleteResource, nil},

		{"GET", "/api/v1/properties/{path}", h.getProperties, version},
		{"PUT", "/api/v1/properties/{path}", h.putProperties, nil},

		{"GET", "/api/v1/children/{path}", h.getChildren, []string{"cursor", "limit", "sort", "total", "at"}},
		{"GET", "/api/v1/versions/{path}", h.getVersions, []string{"before", "limit"}},
		{"POST", "/api/v1/restore/{path}", h.restore, nil},
		{"POST", "/api/v1/restore-tree/{path}", h.restoreTree, nil},

		{"GET", checkpointsURL + "/{path}", h.getCheckpoints, nil},
		{"PUT", checkpointsURL + "/{path}", h.putCheckpoint, []string{"checkpoint"}},
		{"DELETE", checkpointsURL + "/{path}", h.deleteCheckpoint, []string{"checkpoint"}},

		{"GET", "/api/v1/diff/{path}", h.getDiff, []string{"from_version", "from_label", "from_at", "to", "to_version", "to_label", "to_at"}},

		{"GET", retentionURL + "/{path}", h.getRetention, nil},
		{"PUT", retentionURL + "/{path}", h.putRetention, nil},
		{"DELETE", retentionURL + "/{path}", h.deleteRetention, nil},
		{"POST", retentionURL + "/run", h.runRetention, nil},

		{"GET", labelsURL + "/{path}", h.getLabels, nil},
		{"PUT", labelsURL + "/{path}", h.putLabel, []string{"label"}},
		{"DELETE", labelsURL + "/{path}", h.deleteLabel, []string{"label"}},

		{"GET", tagsURL, h.getCloud, []string{"limit"}}, // before those with a path: the top collection's are at tags/
		{"GET", tagsURL + "/{path}", h.getTags, nil},
		{"POST", tagsURL + "/{path}", h.postTags, nil},
		{"DELETE", tagsURL + "/{path}", h.deleteTag, []string{"tag", "all"}},
		{"GET", "/api/v1/tagged", h.getTagged, []string{"tag", "cursor", "limit"}},
		{"GET", "/api/v1/comments/{path}", h.getComments, page},
		{"POST", "/api/v1/comments/{path}", h.postComment, nil},
		{"GET", commentURL + "/{path}", h.getComment, []string{"id"}},
		{"PUT", commentURL + "/{path}", h.putComment, []string{"id"}},
		{"DELETE", commentURL + "/{path}", h.deleteComment, []string{"id"}},
		{"GET", "/api/v1/ratings/{path}", h.getRating, nil},
		{"PUT", "/api/v1/ratings/{path}", h.putRating, nil},
		{"DELETE", "/api/v1/ratings/{path}", h.deleteRating, nil},
		{"GET", "/api/v1/stars", h.getStars, []string{"limit"}}, // before those with a path, as the tags
		{"GET", "/api/v1/stars/{path}", h.getStar, nil},
		{"PUT", "/api/v1/stars/{path}", h.putStar, nil},
		{"DELETE", "/api/v1/stars/{path}", h.deleteStar, nil},
		{"GET", "/api/v1/associations/{path}", h.getAssociations, []string{"direction", "type", "cursor", "limit"}},
		{"POST", "/api/v1/associations/{path}", h.postAssociation, nil},
		{"DELETE", "/api/v1/associations/{path}", h.deleteAssociation, []string{"type", "target"}},
		{"GET", "/api/v1/dependencies/{path}", h.getDependencies, []string{"type", "depth", "limit"}},
		{"GET", "/api/v1/impact/{path}", h.getImpact, []string{"type", "depth", "limit"}},
		{"GET", "/api/v1/dependents/{path}", h.getDependents, nil},
		{"POST", "/api/v1/move/{path}", h.move, nil},
		{"POST", "/api/v1/copy/{path}", h.copy, nil},
		{"GET", linkURL + "/{path}", h.getLink, nil},
		{"PUT", linkURL + "/{path}", h.putLink, nil},
		{"GET", trashURL + "/{path}", h.getTrash, page},
		{"DELETE", trashURL + "/{path}", h.purge, []string{"id", "older_than"}},
		{"POST", "/api/v1/undelete/{path}", h.undelete, nil},
		{"POST", "/api/v1/batch", h.batch, nil},
		{"GET", "/api/v1/search", h.getSearch, []string{"q", "cursor", "limit"}},
		{"GET", "/api/v1/searches", h.getSaved, nil},
		{"PUT", "/api/v1/searches", h.putSaved, []string{"name"}},
		{"DELETE", "/api/v1/searches", h.deleteSaved, []string{"name"}},
		{"GET", "/api/v1/activity/{path}", h.getActivity, []string{
			"only", "store", "user", "action", "since", "until", "from", "to", "cursor", "limit", "format",
		}},
		{"GET", "/api/v1/watch/{path}", h.getWatch, []string{"from", "only", "store", "wait"}},
		{"GET", "/api/v1/accesses", h.getAccesses, page},

		{"GET", "/api/v1/mounts", h.getMounts, nil},
		{"GET", "/api/v1/doctor", h.getDoctor, nil},
		{"GET", "/api/v1/whoami", h.whoami, nil},
		{"GET", "/api/v1/openapi.json", h.getDocument, nil},

		{"GET", permalinkPrefix + "/{path}", h.getPermalink, version},
	}
}

// match tells whether the route serves an escaped URL path, and what follows the operation in it, still escaped.
func (t route) match(escaped string) (rest string, ok bool) {
	prefix, kind, below := strings.Cut(t.url, "/{")
	if !below {
		return "", escaped == t.url
	}
	rest, ok = strings.CutPrefix(escaped, prefix)
	// The root is a path, but no user has an empty name.
	return strings.TrimPrefix(rest, "/"), ok && (rest == "" && kind == "path}" || rest != "" && rest[0] == '/')
}

// find picks the route of a request. It is done by hand since [http.ServeMux] cleans paths and redirects before a handler sees them.
func (h *handler) find(method, escaped string) (route, string, error) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allow []string
	for _, t := range h.routes {
		rest, ok := t.match(escaped)
		switch {
		case ok && t.method == method:
			return t, rest, nil
		case ok && t.method == http.MethodGet:
			allow = append(allow, http.MethodGet, http.MethodHead)
		case ok:
			allow = append(allow, t.method)
		}
	}
	if len(allow) == 0 {
		return route{}, "", registry.Errorf(registry.CodeNotFound, "no operation has this URL; %sopenapi.json describes those there are", apiPrefix)
	}
	slices.Sort(allow)
	return route{}, "", methodNotAllowed(allow)
}
