package lb

import (
	"errors"
	"net"
	"testing"
	"time"
)

// peekConn looks at the moment in which the bytes are with the member and Write has not returned.
type peekConn struct {
	net.Conn
	during func()
	err    error
}

func (p *peekConn) SetWriteDeadline(time.Time) error { return nil }
func (p *peekConn) Close() error                     { return nil }

func (p *peekConn) Write(b []byte) (int, error) {
	p.during()
	if p.err != nil {
		return 0, p.err
	}
	return len(b), nil
}

func TestMemberConn_CountsWhatIsOnItsWay(t *testing.T) {
	raw := &peekConn{}
	c := newMemberConn(raw, DefaultTimeouts())
	raw.during = func() {
		if c.written.Load() == 0 {
			t.Error("the member has bytes of the request, and the count says that nothing was sent")
		}
	}
	if n, err := c.Write([]byte("POST")); n != 4 || err != nil || c.written.Load() != 4 {
		t.Errorf("wrote %d, %v; counted %d", n, err, c.written.Load())
	}
	raw.err = errors.New("refused")
	if _, err := c.Write([]byte("more")); err == nil || c.written.Load() != 4 {
		t.Errorf("a write that failed whole: %v; counted %d, want 4", err, c.written.Load())
	}
}
