package console

import (
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/regent-registry/regent/pkg/registry/console/texts"
)

// timeValue is a time as templates pass it.
type timeValue = time.Time

// formatSize writes a number of bytes for people.
func formatSize(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, unit := float64(n), 0
	for f >= 1023.95 && unit < 4 {
		f /= 1024
		unit++
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + " " + [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

func formatNumber(n int64) string { return strconv.FormatInt(n, 10) }

// capitalize makes a sentence of a message.
func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// formatTime leaves a time in a page, for [console.timesAt] to write for its reader. The zero time is a dash.
func formatTime(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	return template.HTML(timeTag + t.UTC().Format(time.RFC3339) + `"></time>`) //nolint:gosec // digits and our own words
}

// formatMoment is formatTime for a time that is to be read to the millisecond.
func formatMoment(t time.Time) template.HTML {
	return template.HTML(timeTag + t.UTC().Format("2006-01-02T15:04:05.000Z07:00") + `"></time>`) //nolint:gosec // digits and our own words
}

// relative writes a time as how long ago it is, when that is not long.
func (c *console) relative(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return t.Format("2006-01-02 15:04")
	case d < 45*time.Second:
		return c.say("just now")
	case d < 14*24*time.Hour:
		return c.formatAgo(d)
	}
	return t.Format("2006-01-02")
}

// timeUnit is a unit of time: how long spans are said in it, and how long ago something was. Languages inflect the two differently.
type timeUnit struct {
	size      time.Duration
	span, ago texts.Counted
}

// timeUnits are those that times are said in, the largest first.
var timeUnits = []timeUnit{
	{24 * time.Hour, counted("day", "days"), counted("day ago", "days ago")},
	{time.Hour, counted("hour", "hours"), counted("hour ago", "hours ago")},
	{time.Minute, counted("minute", "minutes"), counted("minute ago", "minutes ago")},
	{time.Second, counted("second", "seconds"), counted("second ago", "seconds ago")},
}

// inUnits measures a duration in its largest whole unit, at least a second.
func inUnits(d time.Duration) (int64, timeUnit) {
	d = max(d, time.Second)
	i := slices.IndexFunc(timeUnits, func(u timeUnit) bool { return d >= u.size })
	return int64(d / timeUnits[i].size), timeUnits[i]
}

// formatAgo writes how long ago something was, in the largest whole unit.
func (c *console) formatAgo(d time.Duration) string {
	n, unit := inUnits(d)
	return c.countOf(n, unit.ago)
}

// formatSpan writes a duration in its largest whole unit, at least a second.
func (c *console) formatSpan(d time.Duration) string {
	n, unit := inUnits(d)
	return c.countOf(n, unit.span)
}
