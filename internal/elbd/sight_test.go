package elbd

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/membership"
)

func TestSight(t *testing.T) {
	t.Parallel()
	active := func(id string) membership.Member {
		return membership.Member{ID: id, State: membership.StateActive}
	}
	leaving := membership.Member{ID: "b", State: membership.StateDraining}
	type snapshots [][]membership.Member
	for name, c := range map[string]struct {
		expected bool
		seen     snapshots
		isolated bool
		others   int
	}{
		"nobody has come yet":              {false, snapshots{{active("self")}}, false, 0},
		"nobody at the known addresses":    {true, snapshots{{active("self")}}, true, 0},
		"company":                          {true, snapshots{{active("self"), active("a")}}, false, 1},
		"all gone without a word":          {false, snapshots{{active("self"), active("a")}, {active("self")}}, true, 0},
		"the last one said that it leaves": {true, snapshots{{active("self"), active("b")}, {active("self"), leaving}, {active("self")}}, false, 0},
		"one of two said so":               {false, snapshots{{active("self"), active("a"), leaving}, {active("self")}}, true, 0},
		"gone and back":                    {false, snapshots{{active("self"), active("a")}, {active("self")}, {active("self"), active("c")}}, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSight(noon, c.expected)
			for i, snapshot := range c.seen {
				s.saw("self", snapshot, noon.Add(time.Duration(i+1)*time.Minute))
			}
			if got := s.status(); got.Isolated != c.isolated || got.Others != c.others {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestSight_Since(t *testing.T) {
	t.Parallel()
	s := newSight(noon, false)
	for i, n := range []int{0, 1, 2, 1, 0, 0} {
		s.saw("self", make([]membership.Member, n), noon.Add(time.Duration(i)*time.Minute))
	}
	if got := s.status().Since; !got.Equal(noon.Add(4 * time.Minute)) {
		t.Errorf("alone since %s", got)
	}
}

func TestEventLog(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	out := &lines{}
	log := slog.New(l.handler(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelError})))
	log.Info("Member joined", "id", "01", "name", "node1", "address", "127.0.0.1:1")
	log.Info("listening", "listener", "http")
	log.Warn("request failed", "path", "/secret")
	log.Debug("member is up")
	with := log.With("id", "02", "name", "node2", "domain", "d")
	for range 3 {
		with.Warn("member is down: it does not answer", "reason", "refused", "error", errors.New(strings.Repeat("é", 400)))
	}
	log.WithGroup("g").Error("of a group", "name", "not a member")
	got := l.newest()
	if len(got) != 3 {
		t.Fatalf("%d events: %+v", len(got), got)
	}
	if e := got[0]; e.Message != "of a group" || e.Member != "" || e.Level != "error" {
		t.Errorf("%+v", e)
	}
	if e := got[1]; e.Times != 3 || e.Member != "node2" || e.Domain != "d" || e.Level != "warn" || !strings.HasPrefix(e.Detail, "reason=refused, error=éé") || len(e.Detail) > detailLength+3 || !strings.HasSuffix(e.Detail, "é…") {
		t.Errorf("%+v", e)
	}
	if e := got[2]; e.Member != "node1" || e.Detail != "address=127.0.0.1:1" {
		t.Errorf("%+v", e)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("the log's own level does not hold:\n%s", out)
	}
}

func TestEventLog_IsBounded(t *testing.T) {
	t.Parallel()
	l := &eventLog{}
	for i := range 3 * eventsMost {
		l.add(event{Message: strings.Repeat("x", i), Times: 1})
	}
	if got := l.newest(); len(got) != eventsMost || len(got[0].Message) != 3*eventsMost-1 {
		t.Errorf("%d events", len(got))
	}
}
