package registry

import (
	"cmp"
	"context"
	"errors"
	"io"
)

// DiffInput names two states: of one resource, or of two.
type DiffInput struct {
	Path Path
	From Pick // of what is at Path; the current state compared with itself becomes the version before To
	// ToPath is Path when it is "".
	ToPath Path
	To     Pick
	// Context is how many equal lines stand around those that differ; [DefaultDiffContext] when it is 0.
	Context int
}

// DefaultDiffContext is how many equal lines stand around those that differ where nobody asks for more.
const DefaultDiffContext = 3

// Diff compares two states: the metadata field by field, the properties one by one, the contents line by line where both are texts of at most
// [MaxDiffSize] bytes. Needs [RightRead] on both paths.
func (s *Service) Diff(ctx context.Context, a Actor, in DiffInput, f Freshness) (Diff, error) {
	same := in.ToPath == "" || in.ToPath == in.Path
	if in.ToPath == "" {
		in.ToPath = in.Path
	}
	var d Diff
	to, toMount, toVersion, err := s.readPick(ctx, a, in.ToPath, in.To, f)
	if err != nil {
		return Diff{}, err
	}
	if same && in.From.IsCurrent() && toVersion.Number > 1 {
		in.From.Version = toVersion.Number - 1
	}
	from, fromMount, fromVersion, err := s.readPick(ctx, a, in.Path, in.From, f)
	if err != nil {
		return Diff{}, err
	}
	d.From = DiffSide{Path: in.Path, Kind: from.Kind, Version: fromVersion}
	d.To = DiffSide{Path: in.ToPath, Kind: to.Kind, Version: toVersion}
	d.compareMeta()
	switch {
	case from.Kind != KindResource || to.Kind != KindResource:
		d.Content.State = ContentNone
		return d, nil
	case fromVersion.Hash == toVersion.Hash:
		d.Content.State = ContentSame
		return d, nil
	case fromVersion.Size > MaxDiffSize || toVersion.Size > MaxDiffSize:
		d.Content.State = ContentTooLarge
		return d, nil
	}
	before, err := readContent(ctx, fromMount.Store, fromVersion.Hash)
	if err != nil {
		return Diff{}, err
	}
	after, err := readContent(ctx, toMount.Store, toVersion.Hash)
	if err != nil {
		return Diff{}, err
	}
	d.Content, err = compareContents(before, after, cmp.Or(in.Context, DefaultDiffContext))
	return d, err
}

// readContent reads a content whose size is known to be small.
func readContent(ctx context.Context, s Store, h Hash) (b []byte, err error) {
	c, err := s.Open(ctx, h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return io.ReadAll(c)
}
