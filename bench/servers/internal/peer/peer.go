// Package peer is what the servers written in Go share: where they listen, and
// the input by which the publisher reaches their publish call. Start at [Run].
//
// It sets nothing that a server's own documentation does not: no buffer sizes,
// no garbage collector settings.
package peer

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// maxLine bounds a line of the input.
const maxLine = 64 << 10

// headTimeout bounds how long a client may take over its request. There is no
// bound on answers: a stream has no end.
const headTimeout = 10 * time.Second

// Run serves the handler at the address of the flag -listen, calls publish for
// each line that arrives at the address of -input, and ends with the process.
// The line is valid only during the call.
func Run(handler http.Handler, publish func(event []byte) error) {
	listen := flag.String("listen", "127.0.0.1:8080", "address of the streams")
	input := flag.String("input", "127.0.0.1:8081", "address at which events arrive, a line each")
	flag.Parse()
	fail := make(chan error, 1)
	events, err := net.Listen("tcp", *input)
	if err != nil {
		exit(err)
	}
	go func() { fail <- accept(events, publish) }()
	go func() {
		s := &http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: headTimeout}
		fail <- s.ListenAndServe()
	}()
	exit(<-fail)
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// accept takes one publisher after the other.
func accept(l net.Listener, publish func([]byte) error) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, maxLine)
		for lines.Scan() {
			if err := publish(lines.Bytes()); err != nil {
				return fmt.Errorf("publish: %w", err)
			}
		}
		conn.Close()
		if err := lines.Err(); err != nil {
			return fmt.Errorf("input: %w", err)
		}
	}
}
