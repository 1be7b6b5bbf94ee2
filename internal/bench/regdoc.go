package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"text/template"
)

//go:embed registry.md.tmpl
var registryText string

// registrySection is where the document has what `bench registry` writes.
var registrySection = section{
	"<!-- registry: `make bench-registry` writes from here -->\n",
	"<!-- registry: to here -->\n",
}

// publishRegistry keeps the raw figures, prints the tables, and puts them into the document.
func publishRegistry(r regResults, o regOptions, out io.Writer) error {
	raw := o.from
	if raw == "" {
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return err
		}
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		raw = filepath.Join(o.out, "registry-"+r.Began.Format("20060102-150405")+".json")
		if err := os.WriteFile(raw, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	text, err := registryDocument(r)
	if err != nil {
		return err
	}
	if err := printRegistry(r, out); err != nil {
		return err
	}
	doc := o.doc
	if doc == "" && r.Complete {
		doc = publicDoc
	}
	if doc != "" {
		if err := registrySection.replace(doc, text); err != nil {
			return err
		}
		fmt.Fprintln(out, "written:", doc)
	}
	fmt.Fprintln(out, "raw figures:", raw)
	missed := 0
	for _, v := range r.verdicts() {
		if !v.Met() {
			missed++
		}
	}
	if o.strict && missed > 0 {
		return errBarMissed
	}
	return nil
}

// regTable is the rows of one operation.
type regTable struct {
	Op, Title string
	Rows      []regSummary
}

func (r regResults) tables() []regTable {
	var all []regTable
	for _, op := range operationTitles() {
		t := regTable{Op: op.Op, Title: op.Title}
		for _, c := range cells() {
			if row := r.summarise(c); c.Op == op.Op && row.Measured > 0 {
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// registryDocument is the text for readers.
func registryDocument(r regResults) (string, error) {
	t, err := template.New("registry").Funcs(template.FuncMap{
		"number": number, "within": within, "ratio": ratio, "within2": within2, "ratioOf": ratioOf, "rig": rigTitle, "statements": statementsOf,
	}).Parse(registryText)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{
		"R": r, "Date": r.Began.Format("2 January 2006"), "Tables": r.tables(), "Verdicts": r.verdicts(), "Invalid": r.invalid(),
		"Quiet": quietNoise, "Fewest": fewest,
	})
	return text.String(), err
}

// rigTitle says what a rig is, for readers.
func rigTitle(r rigName) string {
	return map[rigName]string{
		rigNode: "one node", rigCluster: "`elb` and three nodes", rigUngrouped: "one node, each change alone", rigEtcd: "etcd, gRPC",
		rigGateway: "etcd, JSON gateway", rigHello: "net/http alone", rigMariaDB: "MariaDB alone",
	}[r]
}

// statementsOf writes statements per operation of a rig that sends some.
func statementsOf(s regSummary) string {
	if s.Statements.Max == 0 {
		return ""
	}
	return ratioOf(s.Statements.Median)
}

// printRegistry prints a table for each operation, and the bars.
func printRegistry(r regResults, out io.Writer) error {
	for _, table := range r.tables() {
		fmt.Fprintf(out, "\n%s (%s)\n", table.Title, table.Op)
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "rig\top/s\tp50 ms\tp99 ms\tCPU us/op\t(min-max)\top/CPU s\tx etcd\t(min-max, n)\tx hello\tstmt/op\tnoise %\tkept\t")
		for _, row := range table.Rows {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t(%s)\t%s\t%s\t(%s, %d)\t%s\t%s\t%s\t%d of %d\t\n",
				row.Rig, number(row.Rate.Median), number(row.P50.Median), number(row.P99.Median), number(row.CPU.Median), within(row.CPU),
				number(row.PerCPU.Median), ratio(row.ToEtcd), within2(row.ToEtcd), row.ToEtcd.N, ratio(row.ToHello), statementsOf(row),
				number(row.Noise.Max), row.Rate.N, row.Measured)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, rec := range r.invalid() {
		fmt.Fprintf(out, "\nround %d %s\n", rec.Round, rec.line())
	}
	fmt.Fprintln(out, "\nbars of the registry")
	for _, v := range r.verdicts() {
		word := "met"
		switch {
		case !v.Judged():
			word = "not measured"
		case !v.Met():
			word = "MISSED"
		}
		fmt.Fprintf(out, "  %-12s  %s\n", word, v)
	}
	return nil
}

// String says the bar and what was measured.
func (v regVerdict) String() string {
	measured := fmt.Sprintf("%s (%s, %d rounds)", ratio(v.Value), within2(v.Value), v.Value.N)
	if v.Figure == figureStatements {
		return fmt.Sprintf("%s through %s, %s: %s, at most %s", v.Cell.Op, rigTitle(v.Cell.Rig), v.Figure, measured, ratioOf(v.Limit))
	}
	return fmt.Sprintf("%s through %s, %s, divided by %s of %s: %s, at least %s",
		v.Cell.Op, rigTitle(v.Cell.Rig), v.Figure, v.Rival.Op, rigTitle(v.Rival.Rig), measured, ratioOf(v.Limit))
}
