package daemon_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/internal/daemon"
)

type testConfig struct {
	HTTPPort int                  `yaml:"http_port"`
	Name     string               `yaml:"name"`
	Wait     time.Duration        `yaml:"wait"`
	Debug    bool                 `yaml:"debug"`
	Password daemon.Secret        `yaml:"password"`
	Hosts    []string             `yaml:"hosts"`
	Stores   map[string]testStore `yaml:"stores"`
	Mounts   []testMount          `yaml:"mounts"`
	Extra    *testStore           `yaml:"extra"`
	Choice   testChoice           `yaml:"choice"`
}

// testChoice is a block in whose place a word may stand.
type testChoice struct {
	Way  string        `yaml:"way,word"`
	Wait time.Duration `yaml:"wait"`
}

type testStore struct {
	DSN daemon.Secret `yaml:"dsn"`
}

type testMount struct {
	Path  string `yaml:"path"`
	Store string `yaml:"store"`
}

func defaults() testConfig {
	return testConfig{HTTPPort: 9763, Wait: time.Second, Stores: map[string]testStore{"local": {DSN: "sqlite:a"}, "shared": {DSN: "sqlite:b"}}}
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadYAML_LaysFileAndEnvironmentOverDefaults(t *testing.T) {
	file := writeConfig(t, `
http_port: 80
wait: 500ms
debug: true
hosts: one.example
stores:
  shared: {dsn: "mysql:from-file"}
mounts:
  - {path: /a, store: shared}
extra: {dsn: x}
`)
	got := defaults()
	_, err := daemon.LoadYAML(file, &got, "T", []string{"T_NAME=n 1", "T_HTTP_PORT=81", "T_STORES_SHARED_DSN=mysql:from-env", "T_EXTRA_DSN=y", "T_WAIT=", "OTHER=1"})
	if err != nil {
		t.Fatal(err)
	}
	want := testConfig{
		HTTPPort: 81, Name: "n 1", Wait: 500 * time.Millisecond, Debug: true, Hosts: []string{"one.example"},
		Stores: map[string]testStore{"local": {DSN: "sqlite:a"}, "shared": {DSN: "mysql:from-env"}},
		Mounts: []testMount{{"/a", "shared"}}, Extra: &testStore{DSN: "y"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLoadYAML_TakesListsFromTheEnvironment(t *testing.T) {
	for _, value := range []string{"a:1,b:2", `["a:1", "b:2"]`} {
		got := defaults()
		if _, err := daemon.LoadYAML("", &got, "T", []string{"T_HOSTS=" + value, "T_MOUNTS=[{path: /x, store: local}]"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"a:1", "b:2"}, got.Hosts); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]testMount{{"/x", "local"}}, got.Mounts); diff != "" {
			t.Error(diff)
		}
	}
}

func TestLoadYAML_TakesAWordForABlock(t *testing.T) {
	for text, want := range map[string]testChoice{
		"choice: left\n":                   {Way: "left"},
		"choice: {way: right, wait: 5s}\n": {Way: "right", Wait: 5 * time.Second},
		"choice:\n":                        {},
		"name: &n up\nchoice: *n\n":        {Way: "up"},
	} {
		c := defaults()
		d, err := daemon.LoadYAML(writeConfig(t, text), &c, "T", nil)
		if err != nil || c.Choice != want {
			t.Errorf("%q gives %+v, %v; want %+v", text, c.Choice, err, want)
			continue
		}
		if want.Way != "" && !d.IsSet("choice.way") {
			t.Errorf("%q: choice.way does not count as set", text)
		}
	}
}

func TestLoadYAML_FaultsNameFileLineAndKey(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "http_port: 1\nhttp_prt: 2\n", "test.yaml:2: http_prt: unknown key; did you mean http_port?"},
		{"unknown key, but for its case", "HTTP_Port: 1\n", "test.yaml:1: HTTP_Port: unknown key; did you mean http_port?"},
		{"unknown key in a list", "mounts:\n  - path: /a\n    stor: x\n", "test.yaml:3: mounts[0].stor: unknown key; did you mean store?"},
		{"word for a number", "http_port: many\n", `test.yaml:1: http_port: "many" is not a whole number`},
		{"number without unit for a duration", "wait: 5\n", `test.yaml:1: wait: "5" is not a duration such as 500ms or 30s`},
		{"yes for true", "debug: yes\n", `test.yaml:1: debug: "yes" is not true or false`},
		{"block for a text", "name:\n  a: b\n", "test.yaml:2: name: must be a text, not a block of keys"},
		{"text for a block", "stores: x\n", `test.yaml:1: stores: must be a block of keys, not "x"`},
		{"list for a word or block", "choice: [a]\n", "test.yaml:1: choice: must be a block of keys, not a list"},
		{"text for a list of blocks", "mounts: x\n", `test.yaml:1: mounts: must be a list, not "x"`},
		{"key given twice", "name: a\nname: b\n", "test.yaml:2: name: is given twice; first at line 1"},
		{"two documents", "name: a\n---\nname: b\n", "test.yaml:2: a second document"},
		{"no YAML", "name: [a\n", "test.yaml:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := defaults()
			_, err := daemon.LoadYAML(writeConfig(t, tt.text), &c, "T", nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want it to contain %q", err, tt.want)
			}
		})
	}
}

