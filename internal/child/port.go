package child

import (
	"errors"
	"net"
	"strconv"
	"time"
)

// Address returns a port of loopback as host:port.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePort returns a port of loopback that is free now and lies below those that
// systems hand out by themselves, so that it is likely to stay free until it is
// used and over restarts.
func FreePort() (int, error) {
	const first, count, tries = 20_000, 10_000, 50
	for range tries {
		port := first + int(time.Now().UnixNano()/1000)%count
		l, err := net.Listen("tcp", Address(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port between 20000 and 29999")
}
