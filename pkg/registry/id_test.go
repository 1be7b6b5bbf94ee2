package registry

import (
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	id := ID{1, 0xab, 15: 0xff}
	for _, s := range []string{id.String(), strings.ToUpper(id.String())} {
		if got, err := ParseID("id", s); err != nil || got != id {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", id.String()[2:], id.String() + "00", id.String()[1:] + "g", id.String() + " ", strings.Repeat("é", 1000)} {
		_, err := ParseID(`field "id"`, s)
		if CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), `field "id" is "`) || len(err.Error()) > 200 {
			t.Errorf("%.50q: %v", s, err)
		}
	}
}
