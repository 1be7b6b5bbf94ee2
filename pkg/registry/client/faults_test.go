package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	pathpkg "path"
	"slices"
	"strings"
	"testing"

	"github.com/regent-registry/regent/pkg/registry/client"
)

// cutting lets n bytes of a body through, then breaks the connection.
type cutting struct {
	http.ResponseWriter
	left int
}

func (w *cutting) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b[:min(len(b), w.left)])
	w.left -= n
	if err != nil || w.left == 0 {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestGet_GoesOnWhereItBrokeOff: the server dies in the middle of a download, several times, and the resource changes meanwhile.
func TestGet_GoesOnWhereItBrokeOff(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	want := randomBytes(3 << 20)
	put(t, c, config+"/big", string(want))
	s.once(6, func(w http.ResponseWriter, r *http.Request) {
		s.api.ServeHTTP(&cutting{w, 400_000}, r)
	})
	content, err := c.Get(t.Context(), config+"/big", client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	head := make([]byte, 1000)
	if _, err := io.ReadFull(content, head); err != nil {
		t.Fatal(err)
	}
	other := s.dial(t)
	put(t, other, config+"/big", "another version")
	rest, err := io.ReadAll(content)
	if err != nil || !bytes.Equal(slices.Concat(head, rest), want) {
		t.Fatalf("%d bytes, %v", len(head)+len(rest), err)
	}
	if n := s.asked.Load(); n < 7 {
		t.Errorf("only %d requests: nothing broke", n)
	}
	part, err := c.Get(t.Context(), config+"/big;version:1", client.GetOptions{Offset: 5, Length: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	if b, err := io.ReadAll(part); !bytes.Equal(b, want[5:12]) || err != nil || part.Info.Size != 3<<20 {
		t.Errorf("a part: %v, %v, of %d", b, err, part.Info.Size)
	}
}

func TestGet_GivesUpOnAServerThatOnlyBreaks(t *testing.T) {
	s := newServer(t)
	c := s.dial(t, func(c *client.Config) { c.Attempts = 2 })
	put(t, c, config+"/x", "0123456789")
	s.once(1<<40, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			hangUp(w, r)
		}
		s.api.ServeHTTP(&cutting{w, 4}, r)
	})
	content, err := c.Get(t.Context(), config+"/x", client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	b, err := io.ReadAll(content)
	wantErr(t, "a download that cannot go on", err, client.ErrUnavailable)
	if string(b) != "0123" {
		t.Errorf("read %q", b)
	}
	if n := s.asked.Load(); n != 3 {
		t.Errorf("%d requests, want 1 and 2 that go on", n)
	}
}

func TestGet_WrongBytesNeverEndWell(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	put(t, c, config+"/x", "0123456789")
	tamper := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			s.api.ServeHTTP(rec, r)
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			_, _ = io.WriteString(w, text)
		}
	}
	s.once(1, tamper("0123456780"))
	content, err := c.Get(t.Context(), config+"/x", client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if _, err = io.ReadAll(content); !errors.Is(err, client.ErrDigest) {
		t.Errorf("a wrong byte: %v", err)
	}

	// A resumed download that would be continued with something else.
	first := true
	s.once(2, func(w http.ResponseWriter, r *http.Request) {
		if first {
			first = false
			s.api.ServeHTTP(&cutting{w, 4}, r)
			return
		}
		w.Header().Set("Repr-Digest", "sha-256=:"+strings.Repeat("A", 43)+"=:")
		w.Header().Set("Content-Range", "bytes 4-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "456789")
	})
	content, err = c.Get(t.Context(), config+"/x", client.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	if b, err := io.ReadAll(content); !errors.Is(err, client.ErrDigest) || string(b) != "0123" {
		t.Errorf("another content: %q, %v", b, err)
	}

	s.once(1, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"path":"/x","sha256":"%064d"}`, 7)
	})
	_, err = c.Put(t.Context(), config+"/y", stringReader("y"), client.PutOptions{})
	wantErr(t, "stored something else", err, client.ErrDigest)
}

// unavailable is the registry's word that it did nothing.
func unavailable(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"status":503,"detail":"the database does not answer","code":"unavailable","request_id":"r1"}`)
}

// noMember is the load balancer's word that no member had the request.
func noMember(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(w, `{"title":"Bad Gateway","status":502,"detail":"No member could be reached.","code":"unavailable","request_id":"r1"}`)
}

func badGateway(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }

func foreign503(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

// lost carries a request out, and loses the answer.
func (s *server) lost(w http.ResponseWriter, r *http.Request) {
	s.api.ServeHTTP(httptest.NewRecorder(), r)
	hangUp(w, r)
}

// TestClient_RepeatsWhatIsHarmless: each operation meets each fault at its first attempt. Not one is carried out twice unnoticed.
func TestClient_RepeatsWhatIsHarmless(t *testing.T) {
	const path = config + "/x"
	made := 0
	type operation struct {
		name string
		run  func(t *testing.T, c *client.Client, at client.Resource) error
		read bool
		safe bool // repeated although it may have been carried out
	}
	operations := []operation{
		{name: "stat", read: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return second(c.Stat(t.Context(), path, 0))
		}},
		{name: "put", safe: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return second(c.Put(t.Context(), path, stringReader("two"), client.PutOptions{}))
		}},
		{name: "put if match", safe: true, run: func(t *testing.T, c *client.Client, at client.Resource) error {
			return second(c.Put(t.Context(), path, stringReader("two"), client.PutOptions{WriteOptions: client.WriteOptions{IfMatch: at.ETag}}))
		}},
		{name: "make a collection", safe: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			made++
			return second(c.PutCollection(t.Context(), fmt.Sprintf("%s/new%d", config, made), client.Collection{}, client.WriteOptions{IfNoneMatch: "*"}))
		}},
		{name: "put from a pipe", run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return second(c.Put(t.Context(), path, io.MultiReader(stringReader("two")), client.PutOptions{}))
		}},
		{name: "patch", safe: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return second(c.Patch(t.Context(), path, client.Patch{Properties: client.Properties{"a": {"1"}}}, client.WriteOptions{}))
		}},
		{name: "restore", safe: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return second(c.Restore(t.Context(), path, 1, client.WriteOptions{IfMatch: "*"}))
		}},
		{name: "delete", safe: true, run: func(t *testing.T, c *client.Client, _ client.Resource) error {
			return c.Delete(t.Context(), path, client.WriteOptions{})
		}},
		{name: "delete if match", safe: true, run: func(t *testing.T, c *client.Client, at client.Resource) error {
			return c.Delete(t.Context(), path, client.WriteOptions{IfMatch: at.ETag})
		}},
	}
	s := newServer(t)
	faults := []struct {
		name  string
		fault func(http.ResponseWriter, *http.Request)
		done  bool // the request was carried out all the same
		known bool // the answer says that it was not
	}{
		{name: "unavailable", fault: unavailable, known: true},
		{name: "no member", fault: noMember, known: true},
		{name: "bad gateway", fault: badGateway},
		{name: "503 of something else", fault: foreign503},
		{name: "connection broken", fault: hangUp},
		{name: "answer lost", fault: s.lost, done: true},
	}
	for _, op := range operations {
		for _, f := range faults {
			t.Run(op.name+", "+f.name, func(t *testing.T) {
				c := s.dial(t)
				s.fault.Store(nil)
				put(t, c, path, "one")
				at, err := c.Stat(t.Context(), path, 0)
				if err != nil {
					t.Fatal(err)
				}
				fault := f.fault
				if !f.done { // a fault that came before the body was begun would leave a pipe to be sent again
					fault = func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						f.fault(w, r)
					}
				}
				s.once(1, fault)
				err = op.run(t, c, at)
				asked := s.asked.Load()
				repeats := op.read || op.safe || f.known
				switch {
				case op.name == "put from a pipe" && f.known:
					wantErr(t, "the pipe was begun", err, client.ErrUnavailable)
					if asked != 1 || errors.Is(err, client.ErrOutcomeUnknown) {
						t.Errorf("%d requests, %v", asked, err)
					}
				case repeats:
					if err != nil || asked != 2 {
						t.Errorf("%d requests, %v", asked, err)
					}
				default:
					wantErr(t, "what must not be repeated", err, client.ErrOutcomeUnknown)
					if asked != 1 {
						t.Errorf("%d requests", asked)
					}
				}
			})
		}
	}
}

