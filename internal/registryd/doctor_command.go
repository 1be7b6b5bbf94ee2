package registryd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// examine says what a node with this configuration would stand on, without being one: it serves nothing and changes nothing. The error counts the findings
// on which a node would not start.
func examine(ctx context.Context, in daemon.Invocation) error {
	c, doc, _, err := load(in)
	if err != nil {
		return err
	}
	checks := []registry.Check{c.limitsCheck()}
	if c.TLS.Own() {
		files, err := daemon.ReadTLS(c.TLS, nil, nil)
		if err != nil {
			return err
		}
		checks = append(checks, registry.Check{Name: "certificate", Run: func(context.Context) []registry.Finding {
			return certificates(files.CertificateEnds(), time.Now())
		}})
	}
	found := registry.RunChecks(ctx, checks)
	for _, name := range sortedKeys(c.Stores) {
		ctx, cancel := context.WithTimeout(ctx, examineLimit)
		list, err := sqlstore.Examine(ctx, c.storeConfig(name), sqlstore.Surroundings{ContentLimit: c.MaxContentSize})
		cancel()
		if err != nil {
			return doc.Fault("stores."+name+".dsn", "%s", err)
		}
		found = append(found, list...)
	}
	e := registry.Examination{Findings: c.accept(found)}
	writeFindings(in.Stdout, e.Findings)
	if n := e.Count(registry.SeverityError); n > 0 {
		return fmt.Errorf("errors: %d; a node would not start", n)
	}
	return nil
}

func writeFindings(out io.Writer, found []registry.Finding) {
	for _, f := range found {
		fmt.Fprintf(out, "%-8s %-12s %-12s %s\n", f.Severity, cmp.Or(f.Store, "node"), f.Check, f.What)
		if f.Why != "" {
			fmt.Fprintf(out, "%34s Why: %s.\n%34s What to do: %s.\n", "", f.Why, "", f.Do)
		}
	}
}
