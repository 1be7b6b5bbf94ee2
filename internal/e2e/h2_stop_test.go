package e2e_test

// A load balancer that stops while HTTP/2 streams run, and one whose clients stop asking.

import (
	"errors"
	"testing"

	"golang.org/x/net/http2"
)

// startH2Stop starts a load balancer that has time to stop, and a client.
func startH2Stop(t *testing.T, more string) (*attack, *h2peer) {
	t.Helper()
	m := startH2Member(t)
	elb := startLoneELB(t, more, []loneService{{"good.test", []string{m.addr}}})
	a := &attack{elb: elb, member: m.witness, ctx: t.Context()}
	t.Cleanup(a.close)
	p, err := a.peer()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.settle(); err != nil {
		t.Fatal(err)
	}
	return a, p
}

// TestHTTP2_GracefulStop: on SIGTERM a connection is told so (RFC 9113 section 6.8). What runs is finished, in both directions, and nothing begins.
func TestHTTP2_GracefulStop(t *testing.T) {
	slow(t)
	t.Parallel()
	a, p := startH2Stop(t, "access_log: false\n")
	slowly, slowToken := []uint32{}, a.token()
	for range 5 {
		slowly = append(slowly, p.get("/slow/"+slowToken))
	}
	down := p.get("/random/" + a.token() + "/3000000/chunked")
	p.stingy[down] = true // it stays where it is until the end is announced
	upToken := a.token()
	up := p.open("POST", "/echo/"+upToken, false)
	begun := p.upload(up, false, make([]byte, 200_000))
	begun = errors.Join(begun, p.until("the download has begun", func() bool { return p.streams[down].body.Len() == h2window }))
	if begun != nil {
		t.Fatal(begun)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		a.elb.Stop()
	}()
	if err := p.until("GOAWAY", func() bool { return p.goAway != nil }); err != nil || p.goAway.code != http2.ErrCodeNo {
		t.Fatalf("%v, %v", p.goAway, err)
	}
	if err := p.ping(); err != nil { // a second GOAWAY, with the last stream, may have come by now
		t.Fatal(err)
	}
	late := a.token()
	refused := p.get("/echo/" + late)
	_ = p.framer.WriteWindowUpdate(down, 4<<20)
	err := errors.Join(p.upload(up, true, make([]byte, 200_000)), p.expect(up, 200, echoBody(upToken, 400_000)),
		p.expect(down, 200, string(randomBytes(3_000_000))))
	for _, id := range slowly {
		err = errors.Join(err, p.expect(id, 200, goodBody(slowToken)))
	}
	if err != nil {
		t.Error(err)
	}
	if err := p.until("the end of the connection", func() bool { return p.over != nil }); err != nil {
		t.Error(err)
	}
	if p.goAway.code != http2.ErrCodeNo || p.goAway.last < up || p.goAway.last > refused {
		t.Errorf("the last stream is %d: %v", up, p.goAway)
	}
	if s := p.streams[refused]; p.goAway.last < refused && (s.status != 0 || a.member.nothing(late) != nil) {
		t.Errorf("a stream after the last one: %v, %v", s, a.member.nothing(late))
	}
	<-stopped
}

// TestHTTP2_StopEndsIdle: a connection without streams does not hold up the end.
func TestHTTP2_StopEndsIdle(t *testing.T) {
	slow(t)
	t.Parallel()
	a, p := startH2Stop(t, "access_log: false\n")
	if err := p.expectGood(a); err != nil {
		t.Fatal(err)
	}
	a.elb.Stop()
	if err := p.ends(http2.ErrCodeNo); err != nil {
		t.Error(err)
	}
}

// TestHTTP2_StopBreaksOff: what does not end in drain_timeout is broken off, and does not look whole.
func TestHTTP2_StopBreaksOff(t *testing.T) {
	slow(t)
	t.Parallel()
	a, p := startH2Stop(t, "access_log: false\ndrain_timeout: 500ms\n")
	id := p.get("/chunks/" + a.token() + "/3000000")
	p.stingy[id] = true
	if err := p.until("a part of the answer", func() bool { return p.streams[id].body.Len() == h2window }); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		a.elb.Stop()
	}()
	if err := p.until("the end of the connection", func() bool { return p.over != nil }); err != nil {
		t.Error(err)
	}
	if s := p.streams[id]; s.ended {
		t.Errorf("it looks whole: %v", s)
	}
	<-stopped
}

// TestHTTP2_Idle: after timeouts.idle without a stream the connection ends with GOAWAY, and not before that.
func TestHTTP2_Idle(t *testing.T) {
	slow(t)
	t.Parallel()
	a, p := startH2Stop(t, "access_log: false\ntimeouts: {idle: 1s, member_idle: 1s}\n")
	for range 5 {
		token := a.token()
		if err := p.expect(p.get("/slow/"+token), 200, goodBody(token)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.ends(http2.ErrCodeNo); err != nil {
		t.Error(err)
	}
	if p.goAway != nil && p.goAway.last != 9 {
		t.Errorf("the last stream was 9: %v", p.goAway)
	}
	a.elb.checkBase(answerLimit)
}
