package console

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// backupView is what the backup page shows.
type backupView struct {
	Stores []string
	Error  string
}

func (c *console) backup(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	stores, err := c.Service.Backups(a)
	if err != nil {
		return err
	}
	f := c.frame(r, a, c.say("Backup"))
	f.Section, f.Page = "backup", backupView{Stores: stores}
	return c.render(w, http.StatusOK, "backup", f)
}

// downloadBackup streams a backup as it is made. It is a POST, since it costs much; nothing is changed.
func (c *console) downloadBackup(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	if err := readForm(w, r, formLimit); err != nil {
		return err
	}
	store := r.PostForm.Get("store")
	out := &download{ResponseWriter: w, name: fmt.Sprintf("registry-%s-%s.tar.gz", store, c.Now().UTC().Format("20060102T150405Z"))}
	sum, err := c.Service.Backup(r.Context(), a, store, out, c.version(r))
	if err != nil && out.begun {
		c.logFault(r, a, err)
		panic(http.ErrAbortHandler) // half a backup must not look like a whole one
	}
	if err == nil {
		c.Logger.InfoContext(r.Context(), "a backup was downloaded", "store", sum.Store, "user", a.User, "seq", sum.Seq, "request_id", requestID(r))
	}
	return err
}

func (c *console) version(r *http.Request) string {
	if c.Server == nil {
		return ""
	}
	return c.Server(r.Context()).Version
}

// download is an answer that becomes one with its first byte: before that a page can say what is wrong.
type download struct {
	http.ResponseWriter
	name  string
	begun bool
}

// Write implements [io.Writer].
func (d *download) Write(p []byte) (int, error) {
	if !d.begun {
		d.begun = true
		d.Header().Set("Content-Type", "application/gzip")
		d.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
	}
	return d.ResponseWriter.Write(p)
}
