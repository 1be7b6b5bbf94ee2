package registry

import "context"

// MaxRating is the best rating; 1 is the worst.
const MaxRating = 5

// Rating sums up how users rate a resource.
type Rating struct {
	Average float64 // 0 when nobody has rated it
	Count   int64   // of users who have
	Mine    int     // the rating of the one who asks; 0 for none
}

// RatingReader is the part of a [Store] that reads ratings. What it reads is as fresh as the database.
type RatingReader interface {
	// Rating reads the ratings of a node, with Mine for the user who.
	Rating(ctx context.Context, id ID, who string) (Rating, error)
}

// RatingWriter is the part of a [Tx] that changes ratings, on behalf of the operation's actor. None makes a version of the resource.
type RatingWriter interface {
	// Rate sets the actor's rating of r, from 1 to [MaxRating], or takes it away with 0. It gives the ratings that r then has.
	Rate(r Resource, score int) (Rating, error)
}

// RatingResult is the ratings of a resource.
type RatingResult struct {
	Resource Resource
	Rating   Rating
}

// Rating reads the ratings of what is at p. Needs [RightRead].
func (s *Service) Rating(ctx context.Context, a Actor, p Path, f Freshness) (RatingResult, error) {
	r, m, err := s.authorizedGet(ctx, a, p, f)
	if err != nil || m.Store == nil {
		return RatingResult{Resource: r}, err
	}
	rating, err := m.Store.Rating(ctx, r.ID, a.User)
	if err == nil {
		err = s.still(ctx, a, r)
	}
	if err != nil {
		return RatingResult{}, err
	}
	return RatingResult{r, rating}, nil
}

// Rate sets the actor's rating of what is at p, from 1 to [MaxRating], in place of the one before; 0 takes it away. Needs [RightRead].
func (s *Service) Rate(ctx context.Context, a Actor, p Path, score int) (RatingResult, error) {
	m, sp, err := s.contribute(ctx, a, p)
	if err != nil {
		return RatingResult{}, err
	}
	if score < 0 || score > MaxRating {
		return RatingResult{}, Errorf(CodeInvalid, "rating is %d; it must be from 1 to %d, or 0 for none", score, MaxRating)
	}
	var res RatingResult
	res.Resource, res.Rating, err = annotate(ctx, s, a, m, sp, p, func(tx Tx, r Resource) (Rating, error) { return tx.Rate(r, score) })
	return res, err
}
