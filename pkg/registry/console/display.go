package console

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
)

// How pages look to one reader is in cookies, as the theme is: the zone of their times, and whether single keys do something.

const (
	zoneCookie = "zone" // a zone that was chosen, or after a ~ one that the browser told
	keysCookie = "keys" // "off" when single keys do nothing
	maxZone    = 64     // bytes of a zone's name
)

// display is how pages look to a reader.
type display struct {
	Zone   string // its name, as in "Europe/Berlin"
	Chosen bool   // the reader chose it; else the browser told it, or it is UTC
	Keys   bool   // single keys do something
	place  *time.Location
}

func displayOf(r *http.Request) display {
	d := display{Zone: "UTC", Keys: preference(r, keysCookie) != "off", place: time.UTC}
	name, learnt := strings.CutPrefix(preference(r, zoneCookie), "~")
	if place, ok := zoneOf(name); ok {
		d.Zone, d.Chosen, d.place = name, !learnt, place
	}
	return d
}

// zoneOf finds a zone of the time zone database.
func zoneOf(name string) (*time.Location, bool) {
	if name == "" || name == "Local" || len(name) > maxZone {
		return nil, false
	}
	place, err := time.LoadLocation(name)
	return place, err == nil
}

// preference reads a cookie, by the name without its prefix.
func preference(r *http.Request, name string) string {
	ck, err := r.Cookie(preferenceName(r, name))
	if err != nil {
		return ""
	}
	return ck.Value
}

// preferenceName is as [themeCookie].
func preferenceName(r *http.Request, name string) string {
	if r.URL.Scheme == "https" {
		return "__Host-regent_" + name
	}
	return "regent_" + name
}

// setPreference keeps a cookie; "" removes it.
func setPreference(w http.ResponseWriter, r *http.Request, name, value string) {
	//nolint:gosec // Secure where the connection is; over plain HTTP a browser would drop such a cookie
	ck := &http.Cookie{
		Name: preferenceName(r, name), Value: value, Path: "/", MaxAge: int(themeLifetime / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.URL.Scheme == "https",
	}
	if value == "" {
		ck.MaxAge = -1
	}
	http.SetCookie(w, ck)
}

// learnZone keeps the zone that the browser tells, unless its user chose one. A zone that this node does not know is not kept.
func (c *console) learnZone(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r, signInFormLimit); err != nil {
		c.fail(w, r, c.whoever(r), err)
		return
	}
	name := r.PostForm.Get("zone")
	if _, ok := zoneOf(name); ok && !displayOf(r).Chosen {
		setPreference(w, r, zoneCookie, "~"+name)
	}
	w.WriteHeader(http.StatusNoContent)
}

// setDisplay keeps what the user chose under My account. No zone is that of the browser.
func (c *console) setDisplay(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, signInFormLimit); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("zone"))
	if _, ok := zoneOf(name); !ok && name != "" {
		return c.showAccount(w, r, a, "", registry.Errorf(registry.CodeInvalid, "there is no time zone %q; write one like Europe/Berlin, or UTC", name))
	}
	setPreference(w, r, zoneCookie, name)
	off := "off"
	if r.PostForm.Get("keys") != "" {
		off = ""
	}
	setPreference(w, r, keysCookie, off)
	toPage(w, "/console/account", "display-saved")
	return nil
}

const timeTag = `<time datetime="`

// timesAt fills the times of a page in, for a reader in that place: how long ago each is, and exactly when. Templates do not know the reader, so they leave
// elements that have only the time itself. No text of a user can look like one, since < is escaped everywhere.
func (c *console) timesAt(page []byte, place *time.Location, now time.Time) []byte {
	var b bytes.Buffer
	b.Grow(len(page) + len(page)/8)
	for {
		before, rest, found := bytes.Cut(page, []byte(timeTag))
		b.Write(before)
		if !found {
			return b.Bytes()
		}
		stamp, after, _ := bytes.Cut(rest, []byte(`">`))
		t, err := time.Parse(time.RFC3339, string(stamp))
		if err != nil { // not of formatTime
			b.WriteString(timeTag)
			page = rest
			continue
		}
		local := t.In(place)
		text := c.relative(local, now)
		if bytes.ContainsRune(stamp, '.') { // of formatMoment
			text = local.Format("2006-01-02 15:04:05.000")
		}
		fmt.Fprintf(&b, `%s%s" title="%s">%s`, timeTag, stamp, exactTime(local), html.EscapeString(text))
		page = after
	}
}

// exactTime writes a time with its zone: its abbreviation, and its name where that says more.
func exactTime(t time.Time) string {
	text := t.Format("2006-01-02 15:04:05 MST")
	if name := t.Location().String(); name != "UTC" {
		text += " (" + name + ")"
	}
	return text
}
