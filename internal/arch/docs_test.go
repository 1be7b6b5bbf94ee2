package arch_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/internal/elbd"
	"github.com/regent-registry/regent/internal/registryd"
)

// row is a line of a table in docs/: its cells, without the marks of code.
type row []string

// tableRows gives the rows of all tables between the heading and the next one of its rank whose first cell is code, by that cell.
func tableRows(t *testing.T, file, heading string) map[string]row {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rank, _, _ := strings.Cut(heading, " ")
	_, section, found := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	if !found {
		t.Fatalf("%s has no heading %q", file, heading)
	}
	section, _, _ = strings.Cut(section, "\n"+rank+" ")
	rows := map[string]row{}
	for line := range strings.SplitSeq(section, "\n") {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		var cells row
		for cell := range strings.SplitSeq(strings.Trim(line, "| "), " | ") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		if _, twice := rows[cells[0]]; twice {
			t.Errorf("%s, %s: %s stands there twice", file, heading, cells[0])
		}
		rows[cells[0]] = cells
	}
	return rows
}

// TestConfigurationDoc_IsTheConfiguration: each key has a row with its default and its environment variable, and each row is a key.
func TestConfigurationDoc_IsTheConfiguration(t *testing.T) {
	for heading, c := range map[string]struct {
		prefix string
		config any
	}{
		"## elb.yaml":      {elbd.EnvPrefix, elbd.Default()},
		"## registry.yaml": {registryd.EnvPrefix, registryd.Default()},
	} {
		rows := tableRows(t, "../../docs/configuration.md", heading)
		d := &keyChecker{t: t, heading: heading, rows: rows, known: map[string]bool{}}
		d.structure(reflect.ValueOf(c.config), "", c.prefix, true)
		for key := range rows {
			if !d.known[key] {
				t.Errorf("docs/configuration.md, %s: there is no key %s", heading, key)
			}
		}
	}
}

// keyChecker walks a configuration and looks every key up in the rows. The key of a map stands there as the map's name in the singular,
// in capitals: stores.STORE.dsn.
type keyChecker struct {
	t       *testing.T
	heading string
	rows    map[string]row
	known   map[string]bool
}

// structure visits the fields of v. env is the variable of v, "" where none reaches; defaults tells whether v holds the defaults.
func (d *keyChecker) structure(v reflect.Value, key, env string, defaults bool) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		path, variable := strings.TrimPrefix(key+"."+name, "."), ""
		if env != "" {
			variable = env + "_" + strings.ToUpper(name)
		}
		d.field(v.Field(i), name, path, variable, defaults)
	}
}

func (d *keyChecker) field(v reflect.Value, name, key, env string, defaults bool) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(v, key, env, defaults)
	case reflect.Pointer:
		d.row(key, "", nil)
		d.structure(reflect.Zero(v.Type().Elem()), key, env, false)
	case reflect.Map:
		d.row(key, "", nil)
		element := strings.ToUpper(strings.TrimSuffix(name, "s"))
		d.structure(reflect.Zero(v.Type().Elem()), key+"."+element, env+"_"+element, false)
	case reflect.Slice:
		d.row(key, env, nil)
		if v.Type().Elem().Kind() == reflect.Struct {
			d.structure(reflect.Zero(v.Type().Elem()), key+"[]", "", false)
		}
	default:
		if !defaults {
			d.row(key, env, nil)
			return
		}
		d.row(key, env, &v)
	}
}

// row looks one key up. The default is not compared when it is nil.
func (d *keyChecker) row(key, env string, standard *reflect.Value) {
	d.known[key] = true
	cells, ok := d.rows[key]
	switch {
	case !ok:
		d.t.Errorf("docs/configuration.md, %s has no row for %s", d.heading, key)
	case len(cells) != 4:
		d.t.Errorf("docs/configuration.md, %s: the row of %s has %d cells; 4 are key, default, variable and meaning", d.heading, key, len(cells))
	case env != "" && cells[2] != env:
		d.t.Errorf("docs/configuration.md, %s: the variable of %s is %s, not %s", d.heading, key, env, cells[2])
	case standard != nil && !says(cells[1], *standard):
		d.t.Errorf("docs/configuration.md, %s: the default of %s is %v, not %s", d.heading, key, standard.Interface(), cells[1])
	}
}

