package console

import (
	"net/http"
	"net/url"

	"github.com/regent-registry/regent/pkg/registry"
)

// permissionsView is the matrix of roles and rights at a path, a form that gives access in one step, and why a user may do something there.
type permissionsView struct {
	head
	matrix

	ETag   string
	Rights []string
	Grant  grantView
	Error  string

	MakesRoles bool

	// The question about a user, when it was asked.
	User    string
	Answers []rightAnswer
}

// rightAnswer is whether a user has a right, and why.
type rightAnswer struct {
	Right string
	registry.Explanation
}

// permissionRights are the rights in the order of the columns.
func permissionRights() []string { return registry.AllRights.Names() }

func (c *console) permissions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	return c.showPermissions(w, r, a, nil)
}

// choosePermissions leads from the box above the matrix to the page of what was typed there.
func (c *console) choosePermissions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, _, err := registry.ParseRef(locationOf(r.URL.Query().Get("to")))
	if err == nil {
		_, err = c.Service.Get(r.Context(), a, p, registry.Freshness{})
	}
	if err != nil {
		return err
	}
	redirect(w, link("permissions", p))
	return nil
}

// showPermissions renders the page; after a refusal with what the form had.
func (c *console) showPermissions(w http.ResponseWriter, r *http.Request, a registry.Actor, failed error) error {
	res, err := c.find(r, a)
	if err != nil {
		return err
	}
	perms, err := c.Service.Permissions(r.Context(), a, res.Path)
	if err != nil {
		return err
	}
	v := permissionsView{
		head: c.headOf(r, res, "permissions", res.Version), ETag: perms.ETag, Rights: permissionRights(), MakesRoles: a.Holds(registry.GrantUsers),
		matrix: matrixOf(perms, r.URL.Query(), r.PostForm), Grant: grantOf(r.PostForm),
	}
	if len(perms.Roles) <= matrixPage {
		v.Grant.Names = perms.Roles
	}
	if failed == nil {
		failed = c.why(r, a, res.Path, &v)
	}
	var status int
	v.Error, status = c.outcome(r, a, failed)
	return c.show(w, r, a, status, "permissions", c.say("Permissions of %s", v.Name()), v.head, v)
}

// why answers the question that the address has, if any: what a user may do here.
func (c *console) why(r *http.Request, a registry.Actor, p registry.Path, v *permissionsView) error {
	v.User = r.URL.Query().Get("user")
	if v.User == "" || r.Method != http.MethodGet {
		return nil
	}
	for right := registry.RightRead; right <= registry.RightAuthorize; right++ {
		x, err := c.Service.Explain(r.Context(), a, p, v.User, right)
		if err != nil {
			v.Answers = nil
			return err
		}
		x.Reason = x.ReasonIn(c.Texts.Text)
		v.Answers = append(v.Answers, rightAnswer{right.String(), x})
	}
	return nil
}

// setPermissions changes the entries of a path as one of the page's two forms says: cell by cell, or access for one role.
func (c *console) setPermissions(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	if err := c.changePermissions(r, a, p); err != nil {
		return c.showPermissions(w, r, a, err)
	}
	address := link("permissions", p)
	q := url.Values{}
	for _, name := range []string{"q", "all", "from"} { // the part of the matrix that was looked at
		if text := r.PostForm.Get(name); text != "" && r.PostForm.Get("do") != doGrant {
			q.Set(name, text)
		}
	}
	q.Set("note", "permissions-saved")
	redirect(w, address+"?"+q.Encode())
	return nil
}

func (c *console) changePermissions(r *http.Request, a registry.Actor, p registry.Path) error {
	form := r.PostForm
	entries, err := entriesOf(form)
	if err != nil {
		return err
	}
	if form.Get("do") == doGrant || form.Has("part") { // what the form does not speak of stays
		now, err := c.Service.Permissions(r.Context(), a, p)
		if err != nil {
			return err
		}
		if err := ifMatch(r).CheckTag("the permissions of "+p.String(), now.ETag); err != nil {
			return err
		}
		condition := registry.Precondition{Match: []string{now.ETag}} // nobody may come between this read and the change
		if form.Get("do") == doGrant {
			entries, err = grantOf(form).apply(now)
		} else {
			entries, err = merge(now.Entries, entries, form["part"]), nil
		}
		if err == nil {
			_, err = c.Service.SetPermissions(r.Context(), a, p, entries, condition)
		}
		return err
	}
	_, err = c.Service.SetPermissions(r.Context(), a, p, entries, ifMatch(r))
	return err
}
