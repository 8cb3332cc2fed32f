//go:build !linux

package hub

import (
	"net"
	"time"

	"livemap/orders"
)

// shards are none where there is no epoll: the portable walker drives all.
type shards struct{}

func (*shards) init(*Hub, int)                       {}
func (*shards) start() (func(), <-chan error, error) { return func() {}, nil, nil }
func (*shards) drain(orders.Time, time.Duration)     {}
func (*shards) cut(time.Time)                        {}
func (*shards) leave(*ring)                          {}
func (*shards) recheck()                             {}

// HandOver declines: there are no shards on this system. Call Serve.
func (c *Client) HandOver(*net.TCPConn, []byte) bool { return false }