// says tells whether a text of a document is the value.
func says(text string, v reflect.Value) bool {
	if d, ok := v.Interface().(time.Duration); ok {
		said, err := time.ParseDuration(text)
		return err == nil && said == d
	}
	switch v.Kind() {
	case reflect.String:
		return strings.Trim(text, `"`) == v.String()
	case reflect.Bool:
		return text == strconv.FormatBool(v.Bool())
	default:
		return text == strconv.FormatInt(v.Int(), 10)
	}
}

// TestOperatingDoc_NamesTheMetrics: what the programs measure is what the table explains.
func TestOperatingDoc_NamesTheMetrics(t *testing.T) {
	rows := tableRows(t, "../../docs/operating.md", "## Metrics")
	measured := metricNames(t)
	if len(measured) < 20 {
		t.Fatalf("only %d metrics were found in the code: %v", len(measured), measured)
	}
	for name, file := range measured {
		if _, ok := rows[name]; !ok {
			t.Errorf("docs/operating.md does not name the metric %s of %s", name, file)
		}
	}
	for name := range rows {
		if _, ok := measured[name]; !ok {
			t.Errorf("docs/operating.md names the metric %s, which no code has", name)
		}
	}
}

var metricName = regexp.MustCompile(`^(elb|registry|membership)_[a-z_]+$`)

// metricNames finds the metrics of our programs, each with the file that makes it: the texts of that form in files that import Prometheus' client.
// Those of the registries at run time would miss what appears with its first event.
func metricNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	eachFile(t, []string{".go"}, func(file string, text []byte) {
		if strings.HasSuffix(file, "_test.go") || !strings.Contains(string(text), `"github.com/prometheus/client_golang/prometheus"`) {
			return
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			switch s := strings.Trim(literal.Value, "\"`"); {
			case s == "_build_info": // daemon.NewMetrics puts the program's name before it
				names["elb"+s], names["registry"+s] = file, file
			case file == filepath.Join("pkg", "membership", "metrics.go") && metricName.MatchString("membership"+s): // its Config.MetricPrefix before it
				names["elb_gossip"+s], names["membership"+s] = file, file
			case metricName.MatchString(s):
				names[s] = file
			}
			return true
		})
	})
	return names
}

// TestDashboard_AsksForMetricsThatAreThere: a panel whose metric has another name now is silently empty. Labels of queries are those of the table.
func TestDashboard_AsksForMetricsThatAreThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana-elb.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	measured := metricNames(t)
	rows := tableRows(t, "../../docs/operating.md", "## Metrics")
	asked := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			for _, m := range queriedMetric.FindAllStringSubmatch(target.Expr, -1) {
				asked++
				name := m[1]
				if _, ok := measured[name]; !ok {
					name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
				}
				if _, ok := measured[name]; !ok {
					t.Errorf("docs/grafana-elb.json, %s: no code has the metric %s", p.Title, m[1])
				}
				for _, label := range queriedLabel.FindAllStringSubmatch(m[2], -1) {
					if label[1] != "instance" && !slices.Contains(labelsOf(rows[name]), label[1]) {
						t.Errorf("docs/grafana-elb.json, %s: %s has no label %s", p.Title, name, label[1])
					}
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d metrics were found in the dashboard", asked)
	}
}

// labelsOf are the labels in the row of a metric.
func labelsOf(cells row) []string {
	if len(cells) < 3 {
		return nil
	}
	var labels []string
	for label := range strings.SplitSeq(cells[2], ",") {
		labels = append(labels, strings.Trim(label, " `"))
	}
	return labels
}

var (
	queriedMetric = regexp.MustCompile(`\b((?:elb|registry|membership)_[a-z_]+)(?:\{([^}]*)\})?`)
	queriedLabel  = regexp.MustCompile(`([a-z_]+)(?:=|!=|=~|!~)"`)
)

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestDocs_LinksLeadSomewhere follows the links from one file of the tree to another, and to its headings.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	root := filepath.Join("..", "..")
	eachFile(t, []string{".md"}, func(file string, text []byte) {
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target, anchor, _ := strings.Cut(m[1], "#")
			path := filepath.Join(root, file)
			if target != "" {
				path = filepath.Join(root, filepath.Dir(file), target)
			}
			found, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(string(found)), anchor) {
				t.Errorf("%s links to %s, which has no such heading", file, m[1])
			}
		}
	})
}

var notInAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)

// anchors are the names that GitHub gives to the headings of a document.
func anchors(text string) []string {
	var names []string
	for line := range strings.SplitSeq(text, "\n") {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			names = append(names, strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title), ""), " ", "-"))
		}
	}
	return names
}
