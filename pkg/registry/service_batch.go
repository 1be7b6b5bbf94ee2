package registry

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// MaxBatchSteps is the most changes of one batch.
const MaxBatchSteps = 100

// Step is one change of a batch, on the paths that it names. Make one with the functions below.
type Step struct {
	name    string
	paths   []Path
	content []byte // what the step stores
	stored  bool
	run     func(s *Service, ctx context.Context, a Actor, staged Staged) (PutResult, error)
}

// PutStep is [Service.Put] of a content in memory; in.Body is not read.
func PutStep(in PutInput, content []byte) Step {
	return Step{"put", []Path{in.Path}, content, true, func(s *Service, ctx context.Context, a Actor, staged Staged) (PutResult, error) {
		m, sp, err := s.admitPut(ctx, a, in)
		if err != nil {
			return PutResult{}, err
		}
		return s.putStaged(ctx, a, m, sp, in, staged)
	}}
}

// CollectionStep is [Service.CreateCollection].
func CollectionStep(in CollectionInput) Step {
	return plainStep("collection", func(s *Service, ctx context.Context, a Actor) (PutResult, error) {
		return s.CreateCollection(ctx, a, in)
	}, in.Path)
}

// MetaStep is [Service.UpdateMeta].
func MetaStep(in MetaInput) Step {
	return plainStep("meta", func(s *Service, ctx context.Context, a Actor) (PutResult, error) { return s.UpdateMeta(ctx, a, in) }, in.Path)
}

// DeleteStep is [Service.Delete]; its result has only a path.
func DeleteStep(p Path, c Precondition) Step {
	return plainStep("delete", func(s *Service, ctx context.Context, a Actor) (PutResult, error) {
		_, err := s.Delete(ctx, a, p, c)
		return PutResult{Resource: Resource{Path: p}, Changed: true}, err
	}, p)
}

// MoveStep is [Service.Move].
func MoveStep(in MoveInput) Step {
	return plainStep("move", func(s *Service, ctx context.Context, a Actor) (PutResult, error) { return s.Move(ctx, a, in) }, in.From, in.To)
}

// CopyStep is [Service.Copy] of a resource or a link; a collection may be too large for one transaction, and is [CodeConflict].
func CopyStep(in MoveInput) Step {
	return plainStep("copy", func(s *Service, ctx context.Context, a Actor) (PutResult, error) { return s.Copy(ctx, a, in) }, in.From, in.To)
}

// LinkStep is [Service.Link].
func LinkStep(in LinkInput) Step {
	return plainStep("link", func(s *Service, ctx context.Context, a Actor) (PutResult, error) { return s.Link(ctx, a, in) }, in.Path)
}

func plainStep(name string, run func(*Service, context.Context, Actor) (PutResult, error), paths ...Path) Step {
	return Step{name: name, paths: paths, run: func(s *Service, ctx context.Context, a Actor, _ Staged) (PutResult, error) { return run(s, ctx, a) }}
}

