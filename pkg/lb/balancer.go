package lb

// Balancer chooses among members. Pick is called by many requests at once and must not block.
type Balancer interface {
	// Pick gives one of the members that the selection admits, after taking it with s.Take; or nil.
	Pick(members []*Target, s *Selection) *Target
}

// Selection is one attempt's view of who may be chosen.
type Selection struct {
	now       int64     // unix nanoseconds
	tried     []*Target // by earlier attempts of the same request
	desperate bool      // also those that were ejected
}

// Usable reports whether the member may be chosen.
func (s *Selection) Usable(t *Target) bool {
	for _, tried := range s.tried {
		if tried.Member.ID == t.Member.ID {
			return false
		}
	}
	return s.desperate || t.health.usable(s.now)
}

// Take makes the choice final. It reports false if another request has just taken the member's only probe.
func (s *Selection) Take(t *Target) bool {
	return s.desperate || t.health.take(s.now)
}
