package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/regent-registry/regent/internal/child"
)

const (
	// firstPause is how long the cluster is without a program that ended, before it is started again.
	firstPause = 5 * time.Second
	// longestPause bounds the starts of a program that does not stay up: the pause doubles up to here.
	longestPause = time.Minute
)

// program is what the cluster keeps running: a process of ours, or the database. One goroutine calls its methods.
type program interface {
	Restart(ctx context.Context) error // starts it when it has ended
	Done() <-chan struct{}             // closed when the last start has ended
	Err() error                        // how it ended
	Stop() error                       // ends it in good order, within a bound
}

// part is a program over all its starts.
type part struct {
	program
	name  string
	began time.Time     // of the last start
	pause time.Duration // before the next start; 0 before the first end
	due   time.Time     // of the next start; zero while it runs
}

func (p *part) running() bool {
	select {
	case <-p.Done():
		return false
	default:
		return true
	}
}

// rest sets when the part, which has ended, is started again: the less it stays up, the later.
func (p *part) rest() {
	now := time.Now()
	if p.pause == 0 || now.Sub(p.began) > longestPause {
		p.pause = firstPause
	} else {
		p.pause = min(2*p.pause, longestPause)
	}
	p.due = now.Add(p.pause)
}

// deathOf tells how a part ended.
func deathOf(p *part) error {
	if err := p.Err(); err != nil {
		return fmt.Errorf("%s ended: %w", p.name, err)
	}
	return fmt.Errorf("%s ended by itself", p.name)
}

// failureOf is deathOf with the part's last line, which mostly tells why it could not start.
func failureOf(p *part) error {
	if s, ok := p.program.(*service); ok && s.log.last != "" {
		return fmt.Errorf("%w; its last line: %s", deathOf(p), s.log.last)
	}
	return deathOf(p)
}

// service is elb or registry as a program.
type service struct {
	*child.Process // of the last start

	file, config string
	environ      []string
	log          *lineWriter
}

// newService gives the program that reads a configuration file, not started.
func (c *cluster) newService(name, program string, environ []string) *service {
	return &service{
		file:    filepath.Join(c.bin, program),
		config:  filepath.Join(c.configs, name+".yaml"),
		environ: environ,
		log:     c.out.writer(name),
	}
}

// Restart starts the process. It does not wait until it serves.
func (s *service) Restart(context.Context) error {
	cmd := exec.Command(s.file, "-config", s.config) //nolint:gosec,noctx // make built it; Stop ends it, in an order that a context could not keep
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environ, s.log, s.log
	started, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("%w; `make build` makes the programs", err)
	}
	s.Process = started
	return nil
}

// Stop lets the process finish what it is doing.
func (s *service) Stop() error { return s.Process.Stop(stopTimeout) }
