package e2e_test

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// h2specModule is the program, as internal/tools/go.mod has it.
const h2specModule = "github.com/summerwind/h2spec/cmd/h2spec"

// minH2spec is how many cases the groups generic, http2 and hpack have at least; fewer were a run that broke off.
const minH2spec = 140

// h2specReport is the part of h2spec's report that counts.
type h2specReport struct {
	Suites []struct {
		Package string `xml:"package,attr"`
		Cases   []struct {
			Name    string    `xml:"classname,attr"`
			Failure *h2detail `xml:"failure"`
			Error   *h2detail `xml:"error"`
			Skipped *h2detail `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type h2detail struct {
	Text string `xml:",chardata"`
}

// TestAttack_H2spec runs h2spec's groups generic, http2 and hpack against the HTTPS port.
func TestAttack_H2spec(t *testing.T) {
	slow(t)
	t.Parallel()
	r := startRecorder(t)
	elb := startLoneELB(t, smugglingTimeouts, []loneService{{"127.0.0.1", []string{loopback(r.port)}}})
	cases, failed := 0, map[string]string{}
	for _, suite := range runH2spec(t, portOf(t, elb.httpsAddr)).Suites {
		for _, c := range suite.Cases {
			cases++
			name := suite.Package + ": " + c.Name
			for _, detail := range []*h2detail{c.Failure, c.Error, c.Skipped} {
				if detail != nil {
					failed[name] = detail.Text
				}
			}
		}
	}
	if cases < minH2spec {
		t.Errorf("h2spec ran %d cases", cases)
	}
	for name, detail := range failed {
		t.Errorf("%s: %s", name, detail)
	}
	t.Logf("%d of %d cases pass", cases-len(failed), cases)
	_, faults := r.since(mark{})
	for _, f := range faults {
		t.Errorf("bytes at the member that are no request: %s", f)
	}
}

// runH2spec builds the program and gives its report.
func runH2spec(t *testing.T, port int) (report h2specReport) {
	t.Helper()
	dir := t.TempDir()
	program, file := filepath.Join(dir, "h2spec"), filepath.Join(dir, "report.xml")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile=../tools/go.mod", "-o", program, h2specModule)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := startProgram(t, "h2spec", program, "generic", "http2", "hpack",
		"--tls", "--insecure", "--host", "127.0.0.1", "--port", strconv.Itoa(port), "--timeout", "2", "--junit-report", file)
	_ = awaitEnd(t, run, 2*time.Minute) // a failed case is an error status too; the report tells more
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}
