package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// candidate is a place that may hold the administrator's password.
type candidate struct{ where, password string }

// candidates are the configured password and those that nodes made at some first start, perhaps of another database.
func (c *cluster) candidates() (found []candidate) {
	if p := lookup(c.environ, "REGISTRY_ADMIN_PASSWORD"); p != "" {
		found = append(found, candidate{"the one in REGISTRY_ADMIN_PASSWORD", p})
	}
	for _, node := range nodes {
		file := filepath.Join(c.nodeState(node), "admin-password")
		if text, err := os.ReadFile(file); err == nil { // most nodes have none
			found = append(found, candidate{"in " + file, strings.TrimSpace(string(text))})
		}
	}
	return found
}

// whereThePasswordIs tells which of the candidates signs in; it never tells the password.
func (c *cluster) whereThePasswordIs(ctx context.Context, members []member) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client := newClient()
	defer client.CloseIdleConnections()
	var untried []string
	for _, try := range c.candidates() {
		switch ok, err := signsIn(ctx, client, members[0].addr(), c.adminUser, try.password); {
		case ok:
			return try.where
		case err != nil:
			untried = append(untried, try.where)
		}
	}
	if len(untried) > 0 {
		return strings.Join(untried, ", or ") + " (not tried)"
	}
	return "not known here: the account was made elsewhere, or its password was changed"
}

// signsIn asks the node at addr whether it knows the user by this password.
func signsIn(ctx context.Context, client *http.Client, addr, user, password string) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/v1/whoami", nil)
	if err != nil {
		return false, err
	}
	request.SetBasicAuth(user, password)
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return true, nil
	case http.StatusUnauthorized:
		return false, nil
	}
	return false, fmt.Errorf("the node answered %s", response.Status)
}
