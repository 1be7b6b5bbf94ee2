package e2e_test

// Request smuggling, desync and header injection, over raw sockets: every payload of testdata/smuggling goes through a real load balancer, and what
// the member behind it sees is exactly what the table allows.

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/regent-registry/regent/internal/e2e"
)

// smugglingTimeouts are short where payloads wait for the load balancer to give up. What is sent comes in one piece, so they cost no good request.
const smugglingTimeouts = "access_log: false\ntimeouts: {read_header: 1s, body: 1s, idle: 1m, response_header: 15s}\n"

// chain is the way of a payload: the load balancer, perhaps a second hop, and the recorder.
type chain struct {
	front    string // address that clients connect to
	hops     int    // load balancers and others
	recorder *recorder
}

func TestSmuggling(t *testing.T) {
	slow(t)
	t.Parallel()
	payloads := loadPayloads(t)
	t.Run("ToTheMember", func(t *testing.T) {
		t.Parallel()
		r := startRecorder(t)
		elb := startFront(t, r.port)
		c := chain{elb.httpAddr, 1, r}
		playAll(t, c, payloads)
		elb.Stop()
		c.checkRest(t, payloads)
	})
	for _, hop := range []secondHop{nginx, haproxy} {
		t.Run("Through"+hop.name, func(t *testing.T) {
			t.Parallel()
			r := startRecorder(t)
			port, process := hop.start(t, r.port, 10)
			elb := startFront(t, port)
			c := chain{elb.httpAddr, 2, r}
			playAll(t, c, payloads)
			elb.Stop()
			process.Kill()
			c.checkRest(t, payloads)
		})
	}
}

// startFront runs a load balancer that serves front.test by one member.
func startFront(t *testing.T, member int) *loneELB {
	t.Helper()
	return startLoneELB(t, smugglingTimeouts, []loneService{{"front.test", []string{loopback(member)}}})
}

// playAll sends all payloads, one after the other.
func playAll(t *testing.T, c chain, payloads []payload) {
	t.Helper()
	for _, p := range payloads {
		t.Run(p.name, func(t *testing.T) {
			v := verdict{t: t, chain: c, payload: p, proto: "http"}
			v.run()
		})
	}
}

// checkRest looks at what came to the recorder late, when all before it have ended.
func (c chain) checkRest(t *testing.T, payloads []payload) {
	t.Helper()
	before := c.recorder.mark()
	e2e.Await(t, recorderLimit, "the recorder has read everything", func() error {
		if n := c.recorder.connections(); n > 0 {
			return fmt.Errorf("%d connections are open", n)
		}
		return nil
	})
	late, faults := c.recorder.since(before)
	if len(late)+len(faults) > 0 {
		t.Errorf("after the last answer the member saw\n%s%s", list(late), strings.Join(faults, "\n"))
	}
	checkCut(t, c.recorder.cutOff(), payloads)
}

// verdict is the run of one payload.
type verdict struct {
	t             *testing.T
	chain         chain
	payload       payload
	proto         string // of the client
	before        mark
	answers       []gotten
	refusedBehind int
}

func (v *verdict) run() {
	v.t.Helper()
	v.before = v.chain.recorder.mark()
	client, err := dialSender(v.chain.front)
	if err != nil {
		v.t.Fatal(err)
	}
	defer client.close()
	v.answers, err = client.play(v.payload)
	for i, a := range v.answers {
		v.checkAnswer(v.payload.want[i], a)
	}
	if err != nil {
		v.t.Errorf("%d of %d answers: %v", len(v.answers), len(v.payload.want), err)
	}
	goods := 0
	if err == nil && v.checkEnd(client) {
		goods++
	}
	v.goodOnAnother()
	v.checkMember(goods + 1)
}

