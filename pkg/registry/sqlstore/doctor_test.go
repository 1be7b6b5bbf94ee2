package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/registrytest"
)

// findings runs the checks of a store, and gives what they found by the checks' names.
func findings(t *testing.T, s *Store, around Surroundings) map[string]registry.Finding {
	t.Helper()
	all := map[string]registry.Finding{}
	for _, f := range registry.RunChecks(t.Context(), s.Checks(around)) {
		if _, twice := all[f.Check]; twice || f.Store != s.Name() {
			t.Errorf("a second finding, or of another store: %+v", f)
		}
		if bad := f.Severity != registry.SeverityOK; f.What == "" || bad != (f.Why != "") || bad != (f.Do != "") {
			t.Errorf("the finding does not say what, why and what to do: %+v", f)
		}
		all[f.Check] = f
	}
	return all
}

// wantFindings holds what is not as it should be against "check severity: words", one for each such finding.
func wantFindings(t *testing.T, got map[string]registry.Finding, want ...string) {
	t.Helper()
	left := maps.Clone(got)
	maps.DeleteFunc(left, func(_ string, f registry.Finding) bool { return f.Severity == registry.SeverityOK })
	for _, w := range want {
		head, words, _ := strings.Cut(w, ": ")
		check, severity, _ := strings.Cut(head, " ")
		f := got[check]
		if string(f.Severity) != severity || !strings.Contains(f.String(), words) {
			t.Errorf("%s found %s: %s; want %s", check, f.Severity, f, w)
		}
		delete(left, check)
	}
	for _, f := range left {
		t.Errorf("%s found %s: %s", f.Check, f.Severity, f)
	}
}

