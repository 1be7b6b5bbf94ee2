package e2e_test

import (
	"net/http"

	"github.com/regent-registry/regent/internal/e2e"
)

// leastRole is who may open a page that is not for everybody who may read what it is about. The sample of a comment is the administrator's.
var leastRole = map[string]string{
	"/console/upload/{path...}": "editor", "/console/new-collection/{path...}": "editor", "/console/new-text/{path...}": "editor", "/console/new-from-url/{path...}": "editor",
	"/console/new-link/{path...}": "editor", "/console/delete/{path...}": "editor", "/console/move/{path...}": "editor", "/console/restore-tree/{path...}": "editor",
	"/console/describe/{path...}": "editor", "/console/property/{path...}": "editor", "/console/restore/{path...}": "editor", "/console/edit/{path...}": "editor",
	"/console/edit-comment/{path...}": "admin", "/console/permissions/{path...}": "admin", "/console/permissions-of": "admin",
	"/console/users": "admin", "/console/user": "admin", "/console/roles": "admin", "/console/webhooks": "admin", "/console/backup": "admin", "/console/cluster": "admin",
	"/console/server": "admin", "/console/doctor": "admin", "/console/logs": "admin", "/console/metrics": "admin", "/console/jobs": "admin",
}

// ofCollections are the pages that only collections have.
var ofCollections = map[string]bool{
	"/console/browse/{path...}": true, "/console/tree/{path...}": true, "/console/checkpoints/{path...}": true, "/console/restore-tree/{path...}": true, "/console/past/{path...}": true,
	"/console/upload/{path...}": true, "/console/new-collection/{path...}": true, "/console/new-text/{path...}": true, "/console/new-from-url/{path...}": true,
	"/console/new-link/{path...}": true, "/console/pick/{path...}": true, "/console/trash/{path...}": true, "/console/retention/{path...}": true,
}

// seenElsewhere are addresses that cannot be opened as pages, with what uses them instead.
var seenElsewhere = map[string]string{
	"/console/download/{path...}": "a deed", "/console/archive/{path...}": "a deed", "/console/activity-csv/{path...}": "a deed", "/console/logs-text": "a deed",
	"/console/webhook": "the deeds with its id", "/console/events/{path...}": "scripts of pages", "/console/tree/{path...}": "a deed", "/console/pick/{path...}": "a deed", "/console/suggest": "a deed", "/console/sign-in": "every journey's begin",
}

// byScript are actions that only scripts do.
var byScript = map[string]bool{"/console/zone": true}

// elsewhere signs the user in with another browser.
func elsewhere(j *journey) {
	j.t.Helper()
	j.c.Visitor(true).SignIn(j.user, e2e.AdminPassword)
}