// checkAnswer compares an answer with its outcome.
func (v *verdict) checkAnswer(want outcome, a gotten) {
	v.t.Helper()
	switch want.kind {
	case passed, switched:
		if v.chain.hops > 1 && a.seen < 0 && a.status >= 400 {
			v.refusedBehind++
			v.t.Logf("the second hop refuses %s %.60s: status %d", want.request.method, want.request.target, a.status)
			return
		}
		if !slices.Contains(want.status, a.status) && v.chain.hops == 1 || a.seen < 0 {
			v.t.Errorf("%s %.60s: status %d, request %d of the recorder; want %v: %.200s", want.request.method, want.request.target, a.status, a.seen, want.status, a.body)
		}
	case refused, own, cut:
		if !slices.Contains(want.status, a.status) || a.seen >= 0 {
			v.t.Errorf("status %d, request %d of the recorder; want %s %v: %.200s", a.status, a.seen, want.kind, want.status, a.body)
		}
		if a.header.Get("X-Request-Id") == "" {
			v.t.Errorf("the load balancer's own answer %d has no X-Request-Id: %v", a.status, a.header)
		}
	}
}

// checkEnd looks at the connection after the last answer: closed, or good for one more request. It tells whether the recorder saw that request.
func (v *verdict) checkEnd(client *sender) (seen bool) {
	v.t.Helper()
	last := v.payload.want[len(v.payload.want)-1]
	a := v.answers[len(v.answers)-1]
	switch {
	case last.kind == switched && a.status == 101:
		if err := client.echoes(); err != nil {
			v.t.Errorf("websocket: %v", err)
		}
		return false
	case last.closed:
		if !a.close {
			v.t.Error("the last answer does not say that the connection ends")
		}
		if err := client.ended(); err != nil {
			v.t.Errorf("after the last answer: %v", err)
		}
		return false
	case a.close && last.kind == passed && v.chain.hops == 1:
		v.t.Error("the last answer says that the connection ends; the table does not")
		return false
	case a.close: // an answer of the load balancer's own, or a second hop that had enough
		return false
	}
	path := goodPath(v.payload, "same")
	client.write(good(path))
	a, err := client.answer("GET")
	if err != nil {
		v.t.Errorf("the good request on the same connection: %v", err)
		return false
	}
	v.checkGood(path, a)
	return true
}

func (v *verdict) goodOnAnother() {
	v.t.Helper()
	client, err := dialSender(v.chain.front)
	if err != nil {
		v.t.Fatal(err)
	}
	defer client.close()
	path := goodPath(v.payload, "other")
	client.write(good(path))
	a, err := client.answer("GET")
	if err != nil {
		v.t.Fatalf("the good request on another connection: %v", err)
	}
	v.checkGood(path, a)
}

// checkGood wants the answer to exactly this request.
func (v *verdict) checkGood(path string, a gotten) {
	v.t.Helper()
	if a.status != 200 || a.seen < 0 {
		v.t.Errorf("%s: status %d: %.200s", path, a.status, a.body)
		return
	}
	seen, _ := v.chain.recorder.since(mark{})
	if got := seen[a.seen].target; got != path {
		v.t.Errorf("%s got the answer to %s", path, got)
	}
}

// checkMember compares what the recorder saw with the table: the answered requests, in their order, then the good ones.
func (v *verdict) checkMember(goods int) {
	v.t.Helper()
	seen, faults := v.chain.recorder.since(v.before)
	for _, f := range faults {
		v.t.Errorf("bytes at the member that are no request: %s", f)
	}
	var allowed []message
	for i, a := range v.answers {
		want := v.payload.want[i]
		if (want.kind == passed || want.kind == switched) && a.seen >= 0 {
			allowed = append(allowed, want.request)
			if at := a.seen - v.before.seen; at != len(allowed)-1 {
				v.t.Errorf("answer %d is about request %d of the member", i+1, at+1)
			}
		}
	}
	if len(seen) != len(allowed)+goods {
		v.t.Errorf("the member saw %d requests; %d and %d good ones are allowed:\n%s", len(seen), len(allowed), goods, list(seen))
		return
	}
	for i, want := range allowed {
		if v.chain.hops == 1 {
			v.sameInAll(want, seen[i])
		} else {
			v.sameInEssence(want, seen[i])
		}
	}
	for _, m := range seen[len(allowed):] {
		if m.method != "GET" || !strings.HasPrefix(m.target, "/good/") || m.body != "" {
			v.t.Errorf("the member saw %v; a good request was sent", m)
		}
	}
}

