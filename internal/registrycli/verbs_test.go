package registrycli_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/regent-registry/regent/internal/registrycli"
)

// TestVerbs_AreDocumentedAndCompleted: docs/cli.md shows each verb at work, the completion offers it, and its help tells each of its flags.
func TestVerbs_AreDocumentedAndCompleted(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	none := func(http.ResponseWriter, *http.Request) {}
	_, offered, _ := run(t, none, "__complete", "")
	verbs := regexp.MustCompile(`(?m)^  registry (\S+)`).FindAllStringSubmatch(registrycli.Usage(), -1)
	if len(verbs) < 30 {
		t.Fatalf("the usage has %d verbs", len(verbs))
	}
	for _, m := range verbs {
		verb := m[1]
		if !regexp.MustCompile(`(?m)(^|[ ("` + "`" + `])registry ` + verb + `\b`).Match(text) {
			t.Errorf("docs/cli.md does not show registry %s", verb)
		}
		if !strings.Contains("\n"+offered, "\n"+verb+"\n") {
			t.Errorf("the completion does not offer %s", verb)
		}
		_, help, _ := run(t, none, verb, "-h")
		_, flags, _ := run(t, none, "__complete", verb, "-")
		for name := range strings.FieldsSeq(flags) {
			if !strings.Contains(help, "  "+name+" ") && !strings.Contains(help, "  "+name+"\n") && !strings.Contains(help, "  "+name+"\t") {
				t.Errorf("registry %s -h does not tell the flag %s", verb, name)
			}
		}
		if flags == "" {
			t.Errorf("the completion offers no flags of %s", verb)
		}
	}
}