func TestLoadYAML_TellsAllFaultsAtOnce(t *testing.T) {
	c := defaults()
	_, err := daemon.LoadYAML(writeConfig(t, "http_port: x\nnam: y\nwait: z\n"), &c, "T", nil)
	if n := len(daemon.Flatten(err)); n != 3 {
		t.Errorf("%d faults, want 3: %v", n, err)
	}
}

func TestLoadYAML_FaultsInTheEnvironmentNameTheVariable(t *testing.T) {
	c := defaults()
	_, err := daemon.LoadYAML("", &c, "T", []string{"T_HTTP_PORT=x"})
	if err == nil || err.Error() != `T_HTTP_PORT: http_port: "x" is not a whole number` {
		t.Errorf("error %v", err)
	}
}

func TestLoadYAML_NeverShowsSecrets(t *testing.T) {
	c := defaults()
	_, err := daemon.LoadYAML(writeConfig(t, "password: {a: hidden-word}\n"), &c, "T", nil)
	if err == nil || strings.Contains(err.Error(), "hidden-word") {
		t.Errorf("error %v", err)
	}
}

func TestLoadYAML_AFileOfCommentsIsEmpty(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		c := defaults()
		if _, err := daemon.LoadYAML(writeConfig(t, text), &c, "T", nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if diff := cmp.Diff(defaults(), c); diff != "" {
			t.Error(diff)
		}
	}
}

func TestDocument_TellsUnusedVariables(t *testing.T) {
	c := defaults()
	d, err := daemon.LoadYAML("", &c, "T", []string{"T_HTTP_PROT=1", "T_NAME=x", "TX=1"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"T_HTTP_PROT"}, d.UnusedVariables()); diff != "" {
		t.Error(diff)
	}
}

func TestDocument_WhereFallsBackToTheParent(t *testing.T) {
	c := defaults()
	d, err := daemon.LoadYAML(writeConfig(t, "name: a\nmounts:\n  - {path: /a}\n"), &c, "T", []string{"T_DEBUG=true"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"mounts[0].store": ":3", "debug": "T_DEBUG", "http_port": "test.yaml"} {
		if got := d.Where(key); !strings.HasSuffix(got, want) {
			t.Errorf("Where(%s) = %s, want …%s", key, got, want)
		}
	}
}

func FuzzLoadYAML(f *testing.F) {
	for _, s := range []string{"http_port: 1", "a: &x [*x]", "stores: {a: {dsn: b}}", "? [a]\n: b", "mounts: [[]]", "!!binary x: y", "hosts: [[[[", "name: !!null x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := defaults()
		_, err := daemon.LoadYAML(writeConfig(t, text), &c, "T", nil)
		if err != nil && !strings.Contains(err.Error(), "test.yaml:") {
			t.Errorf("the error does not name the file: %v", err)
		}
	})
}

func TestDocument_VerdictTellsWhatWasReadAndWhatWasChecked(t *testing.T) {
	c := defaults()
	d, err := daemon.LoadYAML(writeConfig(t, "wait: 5\nhttp_port: 0\nmounst: []\nextra: x\n"), &c, "T", nil)
	if err == nil || d == nil {
		t.Fatalf("document %v, error %v", d, err)
	}
	err = d.Verdict([]error{
		d.Fault("http_port", "is 0"),
		d.Fault("wait", "is too short"),        // it could not be read, so nothing is known of it
		d.Fault("extra.dsn", "is missing"),     // in what could not be read
		d.Fault("mounts", "name at least one"), // what was meant
		d.Fault("name", "is missing"),
	})
	var got []string
	for _, f := range daemon.Flatten(err) {
		_, text, _ := strings.Cut(f.Error(), "test.yaml")
		got = append(got, text)
	}
	want := []string{
		": name: is missing",
		`:1: wait: "5" is not a duration such as 500ms or 30s`,
		":2: http_port: is 0",
		":3: mounst: unknown key; did you mean mounts?",
		`:4: extra: must be a block of keys, not "x"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDocument_VerdictKeepsWhatIsSaidOfAKeyBesideAMisspeltOne(t *testing.T) {
	c := defaults()
	d, _ := daemon.LoadYAML(writeConfig(t, "http_prt: 1\nhttp_port: 0\n"), &c, "T", nil)
	if n := len(daemon.Flatten(d.Verdict([]error{d.Fault("http_port", "is 0")}))); n != 2 {
		t.Errorf("%d faults, want 2: %v", n, d.Verdict(nil))
	}
}

func TestDocument_WarningsComeByLine(t *testing.T) {
	d := daemon.NewDocument("x.conf")
	d.Warn("b", 7, "late")
	d.Warn("a", 2, "early")
	if err := d.Verdict(nil); err != nil {
		t.Errorf("a warning is a fault: %v", err)
	}
	if w := d.Warnings(); len(w) != 2 || w[0].Error() != "x.conf:2: a: early" || w[1].Error() != "x.conf:7: b: late" {
		t.Errorf("%v", w)
	}
}
