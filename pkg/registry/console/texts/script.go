package texts

import (
	"encoding/json"
	"regexp"
)

// scripted are the texts of a script: what it hands to its function say, as a string in double quotes.
var scripted = regexp.MustCompile(`\bsay\(("(?:[^"\\\n]|\\.)*")`)

// OfScript lists the texts of a script, in their order.
func OfScript(source []byte) (texts []string, err error) {
	for _, m := range scripted.FindAllSubmatch(source, -1) {
		var text string
		if err := json.Unmarshal(m[1], &text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// Script puts the language's texts into a script.
func (c *Catalogue) Script(source []byte) []byte {
	if c == nil {
		return source
	}
	return scripted.ReplaceAllFunc(source, func(call []byte) []byte {
		quoted := scripted.FindSubmatch(call)[1]
		var english string
		if json.Unmarshal(quoted, &english) != nil {
			return call // no test of ours lets that pass
		}
		own, err := json.Marshal(c.Text(english))
		if err != nil {
			return call
		}
		return append(call[:len(call)-len(quoted):len(call)-len(quoted)], own...)
	})
}
