package tenants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/regent-registry/regent/pkg/lb"
)

// File is a list of tenants in a file. Safe for concurrent use.
type File struct {
	name string
	from string // for people
	log  *slog.Logger
	ids  atomic.Pointer[map[string]int]

	// Watch alone changes these.
	seen stamp // of the file when it was last read, well or not
	last stamp // at the last look
}

var _ lb.TenantSource = (*File)(nil)

// stamp is how a file that was replaced or changed shows.
type stamp struct {
	info os.FileInfo // nil if there was no file
}

func (s stamp) same(o stamp) bool {
	if s.info == nil || o.info == nil {
		return s.info == o.info
	}
	return os.SameFile(s.info, o.info) && s.info.Size() == o.info.Size() && s.info.ModTime().Equal(o.info.ModTime())
}

// maxFileSize bounds a list: some hundred thousand tenants.
const maxFileSize = 16 << 20

// OpenFile reads a list of tenants. The error joins its faults, each as "file:line: …". log, which may be nil, gets what Watch finds.
func OpenFile(name string, log *slog.Logger) (*File, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	f := &File{name: name, from: "file " + name, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Tenant implements lb.TenantSource.
func (f *File) Tenant(domain []byte) lb.TenantID {
	id, known := (*f.ids.Load())[string(domain)]
	return lb.TenantID{ID: id, Known: known, From: f.from}
}

// Watch reads the list again when the file has changed, until ctx ends. It looks every so often, and reads what two looks in a row found alike, so that
// a file is not read while it is being written. A list with faults is logged, and the last good one
// stays.
func (f *File) Watch(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.look()
		}
	}
}

func (f *File) look() {
	now := stamp{}
	if info, err := os.Stat(f.name); err == nil {
		now.info = info
	}
	atRest := now.same(f.last)
	f.last = now
	if now.same(f.seen) || !atRest { // half a list is a list, too: those of the other half would go elsewhere
		return
	}
	if err := f.read(); err != nil {
		f.seen = now // one warning is enough
		f.log.Warn("the list of tenants could not be read; the old one stays", "file", f.name, "error", err)
		return
	}
	f.log.Info("list of tenants read", "file", f.name, "tenants", len(*f.ids.Load()))
}

func (f *File) read() error {
	file, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return err
	}
	if len(text) > maxFileSize {
		return fmt.Errorf("%s: has more than %d bytes, too many for a list of tenants", f.name, maxFileSize)
	}
	ids, err := parseList(f.name, text)
	if err != nil {
		return err
	}
	f.ids.Store(&ids)
	f.seen = stamp{info}
	return nil
}

// maxFaults is how many faults of a list are told.
const maxFaults = 20

// parseList reads lines "domain id", or "domain: id" as in a YAML file. Empty lines and what is behind a '#' do not count.
func parseList(name string, text []byte) (map[string]int, error) {
	ids := map[string]int{}
	lines := map[string]int{}
	var faults []error
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line, _, _ = bytes.Cut(line, []byte("#"))
		words := strings.Fields(string(line))
		if len(words) == 0 {
			continue
		}
		domain, id, err := parseLine(words)
		if err == nil && lines[domain] > 0 {
			err = fmt.Errorf("the tenant %s has an id already, at line %d", domain, lines[domain])
		}
		if err != nil {
			if faults = append(faults, fmt.Errorf("%s:%d: %w", name, number, err)); len(faults) == maxFaults {
				break
			}
			continue
		}
		ids[domain], lines[domain] = id, number
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return ids, nil
}

func parseLine(words []string) (domain string, id int, err error) {
	domain = strings.TrimSuffix(words[0], ":")
	if len(words) != 2 {
		return "", 0, errors.New("not of the form DOMAIN ID, such as example.com 7")
	}
	if !lb.IsTenantDomain(domain) {
		return "", 0, fmt.Errorf("%q cannot be the domain of a tenant: it has letters, digits, '.', '-' and '_'", domain)
	}
	if id, err = strconv.Atoi(words[1]); err != nil {
		return "", 0, fmt.Errorf("%q is no id: it is a whole number", words[1])
	}
	return strings.ToLower(domain), id, nil
}
