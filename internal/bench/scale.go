package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/regent-registry/regent/internal/mariadb"
	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

// scaleLimit is how many times as much an operation may cost in the large store as in the small one.
const scaleLimit = 2

// scaleOptions are the flags of `bench scale`.
type scaleOptions struct {
	small, large int // resources
	rounds       int
	window       time.Duration // of one operation in one store
	databases    []string
	some         []scaleOp
	doc, out     string
	from         string
	strict       bool
}

// scaleResults are the raw figures.
type scaleResults struct {
	Began    time.Time     `json:"began"`
	Took     string        `json:"took"`
	Sizes    [2]int        `json:"sizes"`
	Rounds   int           `json:"rounds"`
	Window   string        `json:"window"`
	Machine  machine       `json:"machine"`
	Complete bool          `json:"complete"`
	Loads    []scaleLoad   `json:"loads"`
	Records  []scaleRecord `json:"records"`
}

// scaleLoad tells what it took to fill a store.
type scaleLoad struct {
	Database  string  `json:"database"`
	Resources int     `json:"resources"`
	Seconds   float64 `json:"seconds"` // to bring them in
	Indexed   float64 `json:"indexed"` // seconds more until all were in the search index
	Bytes     int64   `json:"bytes"`   // on disk, with the server's own files
}

// scaleRecord is one operation in one store in one round.
type scaleRecord struct {
	Database string  `json:"database"`
	Op       string  `json:"op"`
	Round    int     `json:"round"`
	Large    bool    `json:"large"`
	Times    int     `json:"times"`
	P50      float64 `json:"p50_ms"`
	CPU      float64 `json:"cpu_us"`      // of this process and the database, per operation
	Rows     float64 `json:"rows"`        // that the database's handlers read, per operation; MariaDB alone tells
	Server   float64 `json:"database_us"` // the part of CPU that the database's server used
	Answer   string  `json:"answer"`      // what the last one gave, in short
}

const (
	sqliteName  = "SQLite"
	mariadbName = "MariaDB"
)

func parseScaleOptions(args []string, stderr io.Writer) (o scaleOptions, err error) {
	var some, databases string
	flags := flag.NewFlagSet("bench scale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.small, "small", 10_000, "resources of the small store")
	flags.IntVar(&o.large, "resources", 1_000_000, "resources of the large store")
	flags.IntVar(&o.rounds, "rounds", 3, "how often everything is measured")
	flags.DurationVar(&o.window, "window", time.Second, "how long one operation is repeated in one store")
	flags.StringVar(&databases, "databases", "", "measure on these alone: "+sqliteName+", "+mariadbName)
	flags.StringVar(&some, "ops", "", "measure these alone (spaces or commas between)")
	flags.StringVar(&o.doc, "doc", "", "document whose section is replaced ("+publicDoc+" after a complete measurement, else none)")
	flags.StringVar(&o.out, "out", "artifacts/bench", "folder of the raw figures, and of the stores meanwhile")
	flags.StringVar(&o.from, "from", "", "measure nothing: write the section again from this file of raw figures")
	flags.BoolVar(&o.strict, "strict", false, "fail when an operation costs more than the bar")
	if err := flags.Parse(args); err != nil {
		return o, errors.Join(flag.ErrHelp, err)
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.window <= 0 || o.small < 2*scaleFolder || o.large < o.small {
		return o, fmt.Errorf("usage: bench scale [flags], with at least %d resources; -h lists the flags", 2*scaleFolder)
	}
	var err1, err2 error
	o.some, err1 = choose(scaleOps(), some, func(op scaleOp) string { return op.name })
	o.databases, err2 = choose([]string{sqliteName, mariadbName}, databases, func(s string) string { return s })
	return o, errors.Join(err1, err2)
}

// complete tells whether the result may stand in the project's documents.
func (o scaleOptions) complete() bool {
	return o.small == 10_000 && o.large == 1_000_000 && o.rounds >= 3 && o.window >= time.Second && len(o.databases) == 2 && len(o.some) == len(scaleOps())
}

// runScale fills a small and a large store of each database, and measures the same operations in both, by turns.
func runScale(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseScaleOptions(args, stderr)
	if err != nil {
		return err
	}
	if o.from != "" {
		r, err := loadScaleResults(o.from)
		if err != nil {
			return err
		}
		return publishScale(r, o, stdout)
	}
	r := scaleResults{
		Began: time.Now(), Sizes: [2]int{o.small, o.large}, Rounds: o.rounds, Window: o.window.String(), Machine: thisMachine(), Complete: o.complete(),
	}
	for _, name := range o.databases {
		if err := measureScale(ctx, o, name, &r, stdout); err != nil {
			return err
		}
	}
	r.Took = time.Since(r.Began).Round(time.Second).String()
	return publishScale(r, o, stdout)
}

// measureScale does all on one kind of database. What it wrote to the disk goes when it ends.
func measureScale(ctx context.Context, o scaleOptions, name string, r *scaleResults, out io.Writer) error {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.out, "scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var db *mariadb.Server
	if name == mariadbName {
		db, err = mariadb.Start(ctx, filepath.Join(dir, "mariadb"), "--innodb-buffer-pool-size=2G", "--innodb-log-file-size=1G")
		if err != nil {
			return err
		}
		defer db.Kill()
	}
	var stores [2]*scaleStore
	defer func() {
		for _, s := range stores {
			if s != nil {
				s.close()
			}
		}
	}()
	for i, n := range r.Sizes {
		before, err := folderBytes(dir)
		if err != nil {
			return err
		}
		if stores[i], err = openScaleStore(ctx, dir, db, n); err != nil {
			return err
		}
		l, err := stores[i].load(ctx)
		if err != nil {
			return err
		}
		if err := stores[i].openBare(ctx); err != nil {
			return err
		}
		after, err := folderBytes(dir)
		if err != nil {
			return err
		}
		l.Database, l.Bytes = name, after-before
		r.Loads = append(r.Loads, l)
		fmt.Fprintf(out, "%s: %d resources in %.0f s, indexed in %.0f s more, %d MiB\n", name, n, l.Seconds, l.Indexed, l.Bytes>>20)
	}
	for round := 1; round <= o.rounds; round++ {
		for _, op := range o.some {
			for k := range stores {
				i := (k + round) % 2 // another one is first in each round
				rec, err := stores[i].measure(ctx, op, o.window)
				if err != nil {
					return fmt.Errorf("%s, %d resources, %s: %w", name, r.Sizes[i], op.name, err)
				}
				rec.Database, rec.Round, rec.Large = name, round, i == 1
				r.Records = append(r.Records, rec)
				fmt.Fprintf(out, "round %d  %-8s %8d  %-16s p50 %8.3f ms  CPU %9.1f us (server %9.1f)  rows %9.1f  n %6d  %s\n",
					round, name, r.Sizes[i], op.name, rec.P50, rec.CPU, rec.Server, rec.Rows, rec.Times, rec.Answer)
			}
		}
	}
	return nil
}

func folderBytes(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // a file that the server has removed meanwhile
		}
		sum += info.Size()
		return nil
	})
	return sum, err
}

