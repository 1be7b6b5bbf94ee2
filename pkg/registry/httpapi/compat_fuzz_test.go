package httpapi

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry"
)

// FuzzCompatQuery: whatever the query says, it is refused, or names a path in its one form and a window that can be cut.
func FuzzCompatQuery(f *testing.F) {
	for _, s := range []string{
		"path=/a", "path=%2Fa%2Fb%3Bversion%3A2", "path=/a;version:2&start=1&size=2", "path=/a&path=/b", "path=", "start=-1", "size=99999999999", "path=%zz", "path=/a%252fb",
		"path=a+b&id=1", ";;;", "path=/a;;version:1", "path=e%CC%81", "path=%ff", "start=1&size=0", "path=/..",
	} {
		f.Add(s)
	}
	t := route{"GET", compatPrefix + "comments", nil, []string{"path", "start", "size"}}
	f.Fuzz(func(tt *testing.T, raw string) {
		r := httptest.NewRequest(http.MethodGet, compatPrefix+"comments", nil)
		r.URL.RawQuery = raw
		c := &call{Request: r}
		if err := c.prepareCompat(t); err != nil {
			return
		}
		if r.URL.RawQuery != raw {
			tt.Error("the request of the server was changed")
		}
		if win, err := c.window(); err == nil {
			if win.start < 0 || win.size < 0 || win.start > 0 && win.size == 0 {
				tt.Errorf("%q asks for the window %+v", raw, win)
			}
		}
		p, n, err := c.pathRef()
		if err != nil {
			if registry.CodeOf(err) != registry.CodeInvalid {
				tt.Errorf("%q: code %s", raw, registry.CodeOf(err))
			}
			return
		}
		if n < 0 || !strings.HasPrefix(p.String(), "/") || slices.Contains(p.Names(), "..") {
			tt.Errorf("%q names %q, version %d", raw, p, n)
		}
		again := &call{Request: httptest.NewRequest(http.MethodGet, compatPrefix+"comments?"+url.Values{"path": {p.String()}}.Encode(), nil), byQuery: true}
		if q, _, err := again.pathRef(); err != nil || q != p {
			tt.Errorf("%q is %q, and that is %q, %v", raw, p, q, err)
		}
	})
}

// FuzzWindow: a list that comes in pages is cut as one that is there whole.
func FuzzWindow(f *testing.F) {
	f.Add(uint8(0), uint8(0), uint8(7), uint8(3))
	f.Add(uint8(5), uint8(2), uint8(7), uint8(3))
	f.Add(uint8(7), uint8(1), uint8(7), uint8(7))
	f.Add(uint8(9), uint8(1), uint8(7), uint8(2))
	f.Fuzz(func(t *testing.T, start, size, length, pageSize uint8) {
		win, list := window{int64(start), int64(size)}, make([]int, length)
		for i := range list {
			list[i] = i
		}
		if start > 0 && size == 0 {
			return // refused before
		}
		wanted, wantErr := cut(list, win)
		rest := list
		rec := httptest.NewRecorder()
		err := writeWindow(rec, win, func() ([]int, bool, error) {
			n := min(len(rest), int(pageSize%16)+1)
			page := rest[:n]
			rest = rest[n:]
			return page, len(rest) > 0, nil
		})
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%+v of %d: %v, want %v", win, length, err, wantErr)
		}
		if err != nil {
			if rec.Body.Len() > 0 || registry.CodeOf(err) != registry.CodeInvalid {
				t.Errorf("%+v of %d: %v after %q", win, length, err, rec.Body)
			}
			return
		}
		text, err := compactJSON(wanted)
		if err != nil || rec.Body.String() != string(text) {
			t.Errorf("%+v of %d in pages of %d is %s, want %s: %v", win, length, pageSize, rec.Body, text, err)
		}
	})
}

func TestWSO2Float(t *testing.T) {
	for f, want := range map[wso2Float]string{0: "0.0", 4: "4.0", 3.5: "3.5", 10.0 / 3: "3.3333333", 14.0 / 3: "4.6666665", 5: "5.0"} {
		if got := f.String(); got != want {
			t.Errorf("%g is %s, want %s", float64(f), got, want)
		}
	}
}
