package hub

import "net"

func init() { drivers = append(drivers, driver{"shard", serveShard}) }

// serveShard hands the connection over and waits for what becomes of it.
func serveShard(c *Client, conn *net.TCPConn, head []byte) CloseReason {
	ended := make(chan CloseReason, 1)
	c.over = func(r CloseReason) { ended <- r }
	if !c.HandOver(conn, head) {
		panic("the hub has no shards")
	}
	return <-ended
}
