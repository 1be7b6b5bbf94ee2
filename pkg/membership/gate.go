package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/hashicorp/memberlist"
)

// gate stands between the sockets and memberlist. It drops what comes from outside the policy before a byte of it is read, and what is larger than
// gossip ever is: memberlist would take up to 20 MiB of a stream into memory before it looks whether the sender has the key. It also drops two forms
// of encrypted message that no member sends and that make memberlist panic once they are decrypted.
type gate struct {
	memberlist.NodeAwareTransport
	judge  *judge
	keyed  bool
	refuse func(reason, what string, from net.Addr)

	packets chan *memberlist.Packet
	streams chan net.Conn
	closing sync.Once
	down    chan struct{}
	pumps   sync.WaitGroup
}

const (
	maxPacket = 4 << 10 // bytes; members send at most 1400
	maxStream = 2 << 20 // bytes; the whole state of some thousands of members
)

// What the head of a packet or stream looks like in memberlist's protocol: [244 size label] [10 length(4), streams only] version nonce(12) text tag(16).
const (
	markLabel        = 244
	markEncrypted    = 10
	encryptVersion   = 1  // that all members of today send; 0 is padded, and the padding of a hostile one is not checked
	encryptedLeast   = 30 // bytes: version, nonce, tag, and a message of one byte
	streamHeadLength = 1 + 4 + 1
	headLength       = 2 + memberlist.LabelMaxSize + streamHeadLength // of a stream, at most
)

var _ memberlist.NodeAwareTransport = (*gate)(nil)

// newGate starts to pass on what the transport receives. Shutdown ends it, and the transport.
func newGate(t memberlist.NodeAwareTransport, j *judge, keyed bool, refuse func(reason, what string, from net.Addr)) *gate {
	g := &gate{
		NodeAwareTransport: t, judge: j, keyed: keyed, refuse: refuse,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn), down: make(chan struct{}),
	}
	g.pumps.Go(g.pumpPackets)
	g.pumps.Go(g.pumpStreams)
	return g
}

// PacketCh gives the packets that passed.
func (g *gate) PacketCh() <-chan *memberlist.Packet { return g.packets }

// StreamCh gives the streams that passed.
func (g *gate) StreamCh() <-chan net.Conn { return g.streams }

// Shutdown ends the gate and the transport behind it.
func (g *gate) Shutdown() error {
	var err error
	g.closing.Do(func() {
		close(g.down)
		g.pumps.Wait()
		err = g.NodeAwareTransport.Shutdown()
	})
	return err
}

func (g *gate) pumpPackets() {
	for {
		select {
		case p := <-g.NodeAwareTransport.PacketCh():
			if reason := g.judgePacket(p); reason != "" {
				g.refuse(reason, "packet", p.From)
				continue
			}
			select {
			case g.packets <- p:
			case <-g.down:
				return
			}
		case <-g.down:
			return
		}
	}
}

func (g *gate) judgePacket(p *memberlist.Packet) (reason string) {
	switch {
	case !g.judge.source(addrOf(p.From)):
		return rejectCIDR
	case len(p.Buf) > maxPacket:
		return rejectOversized
	case !g.keyed:
		return ""
	}
	if rest, ok := afterLabel(p.Buf); ok && len(rest) > 0 && rest[0] == 0 {
		return rejectKey // encrypted in the old form, or not at all
	}
	return ""
}

func (g *gate) pumpStreams() {
	for {
		select {
		case conn := <-g.NodeAwareTransport.StreamCh():
			if from := conn.RemoteAddr(); !g.judge.source(addrOf(from)) {
				_ = conn.Close()
				g.refuse(rejectCIDR, "stream", from)
				continue
			}
			select {
			case g.streams <- &gatedConn{Conn: conn, gate: g, head: make([]byte, 0, headLength)}:
			case <-g.down:
				_ = conn.Close()
				return
			}
		case <-g.down:
			return
		}
	}
}

// afterLabel gives what follows the label of a packet or stream; not ok when more bytes are needed to tell.
func afterLabel(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || b[0] != markLabel {
		return b, len(b) > 0
	}
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return nil, false
	}
	return b[2+int(b[1]):], true
}

// gatedConn is an incoming stream that ends when it turns out to be what no member sends. One goroutine reads it.
type gatedConn struct {
	net.Conn
	gate   *gate
	head   []byte // what was read so far, while the head is not complete
	judged bool
	read   int
	err    error
}

// errGate is in all errors of a gatedConn, so that the log's reader can tell that they were counted here.
var errGate = errors.New("refused by this member")

// Read passes bytes on until a limit is met.
func (c *gatedConn) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(b)
	c.read += n
	if c.read > maxStream {
		return 0, c.fail(rejectOversized, fmt.Errorf("the stream is longer than %d bytes", maxStream))
	}
	if !c.judged {
		c.head = append(c.head, b[:min(n, cap(c.head)-len(c.head))]...)
		if reason, why := c.judgeHead(); why != nil {
			return 0, c.fail(reason, why)
		}
	}
	return n, err
}

func (c *gatedConn) fail(reason string, why error) error {
	c.gate.refuse(reason, "stream", c.RemoteAddr())
	c.err = fmt.Errorf("%w: %w", errGate, why)
	return c.err
}

// judgeHead looks at the head once it is there.
func (c *gatedConn) judgeHead() (reason string, why error) {
	rest, ok := afterLabel(c.head)
	switch {
	case !ok || len(rest) == 0:
		return "", nil
	case rest[0] != markEncrypted:
		c.judged, c.head = true, nil // memberlist decides whether it may come unencrypted
		return "", nil
	case len(rest) < streamHeadLength:
		return "", nil
	}
	c.judged, c.head = true, nil
	length, version := binary.BigEndian.Uint32(rest[1:]), rest[5]
	switch {
	case length > maxStream:
		return rejectOversized, fmt.Errorf("the stream announces %d bytes, the limit is %d", length, maxStream)
	case length < encryptedLeast:
		return rejectMalformed, fmt.Errorf("the stream announces %d bytes, too few for a message", length)
	case version != encryptVersion:
		return rejectKey, fmt.Errorf("the stream is encrypted in form %d, and members use %d", version, encryptVersion)
	}
	return "", nil
}
