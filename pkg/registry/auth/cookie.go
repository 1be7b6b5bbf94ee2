package auth

import "net/http"

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

// SetCookie hands a session token to the browser, until it closes: how long the session lasts is the server's to say, and the client's clock may be
// wrong. r.URL.Scheme must be the scheme that the client used.
func SetCookie(w http.ResponseWriter, r *http.Request, token string) {
	writeCookie(w, r, token, 0)
}

// ClearCookie makes the browser forget its session token.
func ClearCookie(w http.ResponseWriter, r *http.Request) {
	writeCookie(w, r, "", -1)
}

func writeCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever the client came over https
		Name: cookieName(r), Value: value, MaxAge: maxAge,
		Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.URL.Scheme == "https",
	})
}
