package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/regent-registry/regent/internal/drill"
)

//go:embed failures.md.tmpl
var failureText string

// failuresSection is where the document has what `bench failures` writes.
var failuresSection = section{
	"<!-- failures: `make bench-failures` writes from here -->\n",
	"<!-- failures: to here -->\n",
}

// The bars of elb under failures.
const (
	stallBar = 1500 * time.Millisecond // of a GET when a member freezes
	lagBar   = 300 * time.Millisecond  // of the other elb when a member is killed
)

// rowKey says which requests are summed up together.
type rowKey struct {
	failure failure
	proxy   string
	post    bool
}

// failureRow is what became of all requests of one method, over all events of a kind.
type failureRow struct {
	Failure   failure       `json:"failure"`
	Proxy     string        `json:"proxy"`
	Events    int           `json:"events"`
	Get       drill.Summary `json:"get"`
	Post      drill.Summary `json:"post"`
	Held      int           `json:"held"`
	AfterDead int           `json:"after_dead"`
	Stall     time.Duration `json:"stall"` // median of the events' slowest GETs; Get.Max is the slowest of all
	Back      time.Duration `json:"back"`  // median
	Lags      []time.Duration
}

// sumUp makes the rows.
func (r *failureResults) sumUp() {
	var proxies []string
	for _, v := range r.Versions {
		proxies = append(proxies, v.Program)
	}
	for _, f := range []failure{calm, kill, freeze} {
		for _, p := range proxies {
			if row := r.row(f, p); row.Events > 0 {
				r.Rows = append(r.Rows, row)
			}
		}
	}
}

func (r *failureResults) row(f failure, proxy string) failureRow {
	all := func(drill.Sample) bool { return true }
	row := failureRow{
		Failure: f, Proxy: proxy,
		Get: drill.Summarise(r.samples[rowKey{f, proxy, false}], all), Post: drill.Summarise(r.samples[rowKey{f, proxy, true}], all),
	}
	var stalls, backs []time.Duration
	for _, e := range r.Events {
		if e.Failure != f || e.Proxy != proxy {
			continue
		}
		row.Events++
		row.Held += e.Held
		row.AfterDead += e.AfterDead
		stalls, backs = append(stalls, e.Get.Max), append(backs, e.BackAfter)
		if e.Lagged {
			row.Lags = append(row.Lags, e.Lag)
		}
	}
	slices.Sort(stalls)
	slices.Sort(backs)
	slices.Sort(row.Lags)
	row.Stall, row.Back = drill.Quantile(stalls, 0.5), drill.Quantile(backs, 0.5)
	return row
}

// missed are the bars that elb did not reach, in words.
func (r *failureResults) missed() (missed []string) {
	for _, row := range r.Rows {
		if row.Proxy != subject {
			continue
		}
		if n := row.Get.Failures(); n > 0 {
			missed = append(missed, fmt.Sprintf("%s: %d GETs failed", row.Failure, n))
		}
		if n := row.Post.Failures(); n > 0 && row.Failure != kill {
			missed = append(missed, fmt.Sprintf("%s: %d POSTs failed", row.Failure, n))
		}
		if row.AfterDead > 0 { // those that were sent before may have been on the member
			missed = append(missed, fmt.Sprintf("%s: %d requests failed that were sent when the member was dead", row.Failure, row.AfterDead))
		}
		if row.Failure == freeze && row.Get.Max > stallBar {
			missed = append(missed, fmt.Sprintf("%s: a GET took %v", row.Failure, row.Get.Max))
		}
		if worst := drill.Quantile(row.Lags, 1); row.Failure == kill && worst > lagBar {
			missed = append(missed, fmt.Sprintf("%s: the other elb followed after %v", row.Failure, worst))
		}
	}
	return missed
}

// failureSection is the text for readers.
func failureSection(r failureResults) (string, error) {
	t, err := template.New("failures").Funcs(template.FuncMap{
		"ms":    func(d time.Duration) string { return number(d.Seconds() * 1e3) },
		"count": func(n int) string { return thousands(int64(n)) },
		"words": failedWords,
		"worst": func(d []time.Duration) time.Duration { return drill.Quantile(d, 1) },
		"mid":   func(d []time.Duration) time.Duration { return drill.Quantile(d, 0.5) },
	}).Parse(failureText)
	if err != nil {
		return "", err
	}
	sections := map[failure][]failureRow{}
	for _, row := range r.Rows {
		sections[row.Failure] = append(sections[row.Failure], row)
	}
	var text strings.Builder
	err = t.Execute(&text, map[string]any{
		"R": r, "Date": r.Began.Format("2 January 2006"), "Calm": sections[calm], "Kill": sections[kill], "Freeze": sections[freeze],
		"Missed": r.missed(), "Rate": failRate, "Members": failMembers, "Workers": failWorkers, "Service": failService, "Posts": failPosts,
		"Frozen": frozenTime, "Dead": deadTime, "Limit": failLimit, "StallBar": stallBar, "LagBar": lagBar, "Kills": r.Rounds * r.Kills, "Freezes": r.Rounds * r.Freezes,
	})
	return text.String(), err
}

// failedWords tells how many failed, and how: "12 (reset 10, 502 2)".
func failedWords(s drill.Summary) string {
	if s.Failures() == 0 {
		return "0"
	}
	type kind struct {
		word string
		n    int
	}
	var kinds []kind
	for word, n := range s.Failed {
		kinds = append(kinds, kind{word, n})
	}
	slices.SortFunc(kinds, func(a, b kind) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return strings.Compare(a.word, b.word)
	})
	var words []string
	for _, k := range kinds {
		words = append(words, fmt.Sprintf("%s: %d", k.word, k.n))
	}
	return fmt.Sprintf("**%d** (%s)", s.Failures(), strings.Join(words, ", "))
}
