package membership_test

import (
	"bytes"
	"compress/lzw"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/regent-registry/regent/pkg/membership"
)

const (
	groupKey = "0123456789abcdef0123456789abcdef"
	otherKey = "fedcba9876543210fedcba9876543210"
)

// The first byte of a message of memberlist.
const (
	msgPing     = 0
	msgAlive    = 4
	msgPushPull = 6
	msgCompound = 7
	msgCompress = 9
	msgEncrypt  = 10
	msgCRC      = 12
)

// labelled puts a label in front of a packet or stream.
func labelled(label string, body []byte) []byte {
	return append(append([]byte{244, byte(len(label))}, label...), body...)
}

// sealed encrypts a message as members do, in the form of the given version.
func sealed(t *testing.T, version byte, key string, additional, plain []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		t.Fatal(err)
	}
	return append([]byte{version}, gcm.Seal(nonce, nonce, plain, additional)...)
}

func sealedPacket(t *testing.T, key, label string, plain []byte) []byte {
	t.Helper()
	return labelled(label, sealed(t, 1, key, []byte(label), plain))
}

func sealedStream(t *testing.T, version byte, key, label string, plain []byte) []byte {
	t.Helper()
	head := binary.BigEndian.AppendUint32([]byte{msgEncrypt}, uint32(1+12+len(plain)+16))
	return labelled(label, append(head, sealed(t, version, key, append(bytes.Clone(head), label...), plain)...))
}

// compressed is a message that unfolds to plain.
func compressed(t *testing.T, plain []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := lzw.NewWriter(&packed, lzw.LSB, 8)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	msg := append([]byte{msgCompress, 0x82, 0xa4}, "Algo\x00\xa3Buf\xdb"...)
	return append(binary.BigEndian.AppendUint32(msg, uint32(packed.Len())), packed.Bytes()...)
}

// attack is what somebody sends to the gossip port, and why it should be refused.
type attack struct {
	name   string
	stream bool
	send   []byte
	reason string
}

// outsiders are attacks of those who do not have the key.
func outsiders(t *testing.T) []attack {
	t.Helper()
	ping := []byte{msgPing, 0x80}
	state := []byte{msgPushPull, 0x83}
	return []attack{
		{"wrong key", false, sealedPacket(t, otherKey, domain, ping), "key"},
		{"wrong key", true, sealedStream(t, 1, otherKey, domain, state), "key"},
		{"no key", false, labelled(domain, []byte{msgAlive, 0x80}), "key"},
		{"no key, looks like version 0", false, labelled(domain, ping), "key"},
		{"no key", true, labelled(domain, state), "key"},
		{"wrong label", false, sealedPacket(t, groupKey, "other.domain", ping), "label"},
		{"wrong label", true, sealedStream(t, 1, groupKey, "other.domain", state), "label"},
		{"no label", false, []byte("GET / HTTP/1.1\r\n\r\n"), "label"},
		{"no label", true, []byte("GET / HTTP/1.1\r\n\r\n"), "label"},
		{"label exchanged", false, labelled(domain, sealed(t, 1, groupKey, []byte("other.domain"), ping)), "key"},
		{"empty label", false, []byte{244, 0}, "malformed"},
		{"empty label", true, []byte{244, 0, 1}, "malformed"},
		{"label cut off", false, []byte{244, 200, 'x'}, "malformed"},
		{"oversized", false, labelled(domain, make([]byte, 60_000)), "oversized"},
		{"announces 20 MiB", true, labelled(domain, []byte{msgEncrypt, 1, 0x40, 0, 0, 1}), "oversized"},
		{"announces 4 GiB", true, labelled(domain, []byte{msgEncrypt, 0xff, 0xff, 0xff, 0xff, 1}), "oversized"},
		{"announces nothing", true, labelled(domain, []byte{msgEncrypt, 0, 0, 0, 0, 1}), "malformed"},
	}
}

