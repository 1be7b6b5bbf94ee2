package console

import (
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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

// formatCount writes a number with its thousands apart.
func formatCount(n int64) string {
	s := formatNumber(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// formatTime leaves a time in a page, for [timesAt] to write for its reader. The zero time is a dash.
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

func relative(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < -time.Minute:
		return t.Format("2006-01-02 15:04")
	case d < 45*time.Second:
		return "just now"
	case d < 14*24*time.Hour:
		return formatSpan(d) + " ago"
	}
	return t.Format("2006-01-02")
}

// formatSpan writes a duration in its largest whole unit, at least a second.
func formatSpan(d time.Duration) string {
	switch {
	case d < time.Minute:
		return plural(max(int64(d/time.Second), 1), "second", "seconds")
	case d < time.Hour:
		return plural(int64(d/time.Minute), "minute", "minutes")
	case d < 24*time.Hour:
		return plural(int64(d/time.Hour), "hour", "hours")
	}
	return plural(int64(d/(24*time.Hour)), "day", "days")
}

// plural writes a count with its word.
func plural[T int | int64](n T, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return formatCount(int64(n)) + " " + many
}
