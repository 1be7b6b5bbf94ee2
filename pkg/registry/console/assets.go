package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

//go:embed static
var staticFiles embed.FS

const staticPrefix = "/console/static/"

// assets are the files beside the pages; a folder is served as one file of its name, joined of its files in the order of their names.
// Their URLs carry a hash of all of them, so browsers may keep each for ever.
type assets struct {
	hash  string
	files map[string]asset
}

type asset struct {
	data   []byte
	packed map[string]func() ([]byte, error) // the same by content coding
}

// packedSuffix marks the file that has another one as Brotli, made beforehand (`make editor`).
const packedSuffix = ".br"

// brotliQuality is for files that are compressed when somebody first asks for them, who waits for it: milliseconds here, a second at the best quality,
// which would save a tenth.
const brotliQuality = 6

// codings are those in which files travel, the best first. Browsers take Brotli over HTTPS alone.
var codings = []struct {
	name     string
	compress func(io.Writer) (io.WriteCloser, error)
}{
	{"br", func(w io.Writer) (io.WriteCloser, error) {
		return brotli.NewWriterLevel(w, brotliQuality), nil
	}},
	{"gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) }},
}

// newAssets reads the files; scripts say what they say in the language of a catalogue.
func newAssets(say *texts.Catalogue) (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	entries, err := staticFiles.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("console: static files: %w", err)
	}
	for _, e := range entries { // in order of their names
		if strings.HasSuffix(e.Name(), packedSuffix) {
			continue
		}
		data, err := readAsset("static/"+e.Name(), e.IsDir())
		if err != nil {
			return nil, fmt.Errorf("console: static files: %w", err)
		}
		if path.Ext(e.Name()) == ".js" && !strings.HasPrefix(e.Name(), "editor") {
			data = say.Script(data)
		}
		fmt.Fprintf(sum, "%s %d\n", e.Name(), len(data))
		sum.Write(data)
		file := asset{data, map[string]func() ([]byte, error){}}
		for _, coding := range codings {
			file.packed[coding.name] = sync.OnceValues(func() ([]byte, error) { return compress(data, coding.compress) })
		}
		if packed, err := staticFiles.ReadFile("static/" + e.Name() + packedSuffix); err == nil {
			file.packed["br"] = func() ([]byte, error) { return packed, nil }
		}
		a.files[e.Name()] = file
	}
	a.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return a, nil
}

// readAsset reads a file, or all files of a folder one after the other.
func readAsset(name string, folder bool) ([]byte, error) {
	if !folder {
		return staticFiles.ReadFile(name)
	}
	parts, err := staticFiles.ReadDir(name)
	var joined []byte
	for _, part := range parts {
		var data []byte
		if data, err = staticFiles.ReadFile(name + "/" + part.Name()); err != nil {
			return nil, err
		}
		joined = append(joined, data...)
	}
	return joined, err
}

func compress(data []byte, with func(io.Writer) (io.WriteCloser, error)) ([]byte, error) {
	var b bytes.Buffer
	z, err := with(&b)
	if err != nil {
		return nil, err
	}
	_, err = z.Write(data)
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// url is the address of a file; a name that does not exist is an error, which fails the template that uses it.
func (a *assets) url(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("no static file %q", name)
	}
	return staticPrefix + a.hash + "/" + name, nil
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// serve answers with a file. Another hash is that of a node with another version, during an upgrade: the file goes out, not to be kept.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	file, ok := a.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.PathValue("hash") == a.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	w.Header().Set("Vary", "Accept-Encoding")
	for _, coding := range codings {
		if !accepts(r, coding.name) {
			continue
		}
		if packed, err := file.packed[coding.name](); err == nil {
			w.Header().Set("Content-Encoding", coding.name)
			w.Header().Set("Content-Length", strconv.Itoa(len(packed)))
			w.Write(packed) //nolint:errcheck,gosec // whoever went away needs no answer
			return
		}
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(file.data))
}

// accepts tells whether the browser takes a file in a content coding.
func accepts(r *http.Request, coding string) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(line, ",") {
			if name, weight, _ := strings.Cut(one, ";"); strings.TrimSpace(name) == coding && strings.TrimSpace(weight) != "q=0" {
				return true
			}
		}
	}
	return false
}