// insiders are attacks of those who have the key, beyond what they may do with it.
func insiders(t *testing.T) []attack {
	t.Helper()
	bomb := make([]byte, 41<<20)
	padding := append(bytes.Repeat([]byte{1}, 31), 255) // 255 bytes of padding in 32
	checksum := []byte{msgCRC, 0, 0, 0, 0, msgPing, 0x80}
	return []attack{
		{"LZW bomb", true, sealedStream(t, 1, groupKey, domain, compressed(t, bomb)), "oversized"},
		{"LZW bomb of 3 MiB in a packet", false, sealedPacket(t, groupKey, domain, compressed(t, bomb[:3<<20])), "malformed"},
		{"compresses nothing", true, sealedStream(t, 1, groupKey, domain, compressed(t, nil)), "malformed"},
		{"million members", true, sealedStream(t, 1, groupKey, domain, []byte("\x06\x83\xa5Nodes\xce\x7f\xff\xff\xff\xacUserStateLen\x00\xa4Join\xc3")), "oversized"},
		{"unknown message", false, sealedPacket(t, groupKey, domain, []byte{200, 1, 2}), "malformed"},
		{"unknown message", true, sealedStream(t, 1, groupKey, domain, []byte{200, 1, 2}), "malformed"},
		{"no message", false, sealedPacket(t, groupKey, domain, nil), "malformed"},
		{"no message", true, sealedStream(t, 1, groupKey, domain, nil), "malformed"},
		{"wrong checksum", false, sealedPacket(t, groupKey, domain, checksum), "malformed"},
		{"compound cut off", false, sealedPacket(t, groupKey, domain, []byte{msgCompound, 9, 0}), "malformed"},
		{"alive cut off", false, sealedPacket(t, groupKey, domain, []byte{msgAlive, 0x86, 0xa4, 'N'}), "malformed"},
		{"state cut off", true, sealedStream(t, 1, groupKey, domain, []byte{msgPushPull, 0x83, 0xa5, 'N'}), "malformed"},
		{"hostile padding", false, labelled(domain, sealed(t, 0, groupKey, []byte(domain), padding)), "key"},
		{"hostile padding", true, sealedStream(t, 0, groupKey, domain, padding), "key"},
	}
}

func (a attack) String() string {
	if a.stream {
		return a.name + ", stream"
	}
	return a.name + ", packet"
}

// strike sends the attack to addr. from is the local address, with any port when it has port 0.
func (a attack) strike(t *testing.T, addr, from string) {
	t.Helper()
	network := "udp"
	var local net.Addr = &net.UDPAddr{IP: net.ParseIP(from)}
	if a.stream {
		network, local = "tcp", &net.TCPAddr{IP: net.ParseIP(from)}
	}
	d := net.Dialer{LocalAddr: local, Timeout: 5 * time.Second}
	conn, err := d.DialContext(t.Context(), network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Write(a.send)
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, conn) // until it hangs up
	} else if err != nil && !a.stream {
		t.Fatal(err)
	}
}

// target is a member under attack with one healthy peer.
type target struct {
	*membership.Group
	peer    *membership.Group
	metrics *prometheus.Registry
	log     *recorder
}

// newTarget opens both on loopback; change is for the target alone.
func newTarget(t *testing.T, change func(*membership.Config)) *target {
	t.Helper()
	x := &target{metrics: prometheus.NewRegistry(), log: &recorder{}}
	x.Group = openLoopback(t, "elb", nil, func(c *membership.Config) {
		keys(groupKey)(c)
		c.Registerer, c.Logger = x.metrics, x.log.logger()
		if change != nil {
			change(c)
		}
	})
	x.peer = openLoopback(t, "node1", []string{x.Addr()}, func(c *membership.Config) {
		keys(groupKey)(c)
		c.BindHost, c.Local.Host = "127.0.0.4", "127.0.0.4"
	})
	await(t, x.Group, "the peer is seen", func(ms []membership.Member) bool { return len(ms) == 2 })
	return x
}

// rejected awaits that the counter of a reason moves on from before.
func (x *target) rejected(t *testing.T, what, reason string, before float64) {
	t.Helper()
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for metric(t, x.metrics, "membership_rejected_total", "reason="+reason) == before {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s: not counted as %s; log:\n%s", what, reason, x.log)
		}
	}
}

// unharmed checks that the table is what it was, and that gossip goes on.
func (x *target) unharmed(t *testing.T) {
	t.Helper()
	if ms := x.Members(); len(ms) != 2 || !has(x.Group, x.peer.Local().ID) {
		t.Errorf("the table changed: %s", names(x.Group))
	}
	for _, s := range []membership.State{membership.StateMaintenance, membership.StateActive} {
		if err := x.peer.SetState(s); err != nil {
			t.Fatal(err)
		}
		await(t, x.Group, "the peer is "+s.String(), func(ms []membership.Member) bool {
			m, ok := find(ms, x.peer.Local().ID)
			return ok && m.State == s
		})
	}
	for _, event := range []string{"left", "lost"} {
		if n := metric(t, x.metrics, "membership_events_total", "event="+event); n != 0 {
			t.Errorf("%v members %s", n, event)
		}
	}
	for _, key := range []string{groupKey, otherKey} {
		if strings.Contains(x.log.String(), key) {
			t.Errorf("a key is in the log:\n%s", x.log)
		}
	}
}

