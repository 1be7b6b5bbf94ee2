package registryd

import (
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/daemon"
)

func TestShownConfig_HasNoSecret(t *testing.T) {
	c := Default()
	c.AdminPassword = "pa55word"
	c.Stores["shared"] = StoreConfig{DSN: daemon.Secret("mysql:user:pa55word@tcp(db:3306)/x")}
	text := c.shown()
	if strings.Contains(text, "pa55word") || strings.Contains(text, "user:") && strings.Contains(text, "tcp(") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, want := range []string{"admin_password: '***'", "domain: wso2.governance.domain", "session_lifetime: 12h0m0s", "path: /_system/local"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown:\n%s", want, text)
		}
	}
}