func TestDoctor_OfAFile(t *testing.T) {
	now, shift := time.Now, time.Duration(0)
	s := testStore(t, Config{DSN: sqliteFile(t), Now: func() time.Time { return now().Add(shift) }})
	around := Surroundings{Nodes: 3, ContentLimit: 1 << 20, Serving: true}
	set := func(statement string) {
		t.Helper()
		if _, err := s.write.exec(t.Context(), "test", statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	got := findings(t, s, around)
	if got[checkDisk].Severity == registry.SeverityWarning { // of the machine that runs this
		delete(got, checkDisk)
	}
	wantFindings(t, got)
	if len(got) < 5 {
		t.Errorf("only %d findings", len(got))
	}
	only := func(want ...string) {
		t.Helper()
		got := findings(t, s, around)
		delete(got, checkDisk)
		wantFindings(t, got, want...)
	}
	for _, c := range []struct {
		shift time.Duration
		want  string
	}{
		{3 * time.Second, "clock warning: ahead of that of the database"},
		{-3 * time.Second, "clock warning: behind that of the database"},
		{-time.Hour, "clock error: behind"},
		{time.Hour, "clock error: the node's clock is 1h0m0"},
		{-300 * time.Millisecond, ""},
	} {
		if shift = c.shift; c.want == "" {
			only()
			continue
		}
		only(c.want)
	}
	shift = 0

	set("PRAGMA synchronous = NORMAL")
	only("durability error: a power loss loses changes")
	set("PRAGMA synchronous = FULL")

	set("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
	only("schema error: run a newer version of the program")
	set("DELETE FROM goose_db_version WHERE version_id = 999")
	set("DELETE FROM goose_db_version WHERE version_id = 3")
	only("schema error: but the steps [3] before it were never made")
	set("DELETE FROM goose_db_version WHERE version_id > 2")
	only("schema error: this node runs")
	around.Serving = false
	only("schema note: the tables have version 2 and this program needs")

	around.ContentLimit = 1 << 60
	if f := findings(t, s, around)[checkDisk]; f.Severity != registry.SeverityWarning || !strings.Contains(f.What, "free on the disk of /") {
		t.Errorf("a disk too small for one content: %+v", f)
	}
}

func TestDoctor_FindsAFileWithoutWriteAheadLog(t *testing.T) {
	s, err := Open(t.Context(), Config{Name: "test", DSN: sqliteFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	got := findings(t, s, Surroundings{})
	delete(got, checkDisk)
	wantFindings(t, got, "schema note: the tables have version 0")
	var n int
	if err := s.read.one(t.Context(), "test", "SELECT COUNT(*) FROM sqlite_master", nil, &n); err != nil || n != 0 {
		t.Errorf("the examination made %d tables: %v", n, err)
	}
	if err := s.read.db.Close(); err != nil { // the mode cannot change under others
		t.Fatal(err)
	}
	if _, err := s.write.exec(t.Context(), "test", "PRAGMA journal_mode = DELETE"); err != nil {
		t.Fatal(err)
	}
	e := &examiner{store: s}
	if f := e.journal(t.Context())[0]; f.Severity != registry.SeverityError || !strings.Contains(f.What, "journal mode delete") {
		t.Errorf("found %+v", f)
	}
}

// Each setting is changed alone, at a server whose settings are good otherwise.
func TestDoctor_OfTheSettingsOfAServer(t *testing.T) {
	good := variables{
		"tx_isolation": "READ-COMMITTED", "sql_mode": "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", "time_zone": "+00:00", "character_set_client": "utf8mb4",
		"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON", "log_bin": "OFF", "sync_binlog": "0", "binlog_format": "MIXED",
		"max_allowed_packet": "16777216", "max_connections": "151", "max_user_connections": "0", "read_only": "OFF", "innodb_read_only": "OFF",
	}
	for _, c := range []struct {
		set  string // name=value, several with blanks between; those with a star are of the committer's connection alone
		want string
	}{
		{"", ""},
		{"transaction_isolation=READ-COMMITTED tx_isolation=", ""},
		{"*tx_isolation=REPEATABLE-READ", "isolation error: transactions that write"},
		{"tx_isolation=SERIALIZABLE", "isolation error: SERIALIZABLE"},
		{"wsrep_on=ON wsrep_sync_wait=0", "isolation error: Galera"},
		{"wsrep_on=ON wsrep_sync_wait=7", ""},
		{"innodb_flush_log_at_trx_commit=0", "durability error: a crash of the database"},
		{"innodb_flush_log_at_trx_commit=0 wsrep_on=ON wsrep_sync_wait=7", "durability warning: a power loss"},
		{"innodb_flush_log_at_trx_commit=2", "durability warning: is 2"},
		{"log_bin=ON", "durability warning: sync_binlog is 0"},
		{"log_bin=ON sync_binlog=1", ""},
		{"innodb_doublewrite=OFF", "durability warning: innodb_doublewrite"},
		{"sql_mode=", "values error: cut without an error"},
		{"*sql_mode=STRICT_TRANS_TABLES", "values error: STRICT_TRANS_TABLES"},
		{"character_set_client=gbk", "values error: gbk"},
		{"character_set_client=utf8mb3", ""},
		{"max_allowed_packet=1048576", "packet error: need up to 2162688"},
		{"*max_allowed_packet=4194304", "packet warning: 4194304 bytes"},
		{"max_allowed_packet=", ""},
		{"read_only=ON", "writes error: read_only is ON"},
		{"super_read_only=1", "writes error: super_read_only"},
		{"binlog_format=STATEMENT", ""},
		{"binlog_format=STATEMENT log_bin=1 sync_binlog=1", "writes error: STATEMENT"},
		{"max_connections=60", "connections warning: set max_connections to at least 64"},
		{"max_user_connections=63", "connections warning: set max_user_connections to at least 64"},
		{"max_connections=64", ""},
		{"time_zone=SYSTEM", "time_zone warning: SYSTEM"},
	} {
		t.Run(c.set, func(t *testing.T) {
			reader, writer := maps.Clone(good), maps.Clone(good)
			for pair := range strings.FieldsSeq(c.set) {
				name, value, _ := strings.Cut(pair, "=")
				name, writing := strings.CutPrefix(name, "*")
				for v, set := range map[*variables]bool{&reader: !writing, &writer: true} {
					if set {
						(*v)[name] = value
					}
					if value == "" && name != "sql_mode" {
						delete(*v, name)
					}
				}
			}
			e := &examiner{settings: mysqlSettings{reader: reader, writer: writer, chunk: defaultContentChunk, connections: 18, nodes: 3}}
			e.once.Do(func() {})
			got := map[string]registry.Finding{}
			for _, f := range registry.RunChecks(t.Context(), e.mysqlChecks()) {
				got[f.Check] = f
			}
			if len(got) != 8 {
				t.Errorf("%d findings", len(got))
			}
			if c.want == "" {
				wantFindings(t, got)
				return
			}
			wantFindings(t, got, c.want)
		})
	}
}

func TestDoctor_KnowsTheLongestMetadata(t *testing.T) {
	m := registry.Meta{Description: strings.Repeat("<", registry.MaxDescriptionLength), Properties: registry.Properties{}}
	for i := range registry.MaxPropertyValues {
		m.Properties[fmt.Sprintf("%0*d", registry.MaxPropertyNameLength, i)] = []string{strings.Repeat("<", registry.MaxPropertyValueLength)} // \u003c each
	}
	data, _, err := encodeMeta(m)
	if err != nil {
		t.Fatal(err)
	}
	if sent := len(strings.ReplaceAll(string(data), `\`, `\\`)); sent > largestMeta-packetSlack {
		t.Errorf("the longest metadata has %d bytes in a statement, more than %d", sent, largestMeta-packetSlack)
	}
}

func TestDoctor_AcceptsChecksThatThereAre(t *testing.T) {
	e := &examiner{}
	names := map[string]bool{checkClock: true}
	for _, c := range append(e.sqliteChecks(), e.mysqlChecks()...) {
		names[c.Name] = true
	}
	for _, name := range AcceptableChecks() {
		if !names[name] {
			t.Errorf("no check is named %s", name)
		}
	}
}

// A server with bad settings, and one that is gone.
func TestDoctor_OfAServer(t *testing.T) {
	server := registrytest.StartPrivateMySQL(t,
		"--innodb-flush-log-at-trx-commit=0", "--max-allowed-packet=1M", "--max-connections=30", "--init-connect=SET time_zone = '+02:00', NAMES sjis, SESSION sql_mode = ''",
	)
	dsn := "mysql:" + server.Database(t)
	s, err := Open(t.Context(), Config{Name: "test", DSN: dsn, PoolSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	around := Surroundings{Nodes: 10}
	always := []string{
		"durability error: innodb_flush_log_at_trx_commit is 0", "packet error: max_allowed_packet is 1048576", "connections warning: max_connections is 30",
		"values error: character_set_client is sjis",
	}
	wantFindings(t, findings(t, s, around), append(always, "schema note: version 0")...)
	if n, err := s.applied(t.Context()); n != nil || err != nil {
		t.Errorf("the examination made the table of versions: %v, %v", n, err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	around.Serving = true
	wantFindings(t, findings(t, s, around), always...)
	// As if somebody between node and server had kept the settings from it.
	for _, p := range []*pool{s.read, s.write} {
		if _, err := p.exec(t.Context(), "test", "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			t.Fatal(err)
		}
	}
	wantFindings(t, findings(t, s, around), append(always, "isolation error: REPEATABLE-READ")...)

	alone, err := Examine(t.Context(), Config{Name: "test", DSN: dsn, PoolSize: 1}, around)
	if err != nil || alone[0].Severity != registry.SeverityError {
		t.Errorf("examined alone: %v, %v", alone, err)
	}

	server.Private.Kill()
	got := findings(t, s, around)
	wantFindings(t, got, "answer error: does not answer")
	if len(got) != 1 {
		t.Errorf("a server that is gone: %v", got)
	}
	alone, err = Examine(t.Context(), Config{Name: "test", DSN: dsn}, around)
	if err != nil || len(alone) != 1 || alone[0].Check != checkAnswer || alone[0].Severity != registry.SeverityError || !strings.Contains(alone[0].String(), "refused") {
		t.Errorf("examined alone, a server that is gone: %v, %v", alone, err)
	}
	if err := server.Private.Restart(t.Context()); err != nil { // its database is dropped in the end
		t.Fatal(err)
	}
}

func TestDoctor_KnowsWhatTheNetworkSees(t *testing.T) {
	for dsn, want := range map[string]registry.Severity{
		"mysql:u:p@tcp(127.0.0.1:3306)/d": registry.SeverityOK, "mysql:u:p@tcp([::1]:3306)/d": registry.SeverityOK, "mysql:u:p@tcp(localhost)/d": registry.SeverityOK,
		"mysql:u:p@unix(/run/mysqld.sock)/d": registry.SeverityOK, "mysql:u:p@tcp(db.example:3306)/d?tls=true": registry.SeverityOK,
		"mysql:u:p@tcp(db.example:3306)/d": registry.SeverityNote, "mysql:u:p@tcp(10.0.0.9)/d?tls=preferred": registry.SeverityNote,
	} {
		b, err := Config{Name: "test", DSN: dsn}.backend()
		if err != nil {
			t.Fatal(err)
		}
		if f := (mysqlSettings{clear: b.clear}).encryption(); f.Severity != want {
			t.Errorf("%s: %+v", dsn, f)
		}
	}
}

func TestExamine_MakesNoFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "x.db")
	found, err := Examine(t.Context(), Config{Name: "test", DSN: "sqlite:" + file}, Surroundings{})
	if err != nil || len(found) != 1 || found[0].Severity != registry.SeverityNote || !strings.Contains(found[0].What, file) {
		t.Errorf("found %v: %v", found, err)
	}
	if _, err := os.Stat(filepath.Dir(file)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
	if _, err := Examine(t.Context(), Config{Name: "test", DSN: "x"}, Surroundings{}); registry.CodeOf(err) != registry.CodeInvalid {
		t.Errorf("an address that is none: %v", err)
	}
	s := testStore(t, Config{DSN: "sqlite:" + file})
	mustSet(t, s, "x", "1")
	found, err = Examine(t.Context(), Config{Name: "test", DSN: "sqlite:" + file}, Surroundings{Serving: true})
	if err != nil || len(found) != 6 {
		t.Errorf("beside a store: %v: %v", found, err)
	}
	mustSet(t, s, "x", "2")
}