// scaleStore is a store with so many resources, and ways to use it.
type scaleStore struct {
	n       int
	db      *mariadb.Server
	store   *sqlstore.Store
	svc     *registry.Service
	bare    *sqlstore.Store // remembers next to nothing
	bareSvc *registry.Service
	joe     registry.Actor
	corpus  *scaleCorpus
	puts    int
	dsn     string
}

func openScaleStore(ctx context.Context, dir string, db *mariadb.Server, n int) (_ *scaleStore, err error) {
	s := &scaleStore{n: n, db: db, corpus: newScaleCorpus(n), joe: scaleUser()}
	dsn := "sqlite:" + filepath.Join(dir, fmt.Sprintf("%d.db", n))
	if db != nil {
		name, err := db.CreateDatabase(ctx)
		if err != nil {
			return nil, err
		}
		dsn = "mysql:" + db.DSN(name)
	}
	s.dsn = dsn
	if s.store, s.svc, err = openScaleService(ctx, dsn, 0); err != nil {
		return nil, err
	}
	return s, s.store.Migrate(ctx)
}

// openBare opens the same store a second time, without memory. Not before it is full: it would index, too.
func (s *scaleStore) openBare(ctx context.Context) (err error) {
	s.bare, s.bareSvc, err = openScaleService(ctx, s.dsn, 1)
	return err
}

func openScaleService(ctx context.Context, dsn string, cache int64) (*sqlstore.Store, *registry.Service, error) {
	store, err := sqlstore.Open(ctx, sqlstore.Config{Name: "scale", DSN: dsn, CacheBytes: cache})
	if err != nil {
		return nil, nil, err
	}
	mounts, err := registry.NewMounts(registry.Mount{Path: registry.Root, Store: store, Target: registry.Root})
	if err != nil {
		return store, nil, err
	}
	return store, registry.NewService(registry.Config{Mounts: mounts, Authorizer: registry.NewAccess(mounts, store), Directory: store}), nil
}

func (s *scaleStore) close() {
	for _, store := range []*sqlstore.Store{s.store, s.bare} {
		if store != nil {
			_ = store.Close() // what it kept goes with its folder
		}
	}
}

func loadScaleResults(file string) (scaleResults, error) {
	var r scaleResults
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
