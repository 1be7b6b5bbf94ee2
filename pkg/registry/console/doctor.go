package console

import (
	"net/http"

	"github.com/regent-registry/regent/pkg/registry"
)

// doctorView is what the node that makes the page stands on.
type doctorView struct {
	registry.Examination
}

// tally is how many findings have a severity, for those that there are.
type tally struct {
	Severity registry.Severity
	Count    int
}

// Tallies counts the findings, the worst first.
func (v doctorView) Tallies() []tally {
	var all []tally
	for _, s := range registry.Severities() {
		if n := v.Count(s); n > 0 {
			all = append(all, tally{s, n})
		}
	}
	return all
}

func (c *console) doctor(w http.ResponseWriter, r *http.Request, a registry.Actor) error {
	e, err := c.Service.Examine(r.Context(), a)
	if err != nil {
		return err
	}
	f := c.frame(r, a, c.say("Doctor"))
	f.Section, f.Page = "doctor", doctorView{e}
	return c.render(w, http.StatusOK, "doctor", f)
}
