package elbd

import (
	"errors"
	"net/http"
	"strings"

	"github.com/regent-registry/regent/internal/daemon"
	"github.com/regent-registry/regent/pkg/lb"
	"github.com/regent-registry/regent/pkg/membership"
)

// adminHandler serves what operators and monitoring look at. Nothing that is asked with GET changes anything; the verbs need a token.
func (b *balancer) adminHandler() http.Handler {
	page := newStatusPage(b.status, b.log)
	verb := func(do http.HandlerFunc) http.Handler { return daemon.Bearer(b.config.AdminTokenFile, do) }
	return daemon.Admin{
		Metrics: b.metrics,
		Ready:   b.ready,
		Pages: map[string]http.Handler{
			"GET /{$}":                   http.HandlerFunc(page.serve),
			"GET /live":                  http.HandlerFunc(page.serveLive),
			"GET /assets/{file}":         page.assets(),
			"GET /members":               b.serveMembers(page),
			"GET /status":                http.HandlerFunc(b.serveStatus),
			"GET /route":                 b.serveRoute(page),
			"POST /members/{id}/drain":   verb(b.drainMember),
			"POST /members/{id}/undrain": verb(b.undrainMember),
		},
	}.Handler()
}

// serveMembers gives the members as JSON to programs, and the page to browsers.
func (b *balancer) serveMembers(page *statusPage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Accept")
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			members := b.discovery.Members()
			b.exchange.annotate(members)
			daemon.WriteJSON(w, membersAnswer{members, b.refused()})
			return
		}
		page.serve(w, r)
	})
}

// membersAnswer is the JSON of /members.
type membersAnswer struct {
	Members []lb.MemberStatus    `json:"members"`
	Refused []membership.Refused `json:"refused"`
}

// drainMember takes a member out of use at this ELB; with force=true in the query even the last one of its pool.
func (b *balancer) drainMember(w http.ResponseWriter, r *http.Request) {
	b.answerVerb(w, b.discovery.Drain(r.PathValue("id"), r.URL.Query().Get("force") == "true"))
}

func (b *balancer) undrainMember(w http.ResponseWriter, r *http.Request) {
	b.answerVerb(w, b.discovery.Undrain(r.PathValue("id")))
}

func (b *balancer) answerVerb(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, lb.ErrNoMember):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, lb.ErrLastMember):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		b.log.Error("admin request failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
