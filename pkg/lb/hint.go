package lb

// Hints go between load balancers: one that finds a member in trouble says so, and the others look at the member themselves, at once, instead of learning
// it by failed requests of their own. What another one says decides nothing: a member that passes the check of this process stays in use.

// MemberKey names a member in a pool.
type MemberKey struct{ Domain, SubDomain, ID string }

// TellTrouble has a function called with each member that this process finds to be down, or ejects. It is called by checks and requests: it must not
// block, nor call the Discovery.
func (d *Discovery) TellTrouble(tell func(MemberKey)) { d.proxy.trouble.Store(&tell) }

func (p *Proxy) tellTrouble(m Member) {
	if tell := p.trouble.Load(); tell != nil {
		(*tell)(MemberKey{m.Domain, m.SubDomain, m.ID})
	}
}

// HintResult is what becomes of a hint. Its words are label values of metrics.
type HintResult uint8

// The results.
const (
	HintChecked   HintResult = iota // the member is checked at once
	HintKnown                       // this process holds it to be down, too
	HintUnchecked                   // it is not checked here: its pool says so, or it drains
	HintUnknown                     // there is no such member here
	hintResults
)

// HintResults lists all results.
func HintResults() []HintResult {
	return []HintResult{HintChecked, HintKnown, HintUnchecked, HintUnknown}
}

// String gives the word that metrics use.
func (r HintResult) String() string {
	return [hintResults]string{"checked", "known", "unchecked", "unknown"}[r]
}

// Hint says that somebody else holds a member to be in trouble. At most, the member is checked at once: hints that come in a row are met 50 ms apart,
// or a twentieth of the interval of its checks if that is less.
func (d *Discovery) Hint(m MemberKey) HintResult { return d.proxy.hint(m) }

func (p *Proxy) hint(m MemberKey) HintResult {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := targetKey{poolKey{m.Domain, m.SubDomain}, m.ID}
	t := p.targets[key]
	switch {
	case t == nil:
		return HintUnknown
	case p.checkers[key] == nil:
		return HintUnchecked
	}
	switch t.health.verdict.Load() {
	case verdictDead, verdictUnready:
		return HintKnown
	}
	t.health.hint()
	return HintChecked
}
