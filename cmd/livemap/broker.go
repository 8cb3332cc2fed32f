package main

import (
	"fmt"
	"log/slog"

	"livemap/kafka/embedded"
)

// brokerCmd runs the embedded log alone.
type brokerCmd struct {
	Listen     string `help:"Address to listen at; loopback only: the log knows no passwords." default:"127.0.0.1:9092"`
	DataDir    string `help:"Folder for the data; made if missing." required:"" placeholder:"DIR"`
	SyncWrites bool   `help:"Make every write durable against loss of power before it is acknowledged; slower."`
}

func (c *brokerCmd) Run(e env) error {
	b, err := openLog(e.log, c.Listen, c.DataDir, c.SyncWrites)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "embedded log at %s, data in %s\n", b.Addr(), c.DataDir)
	<-e.ctx.Done()
	return b.Close()
}

// openLog opens the embedded log. Whatever keeps it from opening is a matter of
// its two settings: a busy port, a folder that another process uses or that
// cannot be written.
func openLog(log *slog.Logger, listen, dir string, sync bool) (*embedded.Broker, error) {
	b, err := embedded.Open(embedded.Config{Listen: listen, DataDir: dir, SyncWrites: sync, Logger: log})
	return b, usage(err)
}
