package elbd

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
)

//go:embed page
var pageFiles embed.FS

// pagePolicy lets the page use nothing but its own assets, and nobody else embed it.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// statusPage shows the status to people. The part that changes is fetched anew by a script every two seconds; without script the browser loads the whole
// page again every few seconds.
type statusPage struct {
	status    func() status
	log       *slog.Logger
	templates func() *template.Template // parsed for the first page: most ELBs show none for days
}

func newStatusPage(from func() status, log *slog.Logger) *statusPage {
	return &statusPage{status: from, log: log, templates: sync.OnceValue(parseTemplates)}
}

func parseTemplates() *template.Template {
	t := template.New("").Funcs(template.FuncMap{
		"span": formatSpan, "ago": formatAgo, "clock": formatClock, "stamp": formatStamp, "millis": formatMillis, "rate": formatRate, "share": formatShare, "tone": tone,
		"elsewhere": func(now time.Time, m lb.MemberStatus) memberVerdicts { return memberVerdicts{now, m.Verdicts} },
		"rows":      func(now time.Time, members, lost []lb.MemberStatus) memberRows { return memberRows{now, members, lost} },
	})
	return template.Must(t.ParseFS(pageFiles, "page/*.html"))
}

// pageData is what the templates get.
type pageData struct {
	status
	Troubles  []lb.MemberStatus
	Alarms    int // of Troubles, those that nobody chose
	Members   int
	Differing []peer           // other ELBs whose configuration is another one
	Question  lb.RouteQuestion // for the form
}

// routeData is what the page about the way of a request gets.
type routeData struct {
	Node, Version string
	Question      lb.RouteQuestion
	Answer        *lb.RouteAnswer // nil = nothing was asked yet
}

// memberRows is what the table of a pool gets.
type memberRows struct {
	Now           time.Time
	Members, Lost []lb.MemberStatus
}

// memberVerdicts is what the line of other ELBs' verdicts gets.
type memberVerdicts struct {
	Now      time.Time
	Verdicts []lb.Verdict
}

// Title names this ELB, and before it how many members are in trouble: a tab tells it unopened.
func (p pageData) Title() string {
	if p.Alarms > 0 {
		return fmt.Sprintf("(%d) %s – elb", p.Alarms, p.Node)
	}
	return p.Node + " – elb"
}

func (s *statusPage) serve(w http.ResponseWriter, _ *http.Request)     { s.render(w, "page.html") }
func (s *statusPage) serveLive(w http.ResponseWriter, _ *http.Request) { s.render(w, "live.html") }

func (s *statusPage) render(w http.ResponseWriter, name string) {
	data := pageData{status: s.status(), Question: lb.RouteQuestion{Path: "/"}}
	data.Troubles = data.troubles()
	data.Differing = slices.DeleteFunc(slices.Clone(data.Balancers), func(p peer) bool { return p.Config != epochOther })
	for _, m := range data.Troubles {
		if tone(m.Condition) == "bad" {
			data.Alarms++
		}
	}
	for _, p := range data.Pools {
		data.Members += len(p.Members)
	}
	s.write(w, name, data)
}

// serveRoute shows the way that a request would go.
func (s *statusPage) serveRoute(w http.ResponseWriter, data routeData) {
	s.write(w, "route.html", data)
}

func (s *statusPage) write(w http.ResponseWriter, name string, data any) {
	var b bytes.Buffer
	if err := s.templates().ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("admin page failed", "page", name, "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(b.Bytes()) // fails only when the browser is gone
}

// assets serves the style sheet, the script and the icon.
func (s *statusPage) assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for file, kind := range map[string]string{"elb.css": "text/css; charset=utf-8", "elb.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml"} {
			if r.PathValue("file") == file {
				w.Header().Set("Content-Type", kind)
				w.Header().Set("Cache-Control", "no-cache")
				http.ServeFileFS(w, r, pageFiles, "page/"+file)
				return
			}
		}
		http.NotFound(w, r)
	})
}

// tone is how bad a condition is: the class of its colour.
func tone(c lb.Condition) string {
	switch c {
	case lb.ConditionUp:
		return "ok"
	case lb.ConditionDown, lb.ConditionLost, lb.ConditionEjected, lb.ConditionStray:
		return "bad"
	case lb.ConditionUnproven, lb.ConditionSuspect, lb.ConditionDraining, lb.ConditionDrained, lb.ConditionJoining, lb.ConditionMaintenance:
		return "warn"
	}
	return "warn"
}

// formatSpan writes a duration with the two units that matter.
func formatSpan(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// formatAgo writes how long before now t was; "" for no time.
func formatAgo(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return formatSpan(now.Sub(t))
}

// formatClock writes a time of day in UTC, with the day before it unless that is now's.
func formatClock(now, t time.Time) string {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return t.UTC().Format(time.TimeOnly)
	}
	return t.UTC().Format("01-02 15:04:05")
}

func formatStamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// formatMillis writes seconds as milliseconds; "–" for none.
func formatMillis(seconds float64) string {
	ms := seconds * 1000
	switch {
	case ms == 0:
		return "–"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 10000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
}

func formatRate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return strconv.FormatFloat(perSecond, 'f', 1, 64)
	}
	return strconv.FormatFloat(perSecond, 'f', 0, 64)
}

// formatShare writes a part of one as per cent; a small one is never shown as none.
func formatShare(part float64) string {
	percent := strconv.FormatFloat(part*100, 'f', 1, 64)
	if part > 0 && percent == "0.0" {
		return "<0.1 %"
	}
	return strings.TrimSuffix(percent, ".0") + " %"
}
