package embedded

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequestBytes is the largest request taken, as in Kafka
// (socket.request.max.bytes).
const maxRequestBytes = 100 << 20

// guardedListener hands out connections that check their requests: kfake
// allocates whatever length a request claims and dereferences nil for a kind
// of request it does not know, so that one browser at the wrong port would end
// the process.
type guardedListener struct {
	net.Listener
	serve <-chan struct{} // closed when the log is ready to serve
}

// Accept implements [net.Listener].
func (l guardedListener) Accept() (net.Conn, error) {
	<-l.serve
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c}, nil
}

// guardedConn follows the frames of the requests that are read through it:
// four bytes of length, two of the kind of request, then the rest.
type guardedConn struct {
	net.Conn
	head [6]byte // of the current frame
	have int     // bytes of head seen
	rest int     // bytes of the frame still to come after head
}

// Read implements [net.Conn]. It fails before the reader sees the length or
// the kind of a request that cannot be one.
func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.follow(p[:n]); bad != nil {
		return 0, bad
	}
	return n, err
}

func (c *guardedConn) follow(b []byte) error {
	for len(b) > 0 {
		if c.have < len(c.head) {
			n := copy(c.head[c.have:], b)
			had := c.have
			c.have += n
			b = b[n:]
			if err := c.check(had); err != nil {
				return err
			}
			continue
		}
		n := min(c.rest, len(b))
		c.rest -= n
		b = b[n:]
		if c.rest == 0 {
			c.have = 0
		}
	}
	return nil
}

// check judges what has become known of the frame beyond its first had bytes.
func (c *guardedConn) check(had int) error {
	const lengthBytes, minFrame = 4, 8
	if had < lengthBytes && c.have >= lengthBytes {
		length := int32(binary.BigEndian.Uint32(c.head[:]))
		if length < minFrame || length > maxRequestBytes {
			return fmt.Errorf("request of %d bytes; allowed: %d to %d", length, minFrame, maxRequestBytes)
		}
		c.rest = int(length) - (len(c.head) - lengthBytes)
	}
	if c.have == len(c.head) {
		if key := int16(binary.BigEndian.Uint16(c.head[lengthBytes:])); kmsg.RequestForKey(key) == nil {
			return fmt.Errorf("unknown kind of request %d", key)
		}
	}
	return nil
}
