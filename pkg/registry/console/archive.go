package console

import (
	"archive/zip"
	"cmp"
	"compress/flate"
	"context"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

const (
	maxArchiveEntries = 10_000  // of one archive
	maxArchiveBytes   = 1 << 30 // of the contents in it
)

// archived is one entry of an archive: its name there, which ends with a slash for a collection, and what it is.
type archived struct {
	name string
	registry.Resource
}

// archivePlaces are the names of an archive's entries by their paths, and those that are taken, in small letters.
type archivePlaces struct {
	of    map[registry.Path]string
	taken map[string]bool
}

func newArchivePlaces(entries []archived) archivePlaces {
	at := archivePlaces{make(map[registry.Path]string, len(entries)), make(map[string]bool, len(entries))}
	for _, e := range entries {
		name := strings.TrimSuffix(e.name, "/")
		at.of[e.Path] = name
		at.taken[strings.ToLower(name)] = true
	}
	return at
}

// archive streams a collection as a zip file, with all below it that the user may read. Whether it keeps within the limits is known before the first byte
// goes out; a failure after that cuts the connection, so that nobody takes half an archive for the whole.
func (c *console) archive(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	p, err := pathOf(r)
	if err != nil {
		return err
	}
	entries, err := c.archiveEntries(r.Context(), a, p)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": archiveName(nameOf(p)) + ".zip"}))
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	at := newArchivePlaces(entries)
	for _, e := range entries {
		if err == nil {
			err = c.archiveOne(r, a, z, at, e)
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		c.logFault(r, a, err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// archiveEntries lists what an archive of a collection holds; [registry.CodeTooLarge] when that is more than one may.
func (c *console) archiveEntries(ctx context.Context, a registry.Actor, top registry.Path) ([]archived, error) {
	var entries []archived
	var bytes int64
	open := []archived{{"", registry.Resource{Path: top}}}
	for len(open) > 0 {
		dir := open[0]
		open = open[1:]
		taken := map[string]bool{}
		for cursor := ""; ; {
			page, err := c.Service.List(ctx, a, dir.Path, cursor, registry.MaxPageSize, registry.Freshness{})
			if code := registry.CodeOf(err); dir.Path != top && (code == registry.CodeNotFound || code == registry.CodeDenied) {
				break // it went meanwhile, or is a mount without a store
			}
			if err != nil {
				return nil, err
			}
			for _, r := range page.Entries {
				e := archived{dir.name + freeName(taken, archiveName(r.Path.Name())), r}
				if r.Kind == registry.KindCollection {
					e.name += "/"
					open = append(open, e)
				}
				entries, bytes = append(entries, e), bytes+r.Size
			}
			if len(entries) > maxArchiveEntries || bytes > maxArchiveBytes {
				return nil, registry.Errorf(registry.CodeTooLarge, "%s has more than an archive holds: at most %s entries and %s of contents. Download the collections in it one by one, or use "+
					"registry get and the API", top, texts.Number(maxArchiveEntries), formatSize(maxArchiveBytes))
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return entries, nil
}

// archiveOne writes one entry. What went meanwhile, or may not be read any more, is left out.
func (c *console) archiveOne(r *http.Request, a registry.Actor, z *zip.Writer, at archivePlaces, e archived) error {
	h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: e.UpdatedAt}
	switch e.Kind {
	case registry.KindCollection:
		h.Method = zip.Store
		_, err := z.CreateHeader(h)
		return err
	case registry.KindLink:
		return archiveLink(z, h, at, e)
	case registry.KindResource:
	}
	_, _, content, err := c.Service.Open(r.Context(), a, e.Path, 0, registry.Freshness{})
	if code := registry.CodeOf(err); code == registry.CodeNotFound || code == registry.CodeDenied || code == registry.CodeConflict {
		return nil
	}
	if err != nil {
		return err
	}
	if isPacked(e.Meta.MediaType) {
		h.Method = zip.Store
	}
	out, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.Copy(out, content)
	}
	return errors.Join(err, content.Close())
}

// archiveLink writes a link as what it is: a symbolic link where it leads to something in the archive, which has the name to there, else a text that says where it leads. A symbolic
// link to elsewhere would lead out of the folder into which somebody unpacks it.
func archiveLink(z *zip.Writer, h *zip.FileHeader, at archivePlaces, e archived) error {
	text := "This was a link to " + e.Meta.Link.String() + "\n"
	if to := at.of[e.Meta.Link]; to != "" {
		h.SetMode(fs.ModeSymlink | 0o777)
		text = strings.Repeat("../", strings.Count(e.name, "/")) + to
	} else {
		h.Name = freeName(at.taken, h.Name+".link.txt")
	}
	out, err := z.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(out, text)
	}
	return err
}

// isPacked tells of contents that do not get smaller.
func isPacked(mediaType string) bool {
	return strings.Contains(mediaType, "zip") || strings.Contains(mediaType, "java-archive") || strings.HasPrefix(mediaType, "image/") && mediaType != "image/svg+xml"
}

// deviceNames are those that Windows keeps for devices, whatever ending they have.
const deviceNames = " con prn aux nul conin$ conout$ com0 com1 com2 com3 com4 com5 com6 com7 com8 com9 com¹ com² com³ lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9 lpt¹ lpt² lpt³ "

// archiveName is a name that every system takes for a file. A registry's names have no slash, backslash or control character, and are never "..".
func archiveName(name string) string {
	name = strings.NewReplacer(":", "_", "?", "_").Replace(name)
	if trimmed := strings.TrimRight(name, ". "); trimmed != name {
		name = trimmed + strings.Repeat("_", len(name)-len(trimmed))
	}
	base, _, _ := strings.Cut(strings.ToLower(name), ".")
	if strings.Contains(deviceNames, " "+strings.TrimRight(base, " ")+" ") {
		name = "_" + name
	}
	return cmp.Or(name, "_")
}

// freeName is the name, or one like it that no other entry of the collection has, on systems that take capitals for small letters, too.
func freeName(taken map[string]bool, name string) string {
	free := name
	for n := 2; taken[strings.ToLower(free)]; n++ {
		base, ending := name, ""
		if i := strings.LastIndexByte(name, '.'); i > 0 && utf8.RuneCountInString(name[i:]) < 10 {
			base, ending = name[:i], name[i:]
		}
		free = base + " (" + strconv.Itoa(n) + ")" + ending
	}
	taken[strings.ToLower(free)] = true
	return free
}
