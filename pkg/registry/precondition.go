package registry

// Precondition is If-Match and If-None-Match of RFC 9110, section 13.1, as lists of entity tags with their quotes; "*" stands for any
// state. Empty lists ask for nothing.
type Precondition struct {
	Match     []string
	NoneMatch []string
}

// Check tells whether the precondition holds for the current state, nil where nothing is; its error has [CodePrecondition].
func (c Precondition) Check(current *Resource) error {
	if len(c.Match) > 0 {
		if current == nil {
			return Errorf(CodePrecondition, "If-Match: nothing is at this path")
		}
		if !matches(c.Match, *current) {
			return Errorf(CodePrecondition, "If-Match: the current entity tag is %s", current.ETag())
		}
	}
	if len(c.NoneMatch) > 0 && current != nil && matches(c.NoneMatch, *current) {
		return Errorf(CodePrecondition, "If-None-Match: the current entity tag is %s", current.ETag())
	}
	return nil
}

// matches tells whether one of the tags is that of the current state. For a resource that of its current version says the same: it changes
// with nothing else. (A collection changes with its children, too.)
func matches(tags []string, current Resource) bool {
	for _, t := range tags {
		if t == "*" || t == current.ETag() || current.Kind == KindResource && t == current.CurrentVersion().ETag() {
			return true
		}
	}
	return false
}
