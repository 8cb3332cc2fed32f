package child

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Address returns a port of loopback as host:port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// reserved are the sockets by which this process keeps its ports.
var reserved struct {
	sync.Mutex
	sockets []net.PacketConn
}

// FreePort returns a port of loopback on which nobody listens. It lies below
// those that systems hand out by themselves, and no other call gets it while this
// process lives, in whatever process: a port whose server is not up yet, or that
// has to refuse connections, stays nobody else's. May be called concurrently.
func FreePort() (int, error) {
	const first, count, tries = 20_000, 10_000, 50
	for range tries {
		port := first + rand.IntN(count) // #nosec G404 -- a port, not a secret
		// The UDP port of the same number is the reservation: the server uses TCP,
		// and the system gives it back however the process ends.
		held, err := net.ListenPacket("udp", Address(port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", Address(port))
		if err != nil {
			held.Close()
			continue
		}
		reserved.Lock()
		reserved.sockets = append(reserved.sockets, held)
		reserved.Unlock()
		return port, l.Close()
	}
	return 0, errors.New("no free port between 20000 and 29999")
}