// TestClient_RepetitionBesideACondition: a condition that the change leaves as it is does not let its repetition happen a second time, and what was refused
// because somebody was faster may have been carried out before.
func TestClient_RepetitionBesideACondition(t *testing.T) {
	const path = config + "/dir/x"
	s := newServer(t)
	c := s.dial(t)
	put(t, c, path, "one")
	at, err := c.Stat(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.once(1, s.lost)
	if _, err := c.AddComment(t.Context(), path, "once", 0, client.WriteOptions{IfMatch: at.ETag}); err != nil || s.asked.Load() != 2 {
		t.Errorf("a comment: %v after %d requests", err, s.asked.Load())
	}
	n := 0
	for _, err := range c.Comments(t.Context(), path, client.ListOptions{}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("%d comments of one", n)
	}

	if _, err := c.SetCheckpoint(t.Context(), config+"/dir", "v1", "", "", client.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	put(t, c, path, "two")
	dir, err := c.Stat(t.Context(), config+"/dir", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.once(1, s.lost)
	done, err := c.RestoreTree(t.Context(), config+"/dir", "v1", "", client.WriteOptions{IfMatch: dir.ETag})
	if err != nil || done.Revised != 1 || s.asked.Load() != 2 {
		t.Errorf("a restored collection: %+v, %v after %d requests", done, err, s.asked.Load())
	}

	if at, err = c.Stat(t.Context(), path, 0); err != nil {
		t.Fatal(err)
	}
	other := s.dial(t)
	s.once(1, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.fault.Store(nil)
		put(t, other, path, "theirs")
		hangUp(w, r)
	})
	_, err = c.Put(t.Context(), path, stringReader("mine"), client.PutOptions{WriteOptions: client.WriteOptions{IfMatch: at.ETag}})
	wantErr(t, "the repetition", err, client.ErrPrecondition)
	wantErr(t, "the repetition", err, client.ErrOutcomeUnknown)
}

// TestClient_ControlCharactersAreNotSent: HTTP has no place for them; the error names the field and is none of the connection.
func TestClient_ControlCharactersAreNotSent(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	s.asked.Store(0)
	for field, o := range map[string]client.PutOptions{
		"Comment":        {WriteOptions: client.WriteOptions{Comment: "one\ntwo"}},
		"IfMatch":        {WriteOptions: client.WriteOptions{IfMatch: "\"a\"\r\nX-Evil: 1"}},
		"IfNoneMatch":    {WriteOptions: client.WriteOptions{IfNoneMatch: "\x00"}},
		"IdempotencyKey": {WriteOptions: client.WriteOptions{IdempotencyKey: "k\x7f"}},
		"MediaType":      {MediaType: "text/plain\n"},
	} {
		_, err := c.Put(t.Context(), config+"/x", stringReader("x"), o)
		wantErr(t, field, err, client.ErrInvalid)
		if errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrOutcomeUnknown) || !strings.HasPrefix(err.Error(), field+" has the control character ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := c.Get(t.Context(), config+"/x", client.GetOptions{IfNoneMatch: "a\n"})
	wantErr(t, "get", err, client.ErrInvalid)
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := c.Put(t.Context(), config+"/x", stringReader("x"), client.PutOptions{WriteOptions: client.WriteOptions{Comment: "größer"}}); err != nil {
		t.Error(err)
	}
}

// TestClient_RepetitionLosesNobodysChange: a change is made and its answer lost; before it is sent again somebody else makes a change, which stays.
func TestClient_RepetitionLosesNobodysChange(t *testing.T) {
	const path = config + "/dir/x"
	text := func(s string) *string { return &s }
	for name, change := range map[string]func(c *client.Client, to string) error{
		"content": func(c *client.Client, to string) error {
			return second(c.Put(t.Context(), path, stringReader(to), client.PutOptions{}))
		},
		"collection": func(c *client.Client, to string) error {
			return second(c.PutCollection(t.Context(), config+"/dir", client.Collection{Description: text(to)}, client.WriteOptions{}))
		},
		"properties": func(c *client.Client, to string) error {
			return second(c.PutProperties(t.Context(), path, client.Properties{"a": {to}}, client.WriteOptions{}))
		},
		"retention": func(c *client.Client, to string) error {
			return c.SetRetention(t.Context(), config+"/dir", int64(len(to)), 0, client.WriteOptions{})
		},
		"label": func(c *client.Client, to string) error {
			return second(c.SetLabel(t.Context(), path, "prod", int64(len(to)-3), client.WriteOptions{}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			c, other := s.dial(t), s.dial(t)
			put(t, c, path, "one")
			put(t, c, path, "two")
			s.once(1, func(w http.ResponseWriter, r *http.Request) {
				s.api.ServeHTTP(httptest.NewRecorder(), r)
				s.fault.Store(nil)
				if err := change(other, "theirs"[:5]); err != nil {
					t.Error(err)
				}
				hangUp(w, r)
			})
			if err := change(c, "mine"); err != nil {
				t.Fatal(err)
			}
			before := s.asked.Load()
			if before != 3 {
				t.Fatalf("%d requests, want the lost one, that of the other and the repetition", before)
			}
			got := fmt.Sprint(state(t, other, path))
			if err := change(other, "theirs"[:5]); err != nil {
				t.Fatal(err)
			}
			if again := fmt.Sprint(state(t, other, path)); got != again {
				t.Errorf("the repetition undid the other's change: %s, then %s", got, again)
			}
		})
	}
}

// state is what one can tell of a resource and the collection that it is in.
func state(t *testing.T, c *client.Client, path string) []any {
	t.Helper()
	r, err := c.Stat(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	in, err := c.Stat(t.Context(), pathpkg.Dir(path), 0)
	if err != nil {
		t.Fatal(err)
	}
	rule, err := c.Retention(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := c.Labels(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	versions := []int64{}
	for _, l := range labels {
		versions = append(versions, l.Version)
	}
	return []any{get(t, c, path), r.Properties, in.Description, rule.KeepLast, versions}
}

// TestPut_PipeThatWasNotBegunIsRepeated: the server refuses by the head alone, as it was asked to.
func TestPut_PipeThatWasNotBegunIsRepeated(t *testing.T) {
	s := newServer(t)
	s.once(1, unavailable)
	c := s.dial(t, func(c *client.Config) { c.HTTP.Transport = patient(t) })
	if _, err := c.Put(t.Context(), config+"/pipe", io.MultiReader(bytes.NewReader(randomBytes(100_000))), client.PutOptions{}); err != nil {
		t.Error(err)
	}
	if s.asked.Load() != 2 {
		t.Errorf("%d requests", s.asked.Load())
	}
}

// TestClient_NobodyListens: refused connections are tried again, for changes too, and end as unavailable, with nothing left unknown.
func TestClient_NobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	transport := &countingDialer{}
	c, err := client.New(client.Config{URL: url, Attempts: 3, HTTP: &http.Client{Transport: transport.transport(t)}})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Delete(t.Context(), "/x", client.WriteOptions{})
	wantErr(t, "delete", err, client.ErrUnavailable)
	if errors.Is(err, client.ErrOutcomeUnknown) || transport.dials.Load() != 3 {
		t.Errorf("%v after %d attempts", err, transport.dials.Load())
	}
}

// TestPut_SourceThatFails: what cannot be read to its end is not stored, and not tried again.
func TestPut_SourceThatFails(t *testing.T) {
	s := newServer(t)
	c := s.dial(t)
	s.asked.Store(0)
	broken := errors.New("the disk is gone")
	_, err := c.Put(t.Context(), config+"/x", io.MultiReader(stringReader("half"), failing{broken}), client.PutOptions{})
	if !errors.Is(err, broken) || errors.Is(err, client.ErrOutcomeUnknown) || s.asked.Load() > 1 {
		t.Errorf("%v after %d requests", err, s.asked.Load())
	}
	wantErr(t, "stat", second(c.Stat(t.Context(), config+"/x", 0)), client.ErrNotFound)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