// TestAttack_Port throws all at the port of a real member. Each must be counted under its reason: that is also what tells when another version
// of memberlist words its refusals otherwise.
func TestAttack_Port(t *testing.T) {
	t.Parallel()
	x := newTarget(t, nil)
	for _, a := range slices.Concat(outsiders(t), insiders(t)) {
		before := metric(t, x.metrics, "membership_rejected_total", "reason="+a.reason)
		a.strike(t, x.Addr(), "127.0.0.1")
		x.rejected(t, a.String(), a.reason, before)
	}
	x.unharmed(t)
}

// TestAttack_LongStream: without a key nothing tells how long a stream will be; it ends at the limit.
func TestAttack_LongStream(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	x := &target{Group: openLoopback(t, "elb", nil, func(c *membership.Config) { c.Registerer = r }), metrics: r, log: &recorder{}}
	endless := append([]byte{msgCompress, 0x82, 0xa4}, "Algo\x00\xa3Buf\xdb\x7f\xff\xff\xff"...)
	a := attack{"endless", true, labelled(domain, append(endless, make([]byte, 3<<20)...)), "oversized"}
	a.strike(t, x.Addr(), "127.0.0.1")
	x.rejected(t, a.String(), a.reason, 0)
}

// TestAttack_OutsideTheRanges: what comes from elsewhere is dropped whatever it is, even with the key.
func TestAttack_OutsideTheRanges(t *testing.T) {
	t.Parallel()
	x := newTarget(t, from("127.0.0.1/32", "127.0.0.4/32"))
	for _, a := range slices.Concat(outsiders(t), insiders(t)) {
		before := metric(t, x.metrics, "membership_rejected_total", "reason=cidr")
		a.strike(t, x.Addr(), "127.0.0.2")
		x.rejected(t, a.String(), "cidr", before)
	}
	for _, reason := range []string{"key", "label", "malformed", "oversized"} {
		if n := metric(t, x.metrics, "membership_rejected_total", "reason="+reason); n != 0 {
			t.Errorf("%v counted as %s: it was read", n, reason)
		}
	}
	// With the key, on the outside, by way of a member that has no policy: a member there, and none here. Its own policy keeps it from probing the
	// target in vain, which would go on for seconds after it left.
	stranger := openLoopback(t, "stranger", []string{x.peer.Addr()}, func(c *membership.Config) {
		keys(groupKey)(c)
		from("127.0.0.2/32", "127.0.0.4/32")(c)
		c.BindHost, c.Local.Host = "127.0.0.2", "127.0.0.2"
	})
	await(t, x.peer, "the member without a policy sees the stranger", func(ms []membership.Member) bool { return len(ms) == 3 })
	limit := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(x.Refused()) == 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the stranger is not shown as refused")
		}
	}
	if r := x.Refused()[0]; r.ID != stranger.Local().ID || r.Reason != "cidr" || r.Address != stranger.Addr() {
		t.Errorf("refused: %+v", r)
	}
	x.unharmed(t)
}

