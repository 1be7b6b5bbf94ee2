package registryd

import (
	"errors"
	"testing"
	"time"

	"github.com/regent-registry/regent/pkg/registry"
	"github.com/regent-registry/regent/pkg/registry/sqlstore"
)

func TestJobBook(t *testing.T) {
	now := time.Unix(1000, 0)
	b := newJobBook()
	b.now = func() time.Time { return now }
	b.due(jobRetention, now.Add(time.Hour))
	first := b.work("shared")(sqlstore.WorkSweep, now.Add(time.Minute))
	second := b.begin(jobTransfers, "", time.Time{})
	now = now.Add(time.Second)
	first(3, nil)
	second("", errors.New("disk on fire"))
	third := b.begin(jobDoctor, "", time.Time{})
	defer third("", nil)

	jobs := shownJobs(b.list())
	if len(jobs) != 4 {
		t.Fatalf("%+v", jobs)
	}
	doctor, retention, sweep, transfers := jobs[0], jobs[1], jobs[2], jobs[3]
	if !doctor.Running || doctor.Failed {
		t.Errorf("doctor: %+v", doctor)
	}
	if retention.Running || !retention.Next.Equal(time.Unix(4600, 0)) || !retention.Began.IsZero() {
		t.Errorf("retention: %+v", retention)
	}
	if sweep.Running || sweep.Failed || sweep.Store != "shared" || sweep.Result != "removed 3" || sweep.Ended.Sub(sweep.Began) != time.Second || !sweep.Next.Equal(time.Unix(1060, 0)) {
		t.Errorf("sweep: %+v", sweep)
	}
	if transfers.Running || !transfers.Failed || transfers.Result != registry.MessageOf(errors.New("x")) {
		t.Errorf("transfers: %+v; what is internal stays inside", transfers)
	}
}

func TestRunJob_RunsRetentionOnceForSeveralOrders(t *testing.T) {
	n := &node{retainNow: make(chan struct{}, 1)}
	n.config.RetentionInterval = time.Hour
	for range 3 {
		if err := n.runJob(jobRetention); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.retainNow) != 1 {
		t.Errorf("%d runs wait", len(n.retainNow))
	}
	if err := n.runJob(jobDoctor); registry.CodeOf(err) != registry.CodeInvalid {
		t.Error(err)
	}
	n.config.RetentionInterval = 0
	if err := n.runJob(jobRetention); registry.CodeOf(err) != registry.CodeInvalid {
		t.Errorf("without retention: %v", err)
	}
}
