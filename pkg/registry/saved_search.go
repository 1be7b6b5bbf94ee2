package registry

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Limits of saved searches.
const (
	MaxSavedName     = 255 // characters
	MaxSavedSearches = 200 // of one user
)

// SavedSearch is a query that its owner keeps under a name; a shared one is seen by everybody who signed in. What it finds is what the one who runs it may read.
type SavedSearch struct {
	Owner, Name string
	Query       string
	Shared      bool
	Rev         int64 // grows with every change
	At          time.Time
}

// ETag is the strong entity tag of the saved search, with its quotes.
func (s SavedSearch) ETag() string { return entityTag(ID{}, s.At.UnixMicro(), s.Rev) }

// SavedSearches keeps saved searches. It is a part of the store that has the users.
type SavedSearches interface {
	// SavedSearches reads those of a user and, after them, some shared ones of others, each by owner and name.
	SavedSearches(ctx context.Context, user string) ([]SavedSearch, error)
	// SaveSearch changes the user's search of that name: change sees what is there, nil for nothing, and how many the user has; it gives what is to be
	// there, nil for nothing. It may run several times.
	SaveSearch(ctx context.Context, op Op, name string, change func(tx OnceTx, old *SavedSearch, count int64) (*SavedSearch, error)) (Seq, error)
}

// SavedSearches reads the actor's saved searches, and the shared ones of others.
func (s *Service) SavedSearches(ctx context.Context, a Actor) ([]SavedSearch, error) {
	if err := s.keepsSearches(a); err != nil {
		return nil, err
	}
	return s.saved.SavedSearches(ctx, a.User)
}

// keepsSearches refuses who has no place to keep searches.
func (s *Service) keepsSearches(a Actor) error {
	switch {
	case a.User == "":
		return Errorf(CodeUnauthenticated, "sign in first")
	case a.Scope != nil: // they may say of what the token is not good for
		return Errorf(CodeDenied, "saved searches are for people who sign in, not for tokens")
	case s.saved == nil:
		return Errorf(CodeConflict, "this registry keeps no searches")
	}
	return nil
}

// SaveSearch keeps a query under a name of the actor's, in place of what has that name. The condition is on the saved search's entity tag. It tells whether
// it is a new one.
func (s *Service) SaveSearch(ctx context.Context, a Actor, in SavedSearch, c Precondition) (SavedSearch, Seq, bool, error) {
	fail := func(err error) (SavedSearch, Seq, bool, error) { return SavedSearch{}, Seq{}, false, err }
	if err := s.keepsSearches(a); err != nil {
		return fail(err)
	}
	name, err := cleanSavedName(in.Name)
	if err != nil {
		return fail(err)
	}
	if _, err := ParseSearch(in.Query); err != nil {
		return fail(err)
	}
	now := s.now().Truncate(time.Microsecond).UTC()
	made, seq, err := s.changeSaved(ctx, a, name, func(old *SavedSearch, count int64) (keptSearch, error) {
		made := keptSearch{SavedSearch{Owner: a.User, Name: name, Query: in.Query, Shared: in.Shared, Rev: 1, At: now}, old == nil}
		switch err := c.checkSaved(old, name); {
		case err != nil:
			return keptSearch{}, err
		case old == nil && count >= MaxSavedSearches:
			return keptSearch{}, Errorf(CodeConflict, "%s has %d saved searches; the limit is %d", a.User, count, MaxSavedSearches)
		case old != nil && old.Query == in.Query && old.Shared == in.Shared:
			made.Search = *old
		case old != nil:
			made.Search.Rev = old.Rev + 1
		}
		return made, nil
	})
	return made.Search, seq, made.Created, err
}

// keptSearch is what a change of a saved search made; a Search without a name stands for none.
type keptSearch struct {
	Search  SavedSearch `json:"search"`
	Created bool        `json:"created"`
}

// changeSaved runs one change of a saved search. A request that was answered already gets the same again.
func (s *Service) changeSaved(ctx context.Context, a Actor, name string, change func(old *SavedSearch, count int64) (keptSearch, error)) (keptSearch, Seq, error) {
	var made keptSearch
	var earlier int64
	seq, err := s.saved.SaveSearch(ctx, s.op(a), name, func(tx OnceTx, old *SavedSearch, count int64) (*SavedSearch, error) {
		var err error
		made, earlier, err = once(a, tx, func() (keptSearch, error) { return change(old, count) })
		switch {
		case err != nil || earlier > 0 || old != nil && made.Search == *old:
			return old, err
		case made.Search.Name == "":
			return nil, nil
		}
		saved := made.Search
		return &saved, nil
	})
	if err != nil {
		return keptSearch{}, Seq{}, err
	}
	return made, seq.orEarlier(earlier), nil
}

// ForgetSearch deletes a saved search of the actor's; [CodeNotFound] when there is none of that name.
func (s *Service) ForgetSearch(ctx context.Context, a Actor, name string, c Precondition) (Seq, error) {
	if err := s.keepsSearches(a); err != nil {
		return Seq{}, err
	}
	name, err := cleanSavedName(name)
	if err != nil {
		return Seq{}, err
	}
	_, seq, err := s.changeSaved(ctx, a, name, func(old *SavedSearch, _ int64) (keptSearch, error) {
		if old == nil {
			return keptSearch{}, Errorf(CodeNotFound, "%s has no saved search %q", a.User, name)
		}
		return keptSearch{}, c.checkSaved(old, name)
	})
	return seq, err
}

// checkSaved checks the condition against a saved search, or against none.
func (c Precondition) checkSaved(old *SavedSearch, name string) error {
	tag := ""
	if old != nil {
		tag = old.ETag()
	}
	return c.CheckTag("saved search "+strconv.Quote(name), tag)
}

func cleanSavedName(s string) (string, error) {
	s = strings.TrimSpace(norm.NFC.String(s))
	if s == "" {
		return "", Errorf(CodeInvalid, "the name of the saved search is empty")
	}
	if err := checkText("name of the saved search", s, MaxSavedName); err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", Errorf(CodeInvalid, "the name of the saved search has a control character")
	}
	return s, nil
}
