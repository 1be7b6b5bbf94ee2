package texts

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	// holes are what a text of a template has besides words.
	holes = regexp.MustCompile(`\{(\d+)\}|<(/?)(\d+)>`)
	// verbs are those of formats, as far as messages have them.
	verbs = regexp.MustCompile(`%(?:\[(\d+)\])?([-+#0]*\d*(?:\.\d+)?)([a-zA-Z%])`)
)

// matches tells what a translation lacks of its English text, or has more. Only then can it take its place: a page is whole with it, and nothing in it
// is markup but what was there.
func matches(english, text string) error {
	if format := verbs.MatchString(english); format && strings.Contains(verbs.ReplaceAllString(text, ""), "%") {
		return errors.New("it has a percent sign that stands for no value; beside values a plain one is written %%")
	}
	want, err := markersOf(english)
	if err != nil {
		return fmt.Errorf("the English text: %w", err)
	}
	got, err := markersOf(text)
	if err != nil {
		return err
	}
	for _, marker := range slices.Sorted(maps.Keys(want)) {
		if got[marker] != want[marker] {
			return fmt.Errorf("it has %s %d times; the English text has it %d times", marker, got[marker], want[marker])
		}
	}
	for _, marker := range slices.Sorted(maps.Keys(got)) {
		if want[marker] == 0 {
			return fmt.Errorf("it has %s, which the English text has not", marker)
		}
	}
	return nil
}

// markersOf counts the holes and verbs of a text. Elements must enclose each other as in any page.
func markersOf(text string) (map[string]int, error) {
	markers := map[string]int{}
	var open []string
	for _, m := range holes.FindAllStringSubmatch(text, -1) {
		markers[m[0]]++
		switch {
		case m[1] != "":
		case m[2] == "":
			open = append(open, m[3])
		case len(open) == 0 || open[len(open)-1] != m[3]:
			return nil, fmt.Errorf("%s closes what is not open there", m[0])
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("<%s> is not closed", open[len(open)-1])
	}
	next := 1
	for _, m := range verbs.FindAllStringSubmatch(text, -1) {
		if m[3] == "%" {
			continue // it stands for no value
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1]) // digits; too many of them are a number that English has not
		}
		markers[fmt.Sprintf("%%[%d]%s", next, m[2]+m[3])]++
		next++
	}
	return markers, nil
}
