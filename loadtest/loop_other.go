//go:build !linux

package loadtest

import (
	"errors"
	"time"
)

var errPlatform = errors.New("the swarm needs Linux: it is built on epoll")

// loop does not exist here; its methods are never reached.
type loop struct {
	*receiver
	refused error
}

func newLoop(int, *Config, *target, *ledger, *collector, time.Time) (*loop, error) {
	return nil, errPlatform
}

func checkDescriptors(int) error { return errPlatform }

func (l *loop) do(func()) bool             { return false }
func (l *loop) run() error                 { return errPlatform }
func (l *loop) stop()                      {}
func (l *loop) storm()                     {}
func (l *loop) cut()                       {}
func (l *loop) collectNow()                {}
func (l *loop) setGoal(int, time.Duration) {}
