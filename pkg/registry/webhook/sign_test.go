package webhook

import (
	"net/http"
	"testing"
	"time"
)

// The example of the Standard Webhooks' documentation.
func TestSign_IsTheStandardOne(t *testing.T) {
	const secret, id, body = "whsec_plJ3nmyCDGBKInavdOK15jsl", "msg_loFOjxBNrRLzqYUf", `{"event_type":"ping","data":{"success":true}}`
	at := time.Unix(1731705121, 0)
	got, err := Sign(secret, id, at, []byte(body))
	if want := "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="; err != nil || got != want {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
	header := func(id, at, signature string) http.Header {
		return http.Header{HeaderID: {id}, HeaderTimestamp: {at}, HeaderSignature: {signature}}
	}
	for name, c := range map[string]struct {
		h    http.Header
		body string
		now  time.Time
		ok   bool
	}{
		"right":         {header(id, "1731705121", got), body, at.Add(time.Minute), true},
		"of several":    {header(id, "1731705121", "v1,AAAA "+got), body, at, true},
		"other body":    {header(id, "1731705121", got), body + " ", at, false},
		"other id":      {header(id+"x", "1731705121", got), body, at, false},
		"other time":    {header(id, "1731705122", got), body, at, false},
		"no time":       {header(id, "", got), body, at, false},
		"old":           {header(id, "1731705121", got), body, at.Add(6 * time.Minute), false},
		"of the future": {header(id, "1731705121", got), body, at.Add(-6 * time.Minute), false},
		"none":          {header(id, "1731705121", ""), body, at, false},
	} {
		if err := Verify(secret, c.h, []byte(c.body), c.now, 5*time.Minute); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range []string{"", "plJ3nmyCDGBKInavdOK15jsl", "whsec_", "whsec_!", "whsec_c2hvcnQ="} {
		if _, err := Sign(wrong, id, at, nil); err == nil {
			t.Errorf("the secret %q was taken", wrong)
		}
	}
}
