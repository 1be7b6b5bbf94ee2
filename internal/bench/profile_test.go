package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// sampled is a profile as Go's runtime makes it: caller calls inlined, which is part of it, and that calls leaf; seen n times. Where it was built
// and where it lay in memory are told by root and base.
func sampled(root string, base uint64, n int64) *profile.Profile {
	binary := &profile.Mapping{ID: 1, Start: base, Limit: base + 0x1000, File: root + "/bin/elb", BuildID: "a build"}
	leaf := &profile.Function{ID: 1, Name: "m/p.leaf", SystemName: "m/p.leaf", Filename: root + "/p/leaf.go", StartLine: 10}
	inlined := &profile.Function{ID: 2, Name: "m/p.inlined", SystemName: "m/p.inlined", Filename: root + "/p/p.go", StartLine: 20}
	caller := &profile.Function{ID: 3, Name: "m/p.caller", SystemName: "m/p.caller", Filename: root + "/p/p.go", StartLine: 40}
	at := &profile.Location{ID: 1, Mapping: binary, Address: base + 0x10, Line: []profile.Line{{Function: leaf, Line: 12}}}
	from := &profile.Location{ID: 2, Mapping: binary, Address: base + 0x20, Line: []profile.Line{{Function: inlined, Line: 23}, {Function: caller, Line: 47}}}
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &profile.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 1e7, TimeNanos: 1e18, DurationNanos: 1e9,
		Sample: []*profile.Sample{{
			Location: []*profile.Location{at, from}, Value: []int64{n, n * 1e7}, Label: map[string][]string{"member": {"10.0.0.1"}},
		}},
		Mapping: []*profile.Mapping{binary}, Location: []*profile.Location{at, from}, Function: []*profile.Function{leaf, inlined, caller},
		Comments: []string{root},
	}
}

func TestGuide_HasWhatTheCompilerNeedsAndNoMore(t *testing.T) {
	t.Parallel()
	guide, err := guideOf([]*profile.Profile{sampled("/srv/one", 0x400000, 3), sampled("/srv/two", 0x7f0000, 4)})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "default.pgo")
	size, err := writeGuide(guide, file)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile(file)
	if err != nil || len(packed) != size {
		t.Fatalf("%d bytes were written, %v; %d were told", len(packed), err, size)
	}
	back, err := profile.ParseData(packed)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkGuide(back); err != nil {
		t.Error(err)
	}
	var raw bytes.Buffer
	if err := back.WriteUncompressed(&raw); err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"/srv", "a build", "member", "10.0.0.1", ".go"} {
		if bytes.Contains(raw.Bytes(), []byte(private)) {
			t.Errorf("the profile tells %q", private)
		}
	}
	if len(back.Sample) != 1 || cpuTime(back) != 70*time.Millisecond || back.TimeNanos != 0 {
		t.Errorf("%d samples of %v at %d, want one of 70 ms at no time", len(back.Sample), cpuTime(back), back.TimeNanos)
	}
	checkEdges(t, file, "m/p.caller m/p.inlined 7 7", "m/p.inlined m/p.leaf 3 7")
}

// checkEdges lets Go's own tool read the profile, as a build does. An edge is caller, callee, the line of the call within the caller, and how often.
func checkEdges(t *testing.T, file string, want ...string) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), "go", "tool", "preprofile", "-i", file).CombinedOutput()
	if err != nil {
		t.Fatalf("preprofile: %v\n%s", err, said)
	}
	words := strings.Join(strings.Fields(string(said)), " ")
	for _, edge := range want {
		if !strings.Contains(words, edge) {
			t.Errorf("the compiler does not learn %q from it: %s", edge, said)
		}
	}
}

