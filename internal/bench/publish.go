package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
)

//go:embed performance.md.tmpl
var documentText string

// errBarMissed is the failure of -strict.
var errBarMissed = errors.New("a bar is missed or was not measured")

// publish keeps the raw figures, writes the document and prints the tables.
func publish(r results, o options, out io.Writer) error {
	raw := o.from
	if raw == "" {
		var err error
		if raw, err = saveResults(r, o.out); err != nil {
			return err
		}
	}
	doc := o.doc
	switch {
	case doc != "":
	case r.Complete:
		doc = publicDoc
	default:
		doc = filepath.Join(o.out, filepath.Base(publicDoc))
	}
	failures, err1 := failuresSection.kept(publicDoc)
	registry, err2 := registrySection.kept(publicDoc)
	scale, err3 := scaleSection.kept(publicDoc)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	text, err := document(r, failures, registry, scale)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(doc), 0o755); err != nil { // for everybody to read
		return err
	}
	if err := os.WriteFile(doc, text, 0o644); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	if err := printTables(r, out); err != nil {
		return err
	}
	missed := printVerdicts(r, out)
	fmt.Fprintf(out, "\nwritten: %s, %s\n", doc, raw)
	if missed > 0 && o.strict {
		return errBarMissed
	}
	return nil
}

func saveResults(r results, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "lb-"+r.Began.Format("20060102-150405")+".json")
	return file, os.WriteFile(file, append(text, '\n'), 0o600)
}

// loadResults reads the results of an earlier run.
func loadResults[T results | regResults](file string) (T, error) {
	var r T
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// summaries are the rows of a scenario, in the order of the proxies.
func (r results) summaries(s scenario) []summary {
	var rows []summary
	for _, p := range r.Proxies {
		if row := r.summarise(s.Name, p); row.Measured > 0 {
			rows = append(rows, row)
		}
	}
	return rows
}

// invalid are the runs that do not count.
func (r results) invalid() []record {
	return invalidOf(r.Records, func(rec record) string { return rec.Invalid })
}

// printTables prints a table for each scenario.
func printTables(r results, out io.Writer) error {
	for _, s := range r.Scenarios {
		fmt.Fprintf(out, "\n%s (%s)\n", s.Title, s.Name)
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "proxy\treq/s\tp50 ms\tp99 ms\tCPU us/req\t(min-max)\tx haproxy\t(min-max, n)\tMiB\tx haproxy\tnoise %\tkept\t")
		for _, row := range r.summaries(s) {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t(%s)\t%s\t(%s, %d)\t%s\t%s\t%s\t%d of %d\t\n",
				row.Proxy, number(row.Rate.Median), number(row.P50.Median), number(row.P99.Median), number(row.CPU.Median), within(row.CPU),
				ratio(row.CPURatio), within2(row.CPURatio), row.CPURatio.N, number(row.Memory.Median), ratio(row.MemoryRatio),
				number(row.Noise.Max), row.Rate.N, row.Measured)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	for _, rec := range r.invalid() {
		fmt.Fprintf(out, "\nround %d %s\n", rec.Round, rec.line())
	}
	return nil
}

// printVerdicts prints what became of the bars and counts those that were not met.
func printVerdicts(r results, out io.Writer) int {
	missed := 0
	fmt.Fprintf(out, "\nbars of %s\n", subject)
	for _, v := range r.verdicts() {
		word := "met"
		if !v.Met() {
			missed++
			word = "MISSED"
		}
		if !v.Judged() {
			word = "not measured"
		}
		fmt.Fprintf(out, "  %-12s  %s: %s <= %s x %s: %s\n", word, v.Title, v.Figure, ratioOf(v.Limit), v.Rival, ratio(v.Ratio))
	}
	return missed
}

// document is the text for readers, with the sections of the other measurements as they were.
func document(r results, failures, registry, scale string) ([]byte, error) {
	t, err := template.New("performance").Funcs(template.FuncMap{
		"number": number, "within": within, "ratio": ratio, "within2": within2, "ratioOf": ratioOf, "percent": percent,
	}).Parse(documentText)
	if err != nil {
		return nil, err
	}
	type load struct {
		scenario
		Rows []summary
	}
	var loads []load
	for _, s := range r.Scenarios {
		if rows := r.summaries(s); len(rows) > 0 {
			loads = append(loads, load{s, rows})
		}
	}
	logged := r.loggedShares()
	var text strings.Builder
	err = t.Execute(&text, map[string]any{
		"R": r, "Date": r.Began.Format("2 January 2006"), "Sections": loads, "Verdicts": r.verdicts(), "Invalid": r.invalid(),
		"Yardstick": yardstick, "Subject": subject, "Cipher": cipher, "Quiet": quietNoise, "Fewest": fewest, "Logged": spreadOf(logged),
		"Members": memberCount, "Warm": warmUp, "Failures": failuresSection.whole(failures), "Registry": registrySection.whole(registry), "Scale": scaleSection.whole(scale),
	})
	return []byte(text.String()), err
}

// loggedShares are the parts of the requests that the subject logged, run by run.
func (r results) loggedShares() []float64 {
	var shares []float64
	for _, s := range r.Scenarios {
		for _, rec := range r.of(s.Name, subject) {
			shares = append(shares, rec.Logged)
		}
	}
	return shares
}

// number writes a figure with three digits or more, thousands set apart.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case v >= 1000:
		return thousands(int64(math.Round(v)))
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func ratioOf(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func ratio(s spread) string {
	if s.N == 0 {
		return "-"
	}
	return ratioOf(s.Median)
}

func within(s spread) string { return number(s.Min) + "-" + number(s.Max) }

func within2(s spread) string { return ratioOf(s.Min) + "-" + ratioOf(s.Max) }

func percent(v float64) string { return strconv.FormatFloat(v*100, 'f', 1, 64) }