func list(messages []message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintln(&b, " ", m)
	}
	return b.String()
}

// sameInEssence compares what a second hop must leave alone.
func (v *verdict) sameInEssence(want, got message) {
	v.t.Helper()
	if got.method != want.method || got.target != want.target || got.body != want.body {
		v.t.Errorf("the member behind the second hop saw %v\nallowed is %v", got, want)
	}
}

// sameInAll compares everything, after the fields of the load balancer were looked at and taken out.
func (v *verdict) sameInAll(want, got message) {
	v.t.Helper()
	rest := takeForwarding(v.t, got, v.proto)
	wanted := map[string][]string{}
	for _, f := range want.fields {
		name := strings.ToLower(f.name)
		wanted[name] = append(wanted[name], strings.Trim(f.value, " \t"))
	}
	if diff := cmp.Diff(wanted, rest); diff != "" {
		v.t.Errorf("%s: fields at the member (- allowed, + seen):\n%s", got.target, diff)
	}
	want.fields, got.fields = nil, nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(message{}, field{})); diff != "" {
		v.t.Errorf("the member saw (- allowed, + seen):\n%s", diff)
	}
}

var (
	requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	keepAlive     = []string{"keep-alive"}
)

// takeForwarding checks the fields that the load balancer sets, and gives the others: values by name in lower case, without the framing and without
// the Connection of a kept connection.
func takeForwarding(t *testing.T, m message, proto string) map[string][]string {
	t.Helper()
	fields := map[string][]string{}
	for _, f := range m.fields {
		name := strings.ToLower(f.name)
		fields[name] = append(fields[name], f.value)
	}
	host := strings.Join(fields["host"], "|")
	for name, want := range map[string]string{
		"x-forwarded-for":   `127\.0\.0\.1`,
		"x-forwarded-host":  regexp.QuoteMeta(host),
		"x-forwarded-proto": proto,
		"x-forwarded-port":  `\d+`,
		"forwarded":         `for=127\.0\.0\.1;host="` + regexp.QuoteMeta(host) + `";proto=` + proto,
		"x-request-id":      requestIDForm.String()[1 : len(requestIDForm.String())-1],
		"traceparent":       `00-[0-9a-f]{32}-[0-9a-f]{16}-01`,
	} {
		got := fields[name]
		if len(got) != 1 || !regexp.MustCompile(`^(?:`+want+`)$`).MatchString(got[0]) {
			t.Errorf("%s: %s is %q at the member; want one %s", m.target, name, got, want)
		}
		delete(fields, name)
	}
	delete(fields, "content-length")
	delete(fields, "transfer-encoding")
	if slices.Equal(fields["connection"], keepAlive) {
		delete(fields, "connection")
	}
	return fields
}

// checkCut compares the requests that broke off with those that may.
func checkCut(t *testing.T, broken []message, payloads []payload) {
	t.Helper()
	may := map[string]message{}
	for _, p := range payloads {
		for _, o := range p.want {
			if o.kind == cut {
				may[o.request.target] = o.request
			}
		}
	}
	times := map[string]int{}
	for _, m := range broken {
		allowed, ok := may[m.target]
		if !ok || m.method != allowed.method || !strings.HasPrefix(allowed.body, m.body) {
			t.Errorf("the member saw the beginning of a request that may not begin: %v", m)
		}
		times[m.target]++
	}
	for _, target := range slices.Sorted(maps.Keys(times)) {
		if times[target] > 1 {
			t.Errorf("the member saw the beginning of %s %d times: a broken body was sent again", target, times[target])
		}
	}
}
