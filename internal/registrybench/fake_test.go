package registrybench_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/registrybench"
	"github.com/regent-registry/regent/pkg/registry/client"
)

const folder = "/_system/governance/bench"

// fake is a registry in a bubble that answers after a time, and can be told to answer wrongly.
type fake struct {
	took time.Duration
	// trashless is how many lists of the trash are refused.
	trashless int
	// wrong, unless nil, may answer the n-th request of the load to an operation (from 1) in its place, or change what it would answer.
	wrong func(n int, operation string, right *answer) *http.Response

	mu       sync.Mutex
	contents map[string][]string // by path, a version each
	exists   bool
	gone     []string // what was purged
	deleted  []string // ids in the trash
	asked    map[string]int
}

// answer is what the fake would answer.
type answer struct {
	version int
	body    string
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	select {
	case <-time.After(f.took):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	res := f.serve(r, body)
	res.Request = r
	return res, nil
}

func (f *fake) serve(r *http.Request, body []byte) *http.Response {
	operation, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	path = "/" + path
	key := r.Method + " " + operation
	load := r.Header.Get("User-Agent") == "load"
	right := answer{}
	switch key {
	case "PUT resource":
		if f.exists {
			return text(412, "")
		}
		f.exists, f.contents, f.asked = true, map[string][]string{}, map[string]int{}
		return text(201, "{}")
	case "DELETE resource":
		if !f.exists {
			return text(404, "")
		}
		f.exists, f.deleted = false, append(f.deleted, "77")
		return text(204, "")
	case "GET trash":
		if f.trashless > 0 {
			f.trashless--
			return text(403, "")
		}
		entries := []map[string]string{}
		for _, id := range f.deleted {
			entries = append(entries, map[string]string{"id": id, "path": path})
		}
		b, _ := json.Marshal(map[string]any{"entries": entries})
		return text(200, string(b))
	case "DELETE trash":
		f.gone = append(f.gone, path+" "+r.URL.RawQuery)
		return text(200, "")
	case "PUT content":
		f.contents[path] = append(f.contents[path], string(body))
		right = answer{version: len(f.contents[path]), body: fmt.Sprintf("%x", sha256.Sum256(body))}
	case "GET content":
		versions := f.contents[path]
		right = answer{version: len(versions), body: versions[len(versions)-1]}
	case "GET children":
		entries := []map[string]string{}
		for p := range f.contents {
			if strings.HasPrefix(p, path+"/") {
				entries = append(entries, map[string]string{"path": p})
			}
		}
		b, _ := json.Marshal(map[string]any{"entries": entries})
		right.body = string(b)
	}
	if f.asked[key]++; load && f.wrong != nil {
		if res := f.wrong(f.asked[key], key, &right); res != nil {
			return res
		}
	}
	if key == "PUT content" {
		return text(200, fmt.Sprintf(`{"version":%d,"sha256":%q}`, right.version, right.body))
	}
	res := text(200, right.body)
	if key == "GET content" {
		sum := sha256.Sum256([]byte(right.body))
		res.Header.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		res.Header.Set("Registry-Version", fmt.Sprint(right.version))
	}
	return res
}

func text(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// config is a run against the fake.
func (f *fake) config(t *testing.T, mix string) registrybench.Config {
	t.Helper()
	dial := func(agent string, attempts int) *client.Client {
		c, err := client.New(client.Config{URL: "https://registry.example", HTTP: &http.Client{Transport: f}, UserAgent: agent, Attempts: attempts})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	weights, err := registrybench.ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	return registrybench.Config{
		Load: dial("load", 1), Setup: dial("setup", 4), Collection: folder, Mix: weights, Clients: 4, Duration: 10 * time.Second, Size: 300,
		MediaType: "text/plain", Resources: 250, Timeout: time.Second,
	}
}

// sum is the hexadecimal SHA-256 of a text.
func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
