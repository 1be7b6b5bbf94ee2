package registry

import "testing"

func TestPathPermissions_Effective(t *testing.T) {
	rw, w := RightsOf(RightRead, RightWrite), RightsOf(RightWrite)
	p := PathPermissions{
		PathEntries: PathEntries{"/a/b", []RoleEntry{{Role: "dev", Deny: w}, {Role: "ops", Allow: w}}},
		Inherited: []PathEntries{
			{"/a", []RoleEntry{{Role: "dev", Allow: rw}, {Role: "ops", Deny: rw}}},
			{"/", []RoleEntry{{Role: "everyone", Allow: RightsOf(RightRead)}, {Role: "ops", Allow: RightsOf(RightDelete)}}},
		},
	}
	for _, c := range []struct {
		role  string
		right Right
		own   Decision
		above Decision
	}{
		{"dev", RightWrite, Decision{"dev", false, "/a/b"}, Decision{"dev", true, "/a"}},
		{"dev", RightRead, Decision{"dev", true, "/a"}, Decision{"dev", true, "/a"}},
		{"ops", RightWrite, Decision{"ops", true, "/a/b"}, Decision{"ops", false, "/a"}},
		{"ops", RightDelete, Decision{"ops", true, "/"}, Decision{"ops", true, "/"}},
		{"everyone", RightRead, Decision{"everyone", true, "/"}, Decision{"everyone", true, "/"}},
		{"everyone", RightWrite, Decision{"everyone", false, ""}, Decision{"everyone", false, ""}},
		{"nobody", RightAuthorize, Decision{"nobody", false, ""}, Decision{"nobody", false, ""}},
	} {
		if got := p.Effective(c.role).Of(c.right); got != c.own {
			t.Errorf("%s %s: %+v, want %+v", c.role, c.right, got, c.own)
		}
		if got := p.Inherits(c.role).Of(c.right); got != c.above {
			t.Errorf("%s inherits %s: %+v, want %+v", c.role, c.right, got, c.above)
		}
	}
}