// Batch runs the steps one after the other in one transaction: each sees what those before it did, and when one fails none has happened. Its error then
// has the code of that step's and names it. All paths must be in one store ([CodeConflict]). Each step needs the rights that it needs alone. The results
// are those of the steps, in their order.
func (s *Service) Batch(ctx context.Context, a Actor, steps []Step) ([]PutResult, Seq, error) {
	if n := len(steps); n == 0 || n > MaxBatchSteps {
		return nil, Seq{}, Errorf(CodeInvalid, "the batch has %d steps; it must have from 1 to %d", n, MaxBatchSteps)
	}
	if err := placesStay(steps); err != nil {
		return nil, Seq{}, err
	}
	// A transaction must not wait for anything, so what can make it wait is done before: who may do what, and the contents.
	rights, err := s.decide(ctx, a, steps)
	if err != nil {
		return nil, Seq{}, err
	}
	store, err := s.storeOf(steps)
	if err != nil {
		return nil, Seq{}, err
	}
	staged, err := s.stageAll(ctx, a, store, steps, rights)
	defer func() {
		for _, g := range staged {
			g.Discard()
		}
	}()
	if err != nil {
		return nil, Seq{}, err
	}
	var results []PutResult
	var earlier int64
	op := s.op(a)
	seq, err := store.Update(ctx, op, func(tx Tx) (err error) {
		results = nil
		var made []outcome
		made, earlier, err = once(a, tx, func() (made []outcome, err error) {
			inner := s.within(tx, store, rights, op)
			plain := a
			plain.Once = Once{}
			for i, step := range steps {
				res, err := step.run(inner, ctx, plain, staged[i])
				if err != nil {
					return nil, stepError(i, step, err)
				}
				results, made = append(results, res), append(made, outcomeOf(res))
			}
			return made, nil
		})
		if err != nil || earlier == 0 {
			return err
		}
		for _, o := range made {
			res, err := o.result(tx)
			if err != nil {
				return err
			}
			results = append(results, res)
		}
		return nil
	})
	if err != nil {
		return nil, Seq{}, err
	}
	seq = seq.orEarlier(earlier)
	for i := range results {
		results[i].Resource.Seq = seq
		paths := steps[i].paths
		if earlier > 0 && s.auth.Authorize(ctx, a, RightRead, paths[len(paths)-1]) != nil {
			results[i].Resource = results[i].Resource.concealed() // as the first answer was
		}
	}
	return results, seq, nil
}

func stepError(i int, step Step, err error) error {
	return &Error{Code: CodeOf(err), Message: fmt.Sprintf("step %d (%s %s): %s", i+1, step.name, step.paths[0], MessageOf(err)), Err: err}
}

// placesStay refuses steps below what an earlier step moves there: permissions move with it, and who may do what is decided before the first step.
func placesStay(steps []Step) error {
	for i, step := range steps {
		for _, p := range step.paths {
			for _, earlier := range steps[:i] {
				if earlier.name == "move" && earlier.paths[1].Covers(p) {
					return stepError(i, step, Errorf(CodeConflict, "an earlier step moves something to %s; what is to happen there needs another batch", earlier.paths[1]))
				}
			}
		}
	}
	return nil
}

// storeOf gives the one store that all paths of the steps are in.
func (s *Service) storeOf(steps []Step) (Store, error) {
	var store Store
	for i, step := range steps {
		for _, p := range step.paths {
			m, _, ok := s.mounts.Resolve(p)
			switch {
			case !ok:
				return nil, stepError(i, step, Errorf(CodeConflict, "no store is mounted at or above %s", p))
			case store != nil && store != m.Store:
				return nil, stepError(i, step, Errorf(CodeConflict, "%s is in the store %s, what comes before it in %s; a batch is for one store", p, m.Store.Name(), store.Name()))
			}
			store = m.Store
		}
	}
	return store, nil
}

// stageAll brings the contents of the steps into the store; nil for a step that has none. Who may not write stages nothing.
func (s *Service) stageAll(ctx context.Context, a Actor, store Store, steps []Step, rights decided) (map[int]Staged, error) {
	staged := map[int]Staged{}
	for i, step := range steps {
		if !step.stored {
			continue
		}
		if err := rights.Authorize(ctx, a, RightWrite, step.paths[0]); err != nil {
			return staged, stepError(i, step, err)
		}
		g, err := store.Stage(ctx, bytes.NewReader(step.content), s.ContentLimit())
		if err != nil {
			return staged, stepError(i, step, err)
		}
		staged[i] = g
	}
	return staged, nil
}

// decided is an [Authorizer] that knows its answers: those on the paths that a batch names.
type decided struct {
	Authorizer // the one that was asked

	answers map[decision]error
}

type decision struct {
	right Right
	path  Path
	tree  bool // with all that is below
}

// decide asks what the steps may need. A step on whose path the actor has no right at all is refused here, before it is told anything of the path.
func (s *Service) decide(ctx context.Context, a Actor, steps []Step) (decided, error) {
	d := decided{s.auth, map[decision]error{}}
	for i, step := range steps {
		for _, p := range step.paths {
			if err := d.ask(ctx, a, step, p); err != nil {
				return d, stepError(i, step, err)
			}
		}
		if err := d.askAbove(ctx, a, step, steps[:i]); err != nil {
			return d, stepError(i, step, err)
		}
	}
	return d, nil
}

