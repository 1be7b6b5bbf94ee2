package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// chart is a small picture of how some figures went, drawn as SVG. What it shows stands beside it in a table.
type chart struct {
	Title, Unit string
	Lines       []series
	from, to    time.Time
}

// series is one line of a chart. Class says how it looks: main, calm, ok, warn or bad.
type series struct {
	Name, Class string
	points      []point
}

// point is a value at a time; NaN is a gap.
type point struct {
	at    time.Time
	value float64
}

// bounds are the newest, the smallest and the largest value; false without any.
func (s series) bounds() (now, least, most float64, ok bool) {
	least, most, now = math.Inf(1), math.Inf(-1), math.NaN()
	for _, p := range s.points {
		now = p.value
		if !math.IsNaN(p.value) {
			least, most, ok = min(least, p.value), max(most, p.value), true
		}
	}
	return now, least, most, ok
}

// Now, Least and Most are for the table.
func (s series) Now() string   { now, _, _, _ := s.bounds(); return formatFigure(now) }
func (s series) Least() string { _, least, _, ok := s.bounds(); return figureOr(least, ok) }
func (s series) Most() string  { _, _, most, ok := s.bounds(); return figureOr(most, ok) }

func figureOr(f float64, ok bool) string {
	if !ok {
		return "–"
	}
	return formatFigure(f)
}

// formatFigure writes a figure with about three digits; a dash for none.
func formatFigure(f float64) string {
	switch a := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return "–"
	case a >= 1000:
		return texts.Number(int64(math.Round(f)))
	case a >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case a >= 10:
		return trimmed(f, 1)
	case a >= 0.995:
		return trimmed(f, 2)
	}
	return trimmed(f, 3)
}

func trimmed(f float64, digits int) string {
	s := strconv.FormatFloat(f, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Top is the figure at the upper edge: the next one with a round number above all values.
func (c chart) Top() string { return formatFigure(c.top()) }

func (c chart) top() float64 {
	most := 0.0
	for _, l := range c.Lines {
		if _, _, m, ok := l.bounds(); ok {
			most = max(most, m)
		}
	}
	return roundUp(most)
}

// roundUp gives the smallest of 1, 2, 5, 10, 20, … and their parts that is not below f; 1 for nothing.
func roundUp(f float64) float64 {
	if f <= 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(f)))
	for _, n := range []float64{1, 2, 5} {
		if n*unit >= f*(1-1e-9) {
			return n * unit
		}
	}
	return 10 * unit
}

// chartAlt says in a sentence what the picture of a chart shows.
func (c *console) chartAlt(ch chart) string {
	said := make([]string, len(ch.Lines))
	for i, l := range ch.Lines {
		said[i] = c.say("%s now %s, at most %s", l.Name, l.Now(), l.Most())
	}
	return strings.TrimSpace(ch.Title+" "+ch.Unit) + ": " + strings.Join(said, "; ")
}

// The picture's own units; the page stretches it.
const chartWidth, chartHeight = 300, 100

// Picture draws the lines, and one across the middle; alt says what it shows.
func (c chart) Picture(alt string) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(alt))
	fmt.Fprintf(&b, `<path class="grid" d="M0 %d H%d M0 0 H%d"></path>`, chartHeight/2, chartWidth, chartWidth)
	top := c.top()
	for _, l := range c.Lines {
		if d := l.path(c.from, c.to, top); d != "" {
			fmt.Fprintf(&b, `<path class="line-%s" d="%s"></path>`, l.Class, d)
		}
	}
	b.WriteString(`</svg>`)
	//nolint:gosec // numbers, names of ours, and the escaped sentence
	return template.HTML(b.String())
}

// path is the line in the picture's units. A single point between gaps is drawn as a short dash.
func (s series) path(from, to time.Time, top float64) string {
	var b strings.Builder
	drawn := 0 // points since the last gap
	for _, p := range s.points {
		x := chartWidth * float64(p.at.Sub(from)) / float64(to.Sub(from))
		if math.IsNaN(p.value) || math.IsInf(p.value, 0) || x < 0 || x > chartWidth {
			drawn = 0
			continue
		}
		y := chartHeight * (1 - p.value/top)
		command := "L"
		if drawn == 0 {
			command = "M"
		}
		fmt.Fprintf(&b, "%s%s %s", command, trimmed(x, 1), trimmed(y, 1))
		if drawn == 0 {
			b.WriteString("h.5")
		}
		drawn++
	}
	return b.String()
}
