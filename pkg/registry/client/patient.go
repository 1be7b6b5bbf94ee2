package client

import (
	"context"
	"errors"
	"io"
	"time"
)

// errStalled is the end of an answer that stood still.
var errStalled = errors.New("it stood still")

// patientBody is the body of an answer that may not stand still for longer than the client has patience: then Read ends the attempt. Who reads it may.
type patientBody struct {
	io.ReadCloser

	ctx      context.Context //nolint:containedctx // of the attempt, to know why it ended
	cancel   context.CancelCauseFunc
	patience time.Duration
}

// Read implements [io.Reader].
func (p *patientBody) Read(b []byte) (int, error) {
	timer := time.AfterFunc(p.patience, func() { p.cancel(errStalled) })
	defer timer.Stop()
	n, err := p.ReadCloser.Read(b)
	if err != nil && errors.Is(context.Cause(p.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

// Close implements [io.Closer]. It ends the attempt.
func (p *patientBody) Close() error {
	p.cancel(nil)
	return p.ReadCloser.Close()
}