// ask asks for all rights on a path of a step. Its error is that of the last when none was given.
func (d decided) ask(ctx context.Context, a Actor, step Step, p Path) (err error) {
	none := true
	for right := RightRead; right <= RightAuthorize; right++ {
		k := decision{right: right, path: p}
		if _, ok := d.answers[k]; !ok {
			d.answers[k] = d.Authorizer.Authorize(ctx, a, right, p)
		}
		if err = d.answers[k]; err == nil {
			none = false
		}
		if k.tree = true; step.takes(right) && d.answers[k] == nil {
			d.answers[k] = d.Authorizer.AuthorizeTree(ctx, a, right, p)
		}
	}
	if none {
		return err
	}
	return nil
}

// takes tells whether the step asks for the right on all that is below one of its paths.
func (step Step) takes(r Right) bool {
	switch step.name {
	case "delete":
		return r == RightDelete
	case "move", "copy":
		return r != RightAuthorize
	}
	return false
}

// askAbove asks who makes something where an earlier step takes something away: it inherits what counts above, and not from what was there.
func (d decided) askAbove(ctx context.Context, a Actor, step Step, earlier []Step) error {
	for _, e := range earlier {
		if e.name != "delete" && e.name != "move" {
			continue
		}
		for _, p := range step.paths {
			if !e.paths[0].Covers(p) || e.paths[0].IsRoot() {
				continue
			}
			if err := d.Authorizer.Authorize(ctx, a, RightWrite, e.paths[0].Parent()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Authorize implements [Authorizer].
func (d decided) Authorize(_ context.Context, _ Actor, r Right, p Path) error {
	return d.answer(decision{right: r, path: p})
}

// AuthorizeTree implements [Authorizer].
func (d decided) AuthorizeTree(_ context.Context, _ Actor, r Right, p Path) error {
	return d.answer(decision{right: r, path: p, tree: true})
}

// AuthorizeRead implements [Authorizer].
func (d decided) AuthorizeRead(_ context.Context, _ Actor, r Resource) error {
	return d.answer(decision{right: RightRead, path: r.Path})
}

func (d decided) answer(k decision) error {
	err, ok := d.answers[k]
	if !ok {
		return Errorf(CodeInternal, "nobody was asked about the right to %s on %s", k.right, k.path)
	}
	return err
}

// within gives the use cases inside a transaction of a store.
func (s *Service) within(tx Tx, store Store, auth Authorizer, op Op) *Service {
	inside := &inTx{Store: store, tx: unanswered{tx}}
	mounts := make([]Mount, len(s.mounts.mounts))
	for i, m := range s.mounts.mounts {
		if m.Store == store {
			m.Store = inside
		}
		mounts[i] = m
	}
	inner := *s
	inner.mounts, inner.auth = &Mounts{mounts}, auth
	inner.now = func() time.Time { return op.At }
	return &inner
}

// inTx is a store as a use case sees it that is part of a transaction.
type inTx struct {
	Store
	tx Tx
}

// Get implements [Store].
func (s *inTx) Get(_ context.Context, p Path, _ Freshness) (Resource, error) { return s.tx.Get(p) }

// Update implements [Store]. The position of the change log is known when the transaction ends.
func (s *inTx) Update(_ context.Context, _ Op, change func(Tx) error) (Seq, error) {
	return Seq{}, change(s.tx)
}

// CopyTree implements [TreeStore].
func (s *inTx) CopyTree(_ context.Context, _ Op, p Path, _ Precondition) (ID, error) {
	return ID{}, Errorf(CodeConflict, "%s is a collection; it cannot be copied in a batch", p)
}

// unanswered is a transaction whose parts have no idempotency keys of their own.
type unanswered struct{ Tx }

// Answered implements [OnceTx].
func (unanswered) Answered() ([]byte, int64, bool, error) { return nil, 0, false, nil }

// Answer implements [OnceTx].
func (unanswered) Answer([]byte) {}
