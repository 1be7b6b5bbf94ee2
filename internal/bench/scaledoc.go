package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed scale.md.tmpl
var scaleText string

// scaleSection is where the document has what `bench scale` writes.
var scaleSection = section{
	"<!-- scale: `make scale` writes from here -->\n",
	"<!-- scale: to here -->\n",
}

// scaleRow is an operation on one kind of database, over all rounds.
type scaleRow struct {
	Title    string
	CPU, P50 [2]spread // in the small and in the large store
	CPURatio spread    // of the two stores in one round
	P50Ratio spread
	Rows     [2]float64
	Answer   [2]string
}

// Met tells whether the CPU time stays within the bar.
func (r scaleRow) Met() bool { return r.CPURatio.Median <= scaleLimit }

// scaleTable is the operations on one kind of database.
type scaleTable struct {
	Database string
	Rows     []scaleRow
}

func (r scaleResults) tables() []scaleTable {
	var all []scaleTable
	for _, db := range []string{sqliteName, mariadbName} {
		t := scaleTable{Database: db}
		for _, op := range scaleOps() {
			if row, ok := r.row(db, op); ok {
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows) > 0 {
			all = append(all, t)
		}
	}
	return all
}

func (r scaleResults) row(db string, op scaleOp) (scaleRow, bool) {
	row := scaleRow{Title: op.title}
	var cpu, p50 [2][]float64
	for _, rec := range r.Records {
		if rec.Database != db || rec.Op != op.name {
			continue
		}
		i := 0
		if rec.Large {
			i = 1
		}
		cpu[i], p50[i] = append(cpu[i], rec.CPU), append(p50[i], rec.P50)
		row.Rows[i], row.Answer[i] = rec.Rows, rec.Answer
	}
	if len(cpu[0]) == 0 || len(cpu[0]) != len(cpu[1]) {
		return row, false
	}
	for i := range cpu {
		row.CPU[i], row.P50[i] = spreadOf(cpu[i]), spreadOf(p50[i])
	}
	row.CPURatio, row.P50Ratio = spreadOf(quotients(cpu)), spreadOf(quotients(p50))
	return row, true
}

// quotients divides what the large store took by what the small one took in the same round.
func quotients(of [2][]float64) []float64 {
	list := make([]float64, len(of[0]))
	for i := range list {
		list[i] = of[1][i] / of[0][i]
	}
	return list
}

// scaleDocument is the text for readers.
func scaleDocument(r scaleResults) (string, error) {
	t, err := template.New("scale").Funcs(template.FuncMap{"number": number, "ratio": ratio, "within2": within2, "mib": func(n int64) int64 { return n >> 20 }}).Parse(scaleText)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{"R": r, "Date": r.Began.Format("2 January 2006"), "Tables": r.tables(), "Limit": scaleLimit})
	return text.String(), err
}

// publishScale keeps the raw figures, prints the tables, and puts them into the document.
func publishScale(r scaleResults, o scaleOptions, out io.Writer) error {
	raw := o.from
	if raw == "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		raw = filepath.Join(o.out, "scale-"+r.Began.Format("20060102-150405")+".json")
		if err := os.WriteFile(raw, append(text, '\n'), 0o600); err != nil {
			return err
		}
	}
	text, err := scaleDocument(r)
	if err != nil {
		return err
	}
	fmt.Fprint(out, text)
	doc := o.doc
	if doc == "" && r.Complete {
		doc = publicDoc
	}
	if doc != "" {
		if err := scaleSection.replace(doc, text); err != nil {
			return err
		}
		fmt.Fprintln(out, "written:", doc)
	}
	fmt.Fprintln(out, "raw figures:", raw)
	if o.strict {
		for _, t := range r.tables() {
			for _, row := range t.Rows {
				if !row.Met() {
					return errBarMissed
				}
			}
		}
	}
	return nil
}
