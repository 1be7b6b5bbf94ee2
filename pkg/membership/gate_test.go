package membership

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
)

// readConn is a stream that others have written to its end, and that gives at most step bytes at a time.
type readConn struct {
	net.Conn
	rest *bytes.Reader
	step int
}

func (c *readConn) Read(b []byte) (int, error) { return c.rest.Read(b[:min(len(b), c.step)]) }
func (c *readConn) RemoteAddr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4250} }

// FuzzGatedConn: whatever comes and in whichever pieces, what passes is what came, up to the refusal; what is wrong with the head is refused, and nothing else.
func FuzzGatedConn(f *testing.F) {
	head := func(label string, length uint32, version byte) []byte {
		h := append([]byte{markLabel, byte(len(label))}, label...)
		return append(binary.BigEndian.AppendUint32(append(h, markEncrypted), length), version, 'x', 'y')
	}
	f.Add(head("d", 100, 1), 1)
	f.Add(head("d", 100, 0), 2)
	f.Add(head("d", maxStream+1, 1), 300)
	f.Add(head("d", encryptedLeast-1, 1), 4096)
	f.Add([]byte{markLabel, 0}, 1)
	f.Add([]byte{markLabel}, 1)
	f.Add([]byte{7, 1, 2, 3}, 1)
	f.Fuzz(func(t *testing.T, sent []byte, step int) {
		refused := ""
		g := &gate{refuse: func(reason, _ string, _ net.Addr) {
			if refused != "" {
				t.Fatal("counted twice")
			}
			refused = reason
		}}
		c := &gatedConn{Conn: &readConn{rest: bytes.NewReader(sent), step: max(step, 1)}, gate: g, head: make([]byte, 0, headLength)}
		passed, err := io.ReadAll(c)
		if !bytes.HasPrefix(sent, passed) {
			t.Fatal("something else passed than came")
		}
		if (err != nil) != (refused != "") || err != nil && !errors.Is(err, errGate) {
			t.Fatalf("error %v, counted as %q", err, refused)
		}
		if err == nil && len(passed) != len(sent) {
			t.Fatalf("%d of %d bytes passed, and nothing was refused", len(passed), len(sent))
		}
		rest, ok := afterLabel(sent)
		if !ok || len(rest) < streamHeadLength || rest[0] != markEncrypted {
			if refused != "" {
				t.Fatalf("refused as %q without a reason", refused)
			}
			return
		}
		length := binary.BigEndian.Uint32(rest[1:])
		if good := length <= maxStream && length >= encryptedLeast && rest[5] == encryptVersion; good != (refused == "") {
			t.Fatalf("length %d, version %d: refused as %q", length, rest[5], refused)
		}
	})
}
