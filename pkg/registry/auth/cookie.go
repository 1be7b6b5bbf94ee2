package auth

import (
	"net/http"
	"time"
)

// The session cookie has a name for each scheme: over https the prefix makes browsers refuse one that another host, path or plain http set;
// over http browsers would not keep a cookie of that name at all.
const (
	secureCookie = "__Host-regent_session"
	plainCookie  = "regent_session"
)

func cookieName(r *http.Request) string {
	if r.URL.Scheme == "https" {
		return secureCookie
	}
	return plainCookie
}

// SessionToken is the session token that a request carries, "" when it carries none. It tells nothing about whether the session exists.
func SessionToken(r *http.Request) string {
	c, err := r.Cookie(cookieName(r))
	if err != nil {
		return ""
	}
	return c.Value
}

// SetCookie hands a session token to the browser, until expires. r.URL.Scheme must be the scheme that the client used.
func SetCookie(w http.ResponseWriter, r *http.Request, token string, expires time.Time) {
	writeCookie(w, r, token, expires, 0)
}

// ClearCookie makes the browser forget its session token.
func ClearCookie(w http.ResponseWriter, r *http.Request) {
	writeCookie(w, r, "", time.Time{}, -1)
}

func writeCookie(w http.ResponseWriter, r *http.Request, value string, expires time.Time, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the client came over https
		Name: cookieName(r), Value: value, Expires: expires, MaxAge: maxAge,
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.URL.Scheme == "https",
	})
}