func TestGuide_RefusesWhatTellsTooMuchOrTooLittle(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(p *profile.Profile){
		"no samples":       func(p *profile.Profile) { p.Sample = nil },
		"a mapping":        func(p *profile.Profile) { p.Mapping = []*profile.Mapping{{ID: 1}} },
		"a comment":        func(p *profile.Profile) { p.Comments = []string{"made by me"} },
		"a label":          func(p *profile.Profile) { p.Sample[0].Label = map[string][]string{"host": {"a"}} },
		"a file":           func(p *profile.Profile) { p.Function[0].Filename = "p.go" },
		"a path as name":   func(p *profile.Profile) { p.Function[1].Name = "/srv/one/p.leaf" },
		"a path as symbol": func(p *profile.Profile) { p.Function[1].SystemName = "/srv/one/p.leaf" },
		"no first lines": func(p *profile.Profile) {
			for _, f := range p.Function {
				f.StartLine = 0
			}
		},
	} {
		guide, err := guideOf([]*profile.Profile{sampled("/srv/one", 0x400000, 1)})
		if err != nil {
			t.Fatal(err)
		}
		spoil(guide)
		if err := checkGuide(guide); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestGuide_TooLargeIsNotWritten(t *testing.T) {
	t.Parallel()
	large := sampled("/srv/one", 0x400000, 1)
	noise := make([]byte, maxProfile) // that cannot be packed to less
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	large.Comments = []string{string(noise)}
	file := filepath.Join(t.TempDir(), "default.pgo")
	if _, err := writeGuide(large, file); err == nil {
		t.Error("a profile that is too large was written")
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a file: %v", err)
	}
}

// TestPublicProfile: the profile of the source tree, where there is one, is one that may stand there.
func TestPublicProfile(t *testing.T) {
	t.Parallel()
	packed, err := os.ReadFile(filepath.Join("..", "..", publicProfile))
	if errors.Is(err, fs.ErrNotExist) {
		return // elb is built without
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(packed) > maxProfile {
		t.Errorf("%s has %d bytes; %d are the most", publicProfile, len(packed), maxProfile)
	}
	p, err := profile.ParseData(packed)
	if err != nil {
		t.Fatalf("%s: %v", publicProfile, err)
	}
	if err := checkGuide(p); err != nil {
		t.Errorf("%s: %v; make pgo writes one that is fit", publicProfile, err)
	}
}

func TestCPUProfile_IsThatOfTheAdminListener(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := netip.ParseAddrPort(r.Host); err != nil || r.URL.String() != "/debug/pprof/profile?seconds=2" {
			http.Error(w, "elb would refuse this", http.StatusForbidden)
			return
		}
		_ = sampled("/srv/one", 0x400000, 5).Write(w)
	}))
	t.Cleanup(server.Close)
	i := &instance{site: site{Admin: int(netip.MustParseAddrPort(server.Listener.Addr().String()).Port())}}
	p, err := i.cpuProfile(t.Context(), 2)
	if err != nil || cpuTime(p) != 50*time.Millisecond {
		t.Fatalf("got %v, %v; want a profile of 50 ms", p, err)
	}
	if _, err := i.cpuProfile(t.Context(), 3); err == nil {
		t.Error("an answer that is no profile was taken")
	}
}

func TestGuided_ReadsTheProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := guided(self); err != nil || got {
		t.Errorf("this test, which has no profile: %t, %v", got, err)
	}
	if _, err := guided("profile_test.go"); err == nil {
		t.Error("a file that is no program was taken")
	}
}

func TestOptions_AProfileIsOfElbAlone(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-profile", "x.pgo", "-scenarios", "plain tls"}, io.Discard)
	if err != nil || len(o.proxies) != 1 || o.proxies[0].name != subject || len(o.scenarios) != 2 {
		t.Errorf("got %+v, %v; want elb alone under two loads", o, err)
	}
	for _, more := range [][]string{{"-from", "x.json"}, {"-proxies", "haproxy"}} {
		if _, err := parseOptions(append(more, "-profile", "x.pgo"), io.Discard); err == nil {
			t.Errorf("-profile with %v was taken", more)
		}
	}
}
