package membership

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
)

// Messages are what one member tells another one and nobody else. What they mean is the business of those who send and take them. In gossip they are
//
//	version (1 byte) · id of the sender (16 bytes) · body
//
// Gossip encrypts and labels them like all else. The id is not proved: any holder of the key can write that of somebody else.

// Message is what another member sent to this one alone. It may be lost, come twice, or come after one that was sent later.
type Message struct {
	From Member // as the snapshot has it
	Body []byte // the receiver's to keep
}

// MaxMessage is how long the body of a message may be, in bytes.
const MaxMessage = 32 << 10

const (
	messageVersion = 1
	messageHead    = 1 + 16
	packetBodyMost = 1100 // bytes; with what is put around it, a packet stays below the 1400 of gossip
	inboxLength    = 64   // messages that wait to be taken; more are dropped
)

var errNoMember = errors.New("no such member is in sight")

// Send sends a message to a member, by its ID. A body of up to 1100 bytes goes as one packet at once and may be lost; a longer one as a stream,
// for which the call may take ten seconds while the member does not answer. An error says that it was not sent: the member is not in sight, the body is
// longer than MaxMessage, the network refuses, the group was left. Safe for concurrent use.
func (g *Group) Send(to string, body []byte) error {
	err := g.send(to, body)
	if err != nil {
		g.metrics.message(messageFailed)
		return fmt.Errorf("send to member %s: %w", to, err)
	}
	g.metrics.message(messageSent)
	return nil
}

func (g *Group) send(to string, body []byte) error {
	select {
	case <-g.ending:
		return errLeft
	default:
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("%d bytes are more than the limit of %d", len(body), MaxMessage)
	}
	m, ok := member(g.Members(), to)
	local := g.Local()
	if !ok || to == local.ID {
		return errNoMember
	}
	ip, err := netip.ParseAddr(m.Host)
	if err != nil {
		return err
	}
	message, err := encodeMessage(local.ID, body)
	if err != nil {
		return err
	}
	// PMax makes memberlist put a checksum on packets; every member of today reads it.
	node := &memberlist.Node{Name: nodeName(m), Addr: net.IP(ip.AsSlice()), Port: uint16(m.Port), PMax: memberlist.ProtocolVersionMax}
	if len(body) <= packetBodyMost {
		return g.list.SendBestEffort(node, message)
	}
	return g.list.SendReliable(node, message)
}

// member finds a member of a snapshot by its id.
func member(snapshot []Member, id string) (Member, bool) {
	i := slices.IndexFunc(snapshot, func(m Member) bool { return m.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return snapshot[i], true
}

func encodeMessage(from string, body []byte) ([]byte, error) {
	id, err := ulid.ParseStrict(from)
	if err != nil {
		return nil, fmt.Errorf("id %q: %w", from, err)
	}
	b := make([]byte, 0, messageHead+len(body))
	b = append(b, messageVersion)
	b = append(b, id[:]...)
	return append(b, body...), nil
}

// decodeMessage gives the id of the sender and the body, which is a part of b.
func decodeMessage(b []byte) (from string, body []byte, err error) {
	if len(b) < messageHead {
		return "", nil, fmt.Errorf("a message of %d bytes has no head", len(b))
	}
	if b[0] != messageVersion {
		return "", nil, fmt.Errorf("message has version %d, this program reads version %d", b[0], messageVersion)
	}
	return ulid.ULID(b[1:messageHead]).String(), b[messageHead:], nil
}

// deliver passes messages of members on, until ctx ends.
func (g *Group) deliver(ctx context.Context) {
	for {
		var b []byte
		select {
		case <-ctx.Done():
			return
		case b = <-g.delegate.inbox:
		}
		id, body, err := decodeMessage(b)
		if err != nil {
			g.metrics.message(messageMalformed)
			g.log.DebugContext(ctx, "message not read", "domain", g.view.domain, "error", err)
			continue
		}
		from, ok := member(g.Members(), id)
		if !ok || id == g.Local().ID {
			g.metrics.message(messageStranger)
			continue
		}
		g.metrics.message(messageReceived)
		g.receive(Message{From: from, Body: body})
	}
}