// TestAttack_Replay sends everything again that a member ever sent to the target, twice, the other way round too, and from another address.
func TestAttack_Replay(t *testing.T) {
	t.Parallel()
	x := newTarget(t, nil)
	tape := &tape{}
	recorded := openTaped(t, tape, x.Addr())
	id := recorded.Local().ID
	for _, s := range []membership.State{membership.StateActive, membership.StateMaintenance, membership.StateActive, membership.StateDraining, membership.StateMaintenance} {
		if err := recorded.SetState(s); err != nil {
			t.Fatal(err)
		}
		await(t, x.Group, "the recorded member is "+s.String(), func(ms []membership.Member) bool {
			m, ok := find(ms, id)
			return ok && m.State == s
		})
	}
	before, _ := find(x.Members(), id)
	joined := metric(t, x.metrics, "membership_events_total", "event=joined")
	updated := metric(t, x.metrics, "membership_events_total", "event=updated")
	packets, streams := tape.take()
	if len(packets) == 0 || len(streams) == 0 {
		t.Fatalf("%d packets and %d streams were recorded", len(packets), len(streams))
	}
	replay := func(packets [][]byte) {
		for _, p := range packets {
			attack{send: p}.strike(t, x.Addr(), "127.0.0.1")
			attack{send: p}.strike(t, x.Addr(), "127.0.0.3")
		}
	}
	replay(packets)
	for _, s := range streams {
		attack{stream: true, send: s}.strike(t, x.Addr(), "127.0.0.1")
	}
	slices.Reverse(packets)
	replay(packets)
	if err := x.peer.SetState(membership.StateDraining); err != nil { // told after all of that, and received after it
		t.Fatal(err)
	}
	await(t, x.Group, "the peer is draining", func(ms []membership.Member) bool {
		m, ok := find(ms, x.peer.Local().ID)
		return ok && m.State == membership.StateDraining
	})
	after, ok := find(x.Members(), id)
	if !ok || after.State != before.State || !after.Since.Equal(before.Since) || len(x.Members()) != 3 {
		t.Errorf("before %+v, after %+v; %s", before, after, names(x.Group))
	}
	if n := metric(t, x.metrics, "membership_events_total", "event=joined"); n != joined {
		t.Errorf("%v members joined", n-joined)
	}
	if n := metric(t, x.metrics, "membership_events_total", "event=updated"); n != updated+1 {
		t.Errorf("%v members were updated, want the peer alone", n-updated)
	}

	// It leaves, and is replayed once more: it stays away.
	if err := recorded.Leave(leaveContext(t)); err != nil {
		t.Fatal(err)
	}
	await(t, x.Group, "it is gone", func(ms []membership.Member) bool { _, ok := find(ms, id); return !ok })
	replay(packets)
	if err := x.peer.SetState(membership.StateActive); err != nil {
		t.Fatal(err)
	}
	await(t, x.Group, "the peer is active", func(ms []membership.Member) bool {
		m, ok := find(ms, x.peer.Local().ID)
		return ok && m.State == membership.StateActive
	})
	if has(x.Group, id) {
		t.Error("a replay brought it back")
	}
}

// tape is what a member sent, as it was on the wire.
type tape struct {
	mu      sync.Mutex
	packets [][]byte
	streams []*bytes.Buffer
}

// take gives copies of all packets and streams.
func (t *tape) take() (packets, streams [][]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.streams {
		streams = append(streams, bytes.Clone(s.Bytes()))
	}
	return slices.Clone(t.packets), streams
}

// tapedTransport records what goes out.
type tapedTransport struct {
	*memberlist.NetTransport
	tape *tape
}

func (t *tapedTransport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	t.tape.mu.Lock()
	t.tape.packets = append(t.tape.packets, bytes.Clone(b))
	t.tape.mu.Unlock()
	return t.NetTransport.WriteToAddress(b, a)
}

func (t *tapedTransport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	conn, err := t.NetTransport.DialAddressTimeout(a, timeout)
	if err != nil {
		return nil, err
	}
	t.tape.mu.Lock()
	defer t.tape.mu.Unlock()
	stream := &bytes.Buffer{}
	t.tape.streams = append(t.tape.streams, stream)
	return &tapedConn{Conn: conn, tape: t.tape, stream: stream}, nil
}

type tapedConn struct {
	net.Conn
	tape   *tape
	stream *bytes.Buffer
}

func (c *tapedConn) Write(b []byte) (int, error) {
	c.tape.mu.Lock()
	c.stream.Write(b)
	c.tape.mu.Unlock()
	return c.Conn.Write(b)
}

// openTaped starts a member that is recorded.
func openTaped(t *testing.T, tape *tape, seed string) *membership.Group {
	t.Helper()
	sockets, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	g, err := membership.Open(context.WithoutCancel(t.Context()), membership.Config{
		Local:     membership.Member{Name: "recorded", Domain: domain, Host: "127.0.0.1", State: membership.StateJoining},
		BindPort:  sockets.GetAutoBindPort(),
		Seeds:     []string{seed},
		Keys:      [][]byte{[]byte(groupKey)},
		Transport: &tapedTransport{NetTransport: sockets, tape: tape},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Leave(leaveContext(t)) })
	return g
}