// deeds are all actions of the console, in an order in which each finds what it needs: {t} is the collection where all is done, {n} a name for what lies
// beside it.
var deeds = []deed{
	{who: "reader", first: []string{"details.user summary"}, press: "theme theme=dark", has: `html[data-theme=dark]`},
	{who: "reader", page: "resource{t}/doc.txt", press: "star", has: `main .star[aria-pressed=true]`},
	{who: "reader", page: "starred", press: "star", shows: "Nothing starred yet"},
	{who: "reader", page: "search?q=payments", fill: []string{"#name", "about payments"}, press: "save-search", shows: "Search saved."},
	{who: "reader", page: "search", press: "forget-search", shows: "Search forgotten."},
	{who: "reader", page: "community{t}/doc.txt", fill: []string{"#new-tags", "journey, mine"}, press: "tag", shows: "Tags added."},
	{who: "reader", page: "community{t}/doc.txt", press: "untag", of: "[name=tag][value=mine]", shows: "Tag removed."},
	{who: "reader", page: "community{t}/doc.txt", press: "rate rating=4", shows: "Rating saved."},
	{who: "reader", page: "community{t}/doc.txt", press: "rate rating=0", shows: "Rating saved."},
	{who: "reader", page: "community{t}/doc.txt", fill: []string{"#text", "Is it so?"}, press: "comment", shows: "Comment added."},
	{who: "reader", page: "community{t}/doc.txt", via: `a[href*="answer="]`, fill: []string{"#text", "It is."}, press: "comment", shows: "It is."},
	{who: "reader", page: "community{t}/doc.txt", via: `a[href^="/console/edit-comment/"]`, fill: []string{"#text", "Is it not so?"}, press: "edit-comment", shows: "Comment saved."},
	{who: "reader", page: "community{t}/doc.txt", press: "delete-comment", shows: "Comment deleted."},
	{who: "reader", page: "browse{t}", first: []string{"[name=name][value='doc.txt']"}, press: "selection do=tag", has: "#tags"},
	{who: "reader", fill: []string{"#tags", "chosen"}, press: "selection sure=1", shows: "Tags added."},
	{who: "reader", page: "browse{t}", first: []string{"[name=name][value='doc.txt']"}, press: "selection do=copy", has: "#to"},
	{who: "reader", press: "selection pick", has: ".picker", stays: true},
	{who: "reader", fill: []string{"#to", "{t}/inbox"}, press: "selection sure=1", shows: "Copied."},
	{who: "reader", page: "resource{t}/doc.txt", press: `a[href^="/console/download/"]`, saves: "doc"},
	{who: "reader", page: "browse{t}", first: []string{"main details.menu summary"}, press: `a[href^="/console/archive/"]`, saves: "{n}"},
	{who: "reader", page: "browse{t}", press: `[data-tree$="/apis/payments"] > .tree-toggle`, has: ".tree-none", stays: true, script: true},
	{who: "reader", page: "search", types: "{t}/kep", press: `.suggestions li[data-href$="/kept"]`, shows: "note.txt", script: true},
	{who: "reader", page: "activity{t}", press: `a[href^="/console/activity-csv/"]`, saves: "activity"},
	{who: "reader", page: "account", fill: []string{"#full_name", "Somebody of {n}"}, press: "account/profile", shows: "Profile saved."},
	{who: "reader", page: "account", fill: []string{"#zone", "Europe/Berlin"}, press: "account/display", shows: "Display saved"},
	{who: "reader", page: "account", fill: []string{"#token-name", "ci"}, press: "account/token", shows: "shown this once"},
	{who: "reader", page: "account", press: "account/revoke-token", shows: "Token revoked."},
	{who: "reader", before: elsewhere, page: "account", press: "account/end-session", of: "[name=id]", shows: "Session ended."},
	{who: "reader", before: elsewhere, page: "account", press: "account/end-session all=1", shows: "Session ended."},
	{who: "reader", page: "account", fill: []string{"#old", "{password}", "#new", "another horse", "#again", "another horse"}, press: "account/password", shows: "Password changed."},
	{who: "reader", page: "account", fill: []string{"#old", "another horse", "#new", "{password}", "#again", "{password}"}, press: "account/password", shows: "Password changed."},

	{who: "editor", page: "new-collection{t}", fill: []string{"#name", "sub"}, press: "new-collection", shows: "sub"},
	{who: "editor", page: "new-text{t}/sub", fill: []string{"#name", "text.txt"}, text: "a text\n", press: "new-text", shows: "a text"},
	{who: "editor", page: "edit{t}/sub/text.txt", text: "a better text\n", press: "edit", shows: "a better text"},
	{who: "editor", page: "upload{t}/sub", file: "up.txt", press: "upload", shows: "content of up.txt"},
	{who: "editor", page: "upload{t}/sub/up.txt", file: "again.txt", press: "upload", shows: "content of again.txt"},
	{who: "editor", page: "new-from-url{t}/sub", fill: []string{"#address", "{receiver}/x", "#name", "fetched.txt"}, press: "new-from-url", shows: "content from elsewhere"},
	{who: "editor", page: "new-link{t}/sub", press: "new-link pick", has: ".picker", stays: true},
	{who: "editor", page: "new-link{t}/sub", fill: []string{"#name", "link", "#target", "{t}/doc.txt"}, press: "new-link", shows: "Created."},
	{who: "editor", page: "describe{t}/sub/text.txt", fill: []string{"#description", "What it is for"}, press: "describe", shows: "Details saved."},
	{who: "editor", page: "property{t}/sub/text.txt", fill: []string{"#name", "owner", "[name=value]", "team"}, press: "property more=1", has: "[name=value] ~ [name=value]"},
	{who: "editor", press: "property", shows: "Property saved."},
	{who: "editor", page: "properties{t}/sub/text.txt", press: "remove-property", shows: "Property removed."},
	{who: "editor", page: "versions{t}/doc.txt", fill: []string{".labels-new [name=label]", "prod", ".labels-new [name=version]", "1"}, press: "label do=make", shows: "Label set."},
	{who: "editor", page: "versions{t}/doc.txt", fill: []string{"[name=label][value=prod] ~ label [name=version]", "2"}, press: "label do=move", shows: "Label set."},
	{who: "editor", page: "versions{t}/doc.txt", press: "label do=remove", shows: "Label removed."},
	{who: "editor", page: "versions{t}/sub/text.txt", via: `a[href^="/console/restore/"]`, press: "restore", shows: "Restored as a new version."},
	{who: "editor", page: "checkpoints{t}/sub", fill: []string{"#checkpoint", "before"}, press: "checkpoint do=make", shows: "Checkpoint made."},
	{who: "editor", before: func(j *journey) { put(j.t, j.c, j.names.Replace("{t}/sub/text.txt"), "worse\n") }, page: "checkpoints{t}/sub", via: `a[href^="/console/restore-tree/"]`, press: "restore-tree", shows: "Restored, with all below it."},
	{who: "editor", page: "checkpoints{t}/sub", press: "checkpoint do=remove", shows: "Checkpoint removed."},
	{who: "editor", page: "associations{t}/sub/text.txt", fill: []string{"#type", "depends", "#target", "{t}/doc.txt"}, press: "associate", shows: "Association added."},
	{who: "editor", page: "associations{t}/sub/text.txt", press: "dissociate", shows: "Association removed."},
	{who: "editor", page: "move{t}/sub/up.txt", press: "move pick", has: ".picker", stays: true},
	{who: "editor", page: "move{t}/sub/up.txt", fill: []string{"#new_path", "{t}/sub/copied.txt"}, press: "move do=copy", shows: "Copied."},
	{who: "editor", page: "move{t}/sub/copied.txt", fill: []string{"#new_path", "{t}/sub/moved.txt"}, press: "move do=move", shows: "Moved."},
	{who: "editor", page: "delete{t}/sub/moved.txt", press: "delete", shows: "Deleted."},
	{who: "editor", page: "trash{t}/sub", press: "undelete", shows: "Put back."},
	{who: "editor", before: func(j *journey) { erase(j, "{t}/sub/moved.txt") }, page: "trash{t}/sub", press: "purge", shows: "Deleted for good."},
	{who: "editor", page: "browse{t}/sub", first: []string{"[name=name][value='up.txt']"}, press: "selection do=copy", has: "#to", free: true},
	{who: "editor", fill: []string{"#to", "{t}/kept"}, press: "selection sure=1", shows: "Copied."},
	{who: "editor", page: "browse{t}/sub", first: []string{"[name=name][value='fetched.txt']"}, press: "selection do=move", has: "#to"},
	{who: "editor", press: "selection pick", has: ".picker", stays: true},
	{who: "editor", fill: []string{"#to", "{t}/kept"}, press: "selection sure=1", shows: "Moved."},
	{who: "editor", page: "browse{t}/kept", first: []string{"[name=name][value='fetched.txt']"}, press: "selection do=delete", shows: "Delete 1 entry"},
	{who: "editor", press: "selection sure=1", shows: "All of it is in the trash"},

	{who: "admin", page: "permissions{t}/kept", fill: []string{"#grant-role", "editors", "#grant-level", "write", "#grant-others", "read"}, press: "permissions do=grant", shows: "Permissions saved."},
	{who: "admin", page: "permissions{t}/kept", fill: []string{`[name="delete:editors"]`, "deny"}, press: "permissions", of: "[name=part]", shows: "Permissions saved."},
	{who: "editor", page: "retention{t}/sub", fill: []string{"#keep_last", "50"}, press: "retention do=set", shows: "Rule of retention set."},
	{who: "editor", page: "retention{t}/sub", press: "retention do=remove", shows: "Rule of retention removed."},
	{who: "admin", page: "roles", fill: []string{"#name", "crew-{n}"}, press: "roles do=create", shows: "Role created."},
	{who: "admin", page: "roles", press: "roles do=save", of: "[value='crew-{n}']", shows: "Role saved."},
	{who: "admin", page: "roles", press: "roles do=delete", of: "[value='crew-{n}']", shows: "Role removed."},
	{who: "admin", page: "users", fill: []string{"#name", "temp-{n}", "#password", "{password}"}, press: "users", shows: "User created."},
	{who: "admin", page: "user?name=temp-{n}", fill: []string{"#full_name", "Temporary"}, press: "user do=save", shows: "User saved."},
	{who: "admin", page: "user?name=temp-{n}", fill: []string{"#password", "another horse"}, press: "user do=password", shows: "User saved."},
	{who: "admin", page: "user?name=temp-{n}", press: "user do=sign-out", shows: "User saved."},
	{who: "admin", page: "user?name=temp-{n}", press: "user do=delete", shows: "User removed."},
	{who: "admin", page: "webhooks", fill: []string{"#name", "hook of {n}", "#url", "{receiver}/hook", "#path", "{t}"}, press: "webhooks", shows: "shown this once"},
	{who: "admin", page: "webhooks", via: `main a[href^="/console/webhook?"]`, press: "webhook do=test", shows: "The test was delivered."},
	{who: "admin", press: "webhook do=resend", shows: "Sent again, and delivered."},
	{who: "admin", press: "webhook do=secret", shows: "shown this once"},
	{who: "admin", press: "webhook do=save", shows: "Webhook saved."},
	{who: "admin", press: "webhook do=delete", shows: "Webhook removed"},
	{who: "admin", page: "backup", press: "backup", saves: "r"},
	{who: "admin", page: "logs", press: "log-level", shows: "Log level changed"},
	{who: "admin", page: "logs", press: `a[href^="/console/logs-text"]`, saves: "logs"},
	{who: "admin", page: "jobs", press: "run-job job", shows: "It is being run."},
	{who: "admin", page: "cluster", press: "drain do=drain", shows: "Drained: load balancers send it nothing new"},
	{who: "admin", page: "cluster", press: "drain do=undrain", shows: "Load balancers send it requests again."},
}

// erase deletes a resource by the API.
func erase(j *journey, path string) {
	j.t.Helper()
	path = j.names.Replace(path)
	if a, err := j.c.ThroughELB().Do(j.t.Context(), http.MethodDelete, "/api/v1/content"+path, nil); err != nil || a.Status >= 300 {
		j.t.Fatalf("delete %s: %v, status %d", path, err, a.Status)
	}
}
