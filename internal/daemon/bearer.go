package daemon

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
)

// leastToken is how many bytes a token has at least: shorter ones can be guessed.
const leastToken = 16

// ReadToken reads the token of an admin listener from the first line of a file.
func ReadToken(file string) (Secret, error) {
	token, err := ReadSecretFile(file)
	if err != nil {
		return "", err
	}
	if len(token) < leastToken {
		return "", fmt.Errorf("%s: the token has %d bytes; %d is the least", file, len(token), leastToken)
	}
	return token, nil
}

// Bearer guards a handler that changes something: requests need the token of the file (RFC 6750 section 2.1), and none may come from a page of another
// origin. Without a file nothing passes. The file is read for each request, so that a new token counts at once.
func Bearer(file string, next http.Handler) http.Handler {
	refuse := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, text, status)
	}
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file == "" {
			refuse(w, http.StatusForbidden, "changes by the admin listener are switched off: no token file is configured")
			return
		}
		token, err := ReadToken(file)
		if err != nil {
			refuse(w, http.StatusForbidden, "changes by the admin listener are switched off: the token file cannot be used")
			return
		}
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		want, got := sha256.Sum256([]byte(token.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(given)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", `Bearer realm="admin"`)
			refuse(w, http.StatusUnauthorized, "the token of the admin listener is missing or wrong")
			return
		}
		next.ServeHTTP(w, r)
	}))
}
