package console

import "net/http"

// routes is the whole URL map.
func (c *console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, h) }
	page := func(pattern string, do action) { mux.Handle(pattern, c.signedIn(do)) }

	open("GET /{$}", c.toConsole)
	open("GET /carbon", c.toConsole)
	open("GET /carbon/{page...}", c.fromCarbon)
	open("GET /console", c.toConsole)
	open("GET "+staticPrefix+"{hash}/{file}", c.assets.serve)
	open("GET /console/sign-in", c.signInForm)
	open("POST /console/sign-in", c.signIn)
	open("POST /console/sign-out", c.signOut)
	open("POST /console/theme", c.setTheme)
	open("POST /console/zone", c.learnZone)

	c.placesRoutes(page)
	c.treeRoutes(page)
	c.resourceRoutes(page)
	c.communityRoutes(page)
	c.adminRoutes(page)
	return mux
}

// placesRoutes are the pages that lead to others: the first one, search, activity.
func (c *console) placesRoutes(page func(pattern string, do action)) {
	page("GET /console/{$}", c.home)
	page("GET /console/go", c.jump)
	page("GET /console/suggest", c.suggest)
	page("GET /console/search", c.search)
	page("POST /console/save-search", c.saveSearch)
	page("POST /console/forget-search", c.forgetSearch)
	page("GET /console/shortcuts", c.shortcuts)
	page("GET /console/starred", c.stars)
	page("POST /console/star/{path...}", c.setStar)
	page("GET /console/activity/{path...}", c.activity)
	page("GET /console/activity-csv/{path...}", c.activityCSV)
}

// treeRoutes are collections, and what changes the tree.
func (c *console) treeRoutes(page func(pattern string, do action)) {
	page("GET /console/browse/{path...}", c.browse)
	page("GET /console/tree/{path...}", c.branch)
	page("GET /console/checkpoints/{path...}", c.checkpoints)
	page("POST /console/checkpoint/{path...}", c.checkpoint)
	page("GET /console/restore-tree/{path...}", c.restoreTreeForm)
	page("POST /console/restore-tree/{path...}", c.restoreTree)
	page("GET /console/past/{path...}", c.past)
	page("GET /console/retention/{path...}", c.retention)
	page("POST /console/retention/{path...}", c.setRetention)
	page("GET /console/archive/{path...}", c.archive)
	page("GET /console/upload/{path...}", c.uploadForm)
	page("POST /console/upload/{path...}", c.upload)
	page("GET /console/new-collection/{path...}", c.newCollectionForm)
	page("POST /console/new-collection/{path...}", c.newCollection)
	page("GET /console/new-text/{path...}", c.newTextForm)
	page("POST /console/new-text/{path...}", c.newText)
	page("GET /console/new-from-url/{path...}", c.newFromURLForm)
	page("POST /console/new-from-url/{path...}", c.newFromURL)
	page("GET /console/delete/{path...}", c.deleteForm)
	page("POST /console/delete/{path...}", c.delete)
	page("POST /console/selection/{path...}", c.selection)
	page("GET /console/pick/{path...}", c.pick)
	page("GET /console/move/{path...}", c.moveForm)
	page("POST /console/move/{path...}", c.move)
	page("GET /console/new-link/{path...}", c.newLinkForm)
	page("POST /console/new-link/{path...}", c.newLink)
	page("GET /console/trash/{path...}", c.trash)
	page("POST /console/undelete/{path...}", c.undelete)
	page("POST /console/purge/{path...}", c.purge)
}

// resourceRoutes are what one resource or collection has by itself.
func (c *console) resourceRoutes(page func(pattern string, do action)) {
	page("GET /console/resource/{path...}", c.resource)
	page("GET /console/download/{path...}", c.download)
	page("GET /console/details/{path...}", c.details)
	page("GET /console/describe/{path...}", c.describeForm)
	page("POST /console/describe/{path...}", c.describe)
	page("GET /console/properties/{path...}", c.properties)
	page("GET /console/property/{path...}", c.propertyForm)
	page("POST /console/property/{path...}", c.property)
	page("POST /console/remove-property/{path...}", c.removeProperty)
	page("GET /console/versions/{path...}", c.versions)
	page("POST /console/label/{path...}", c.label)
	page("GET /console/diff/{path...}", c.diff)
	page("GET /console/restore/{path...}", c.restoreForm)
	page("POST /console/restore/{path...}", c.restore)
	page("GET /console/edit/{path...}", c.editForm)
	page("POST /console/edit/{path...}", c.edit)
	page("GET /console/permissions/{path...}", c.permissions)
	page("GET /console/permissions-of", c.choosePermissions)
	page("POST /console/permissions/{path...}", c.setPermissions)
}

// communityRoutes are what people say about resources, and how they belong together.
func (c *console) communityRoutes(page func(pattern string, do action)) {
	page("GET /console/community/{path...}", c.community)
	page("POST /console/tag/{path...}", c.addTags)
	page("POST /console/untag/{path...}", c.removeTag)
	page("POST /console/rate/{path...}", c.rate)
	page("POST /console/comment/{path...}", c.addComment)
	page("GET /console/edit-comment/{path...}", c.editCommentForm)
	page("POST /console/edit-comment/{path...}", c.editComment)
	page("POST /console/delete-comment/{path...}", c.deleteComment)
	page("GET /console/associations/{path...}", c.associations)
	page("POST /console/associate/{path...}", c.associate)
	page("POST /console/dissociate/{path...}", c.dissociate)
	page("GET /console/dependencies/{path...}", c.dependencies)
	page("GET /console/impact/{path...}", c.impact)
	page("GET /console/tags", c.tagCloud)
	page("GET /console/tagged", c.tagged)
}

// adminRoutes are users, one's own account, and the system.
func (c *console) adminRoutes(page func(pattern string, do action)) {
	page("GET /console/users", c.users)
	page("POST /console/users", c.newUser)
	page("GET /console/user", c.user)
	page("POST /console/user", c.changeUser)
	page("GET /console/roles", c.roles)
	page("POST /console/roles", c.changeRole)
	page("GET /console/account", c.account)
	page("POST /console/account/profile", c.setProfile)
	page("POST /console/account/display", c.setDisplay)
	page("POST /console/account/password", c.setPassword)
	page("POST /console/account/token", c.makeToken)
	page("POST /console/account/revoke-token", c.revokeToken)
	page("POST /console/account/end-session", c.endSession)
	page("GET /console/webhooks", c.webhooks)
	page("POST /console/webhooks", c.newWebhook)
	page("GET /console/webhook", c.webhook)
	page("POST /console/webhook", c.changeWebhook)
	page("GET /console/backup", c.backup)
	page("POST /console/backup", c.downloadBackup)
	page("GET /console/cluster", c.cluster)
	page("GET /console/server", c.server)
	c.nodeRoutes(page)
	page("GET /console/doctor", c.doctor)
}
