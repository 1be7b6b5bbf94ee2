package registry

import "testing"

func TestServerView_NeedsTheGrant(t *testing.T) {
	mounts, err := NewMounts(Mount{Path: "/b", Target: "/b"}, Mount{Path: "/a", Target: "/x"})
	if err != nil {
		t.Fatal(err)
	}
	s := NewService(Config{Mounts: mounts, Authorizer: SignedIn{}, Limits: Limits{Content: 7}})
	if v, err := s.ServerView(Actor{User: "ann", Grants: GrantServer}); err != nil || len(v.Mounts) != 2 || v.Mounts[0].Path != "/a" || v.ContentLimit != 7 {
		t.Errorf("%+v, %v", v, err)
	}
	for _, a := range []Actor{{}, {User: "ann", Grants: GrantUsers}, {User: "ann", Grants: GrantServer, Scope: &Scope{}}} {
		if v, err := s.ServerView(a); CodeOf(err) != CodeDenied || v.Mounts != nil {
			t.Errorf("%+v sees %+v, %v", a, v, err)
		}
	}
}
