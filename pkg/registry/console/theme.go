package console

import (
	"net/http"
	"time"
)

// The theme is a cookie, so that the first paint is right and no script is needed.

const themeLifetime = 365 * 24 * time.Hour

// themeCookie is the cookie's name. Browsers let a plain connection not replace a cookie of a secure one, so each has its own.
func themeCookie(r *http.Request) string {
	if r.URL.Scheme == "https" {
		return "__Host-regent_theme"
	}
	return "regent_theme"
}

// themeOf is the theme that the user chose: "light", "dark" or "".
func themeOf(r *http.Request) string {
	if ck, err := r.Cookie(themeCookie(r)); err == nil && (ck.Value == "light" || ck.Value == "dark") {
		return ck.Value
	}
	return ""
}

// setTheme remembers the theme; anything but light and dark goes back to what the browser prefers.
func (c *console) setTheme(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r, signInFormLimit); err != nil {
		c.fail(w, r, c.whoever(r), err)
		return
	}
	//nolint:gosec // Secure where the connection is; over plain HTTP a browser would drop such a cookie
	ck := &http.Cookie{
		Name: themeCookie(r), Value: r.PostForm.Get("theme"), Path: "/", MaxAge: int(themeLifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.URL.Scheme == "https",
	}
	if ck.Value != "light" && ck.Value != "dark" {
		ck.Value, ck.MaxAge = "", -1
	}
	http.SetCookie(w, ck)
	redirect(w, safeNext(r.PostForm.Get("next")))
}
