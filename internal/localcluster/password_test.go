package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// node is a server that knows admin by one password; status is its answer to others.
func node(t *testing.T, password string, status int) member {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if r.URL.Path != "/api/v1/whoami" || user != "admin" {
			t.Errorf("asked for %s as %s", r.URL, user)
		}
		if given != password {
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	return member{Host: at.Hostname(), HTTPPort: port, State: "active"}
}

func TestCluster_NamesThePasswordThatSignsIn(t *testing.T) {
	state := t.TempDir()
	write := func(password string, at ...string) string {
		t.Helper()
		file := filepath.Join(append([]string{state}, append(at, "admin-password")...)...)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	old, current := write("old", "node1"), write("current", "node3")
	ofMySQL := write("of mysql", "mysql", "node2")

	for _, test := range []struct {
		name, password string
		refusal        int
		mysql          bool
		environ        []string
		want           string
	}{
		{"one of two files", "current", 401, false, nil, "in " + current},
		{"the file of the other store", "of mysql", 401, true, nil, "in " + ofMySQL},
		{"the file of this store only", "of mysql", 401, false, nil, "not known here: the account was made elsewhere, or its password was changed"},
		{"the variable", "set", 401, false, []string{"REGISTRY_ADMIN_PASSWORD=set"}, "the one in REGISTRY_ADMIN_PASSWORD"},
		{"the variable came too late", "old", 401, false, []string{"REGISTRY_ADMIN_PASSWORD=set"}, "in " + old},
		{"a node that cannot tell", "other", 503, false, nil, "in " + old + ", or in " + current + " (not tried)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(options{state: state, mysql: test.mysql, environ: test.environ, adminUser: "admin"}, &bytes.Buffer{})
			got := c.whereThePasswordIs(t.Context(), []member{node(t, test.password, test.refusal)})
			if got != test.want {
				t.Errorf("said %q, want %q", got, test.want)
			}
			if strings.Contains(got, "current ") || strings.HasSuffix(got, test.password) {
				t.Errorf("told the password: %q", got)
			}
		})
	}
}
