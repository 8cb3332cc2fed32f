package loadtest

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"livemap/sse"
)

// faultyServer serves one fixed log to everybody, badly: it injects faults that
// a seed decides, and counts them. The first connection is served without any,
// so that every record is received by somebody.
type faultyServer struct {
	t      *testing.T
	listen net.Listener
	log    []logged
	seed   uint64
	begun  int64 // microseconds since the epoch

	mu       sync.Mutex
	faults   Counts // injected
	records  int64  // written whole
	finished int    // connections that were sent the last record
	accepted int
	open     map[net.Conn]bool
	closing  bool
	wg       sync.WaitGroup
}

type logged struct {
	topic     string
	partition int64
	offset    int64
	key       string
	last      bool // of its key, for state topics, or of its partition
}

// newLog makes records of a log topic with two partitions and of a state topic,
// with holes in the offsets as markers of transactions leave them.
func newLog(random *rand.Rand, n int) []logged {
	next := map[string]int64{"shipments0": 1 << 20, "shipments1": 0, "metrics0": 77}
	var log []logged
	for range n {
		r := logged{topic: "shipments", partition: random.Int64N(2)}
		if random.IntN(4) == 0 {
			r = logged{topic: "metrics", key: fmt.Sprintf("country/%c", 'A'+rune(random.IntN(6)))}
		}
		name := r.topic + strconv.FormatInt(r.partition, 10)
		r.offset = next[name] + int64(random.IntN(3)/2) // a marker now and then
		next[name] = r.offset + 1
		log = append(log, r)
	}
	seen := map[string]bool{}
	for i := len(log) - 1; i >= 0; i-- {
		r := &log[i]
		for _, name := range []string{r.topic + "/" + r.key, fmt.Sprint(r.topic, r.partition)} {
			r.last = r.last || !seen[name]
			seen[name] = true
		}
	}
	return log
}

func startFaulty(t *testing.T, seed uint64, records int) *faultyServer {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &faultyServer{t: t, listen: l, seed: seed, begun: time.Now().UnixMicro(), open: map[net.Conn]bool{}}
	s.log = newLog(rand.New(rand.NewPCG(seed, 0)), records)
	s.wg.Go(s.accept)
	return s
}

// stop ends the server and waits for all of it. It may be called twice.
func (s *faultyServer) stop() {
	s.listen.Close()
	s.mu.Lock()
	s.closing = true
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *faultyServer) url() string {
	return "http://" + s.listen.Addr().String() + "/v1/events?topics=shipments,metrics&envelope=1"
}

func (s *faultyServer) accept() {
	for {
		c, err := s.listen.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		number := s.accepted
		s.accepted++
		s.open[c] = true
		if s.closing {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Go(func() {
			s.serve(c, number)
			c.Close()
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
		})
	}
}

// serve answers one connection. Each has its own source of chance, so that what
// it injects does not depend on when others run.
func (s *faultyServer) serve(c net.Conn, number int) {
	request, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return // the swarm was stopped
	}
	if request.Header.Get("Authorization") != "Bearer secret" {
		s.t.Errorf("Authorization is %q", request.Header.Get("Authorization"))
	}
	from := 0
	if id := request.Header.Get("Last-Event-ID"); id != "" {
		if from, err = strconv.Atoi(id); err != nil {
			s.t.Errorf("Last-Event-ID %q was never sent", id)
			return
		}
	}
	p := &faulty{server: s, conn: c, random: rand.New(rand.NewPCG(s.seed, uint64(number)+1)), clean: number == 0, at: from}
	p.run()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.add(&p.faults)
	s.records += p.records
	if p.done {
		s.finished++
	}
}

// faulty is one connection of the server.
type faulty struct {
	server  *faultyServer
	conn    net.Conn
	random  *rand.Rand
	clean   bool
	chunked bool
	newline string
	at      int // in the log
	sent    int // records, on this connection
	faults  Counts
	records int64
	done    bool
}

// chance is true once in n times, and never on the clean connection.
func (p *faulty) chance(n int) bool { return !p.clean && p.random.IntN(n) == 0 }

func (p *faulty) run() {
	if p.chance(12) {
		p.faults[Status5xx]++
		io.WriteString(p.conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		return
	}
	if p.chance(12) {
		p.faults[BadAnswer]++
		io.WriteString(p.conn, "220 mail.example ESMTP\r\n")
		return
	}
	p.chunked = p.chance(2)
	p.newline = []string{"\n", "\r\n", "\r"}[p.random.IntN(3)]
	framing := ""
	if p.chunked {
		framing = "Transfer-Encoding: chunked\r\n"
	}
	p.write([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"+framing+"\r\n"), false)
	p.write([]byte("retry: 20\nevent: hello\ndata: {\"v\":1}\n\n"), true)
	for p.at < len(p.server.log) {
		if p.chance(150) { // closes, some in the middle of an event
			if p.random.IntN(2) == 0 {
				cut := p.frame(p.server.log[p.at], p.at+1)
				p.write(cut[:1+p.random.IntN(len(cut)-3)], true)
			}
			p.faults[ClosedByServer]++
			return
		}
		p.step()
	}
	p.finish()
}

// step sends the record at hand, or makes something of it.
func (p *faulty) step() {
	log, i := p.server.log, p.at
	r := log[i]
	switch {
	case p.chance(40) && p.safe(i):
		p.drop(r)
	case p.chance(40):
		p.send(i)
		p.at = i
		p.send(i)
		p.faults[Duplicated]++
	case p.chance(40) && p.safe(i) && p.delay(i):
	case p.chance(80) && p.safe(i) && p.announce(i):
	default:
		if p.chance(100) {
			p.write([]byte(":stall\n\n"), true)
			time.Sleep(time.Duration(p.random.IntN(10)) * time.Millisecond) // the fault itself: a stall
		}
		p.send(i)
	}
}

// safe says that the record is within the span of what the client is owed: a
// record of its partition was sent before on this connection, or on the one
// whose id it showed; and another one will be.
func (p *faulty) safe(i int) bool {
	if p.server.log[i].last && p.server.log[i].topic != "metrics" {
		return false
	}
	before, after := false, false
	for k, o := range p.server.log {
		if same(o, p.server.log[i]) {
			before = before || k < i && k < 30
			after = after || k > i
		}
	}
	return before && after && i >= 30
}

func same(a, b logged) bool { return a.topic == b.topic && a.partition == b.partition }

func (p *faulty) drop(r logged) {
	p.at++
	switch {
	case r.topic != "metrics" || r.last:
		p.faults[Lost]++
	default:
		p.faults[Superseded]++
	}
	p.send(p.at) // moves the id on: the record will not come after all
}

// delay sends the records behind i first, and i after them. It returns false
// when none of them is of the same partition: nothing would be out of order.
func (p *faulty) delay(i int) bool {
	n := 1 + p.random.IntN(5)
	end := min(i+1+n, len(p.server.log))
	overtaken := false
	for k := i + 1; k < end; k++ {
		overtaken = overtaken || same(p.server.log[k], p.server.log[i])
	}
	if !overtaken {
		return false
	}
	for k := i + 1; k < end; k++ {
		p.send(k)
	}
	p.write(p.frame(p.server.log[i], end), true)
	p.records++
	p.at = end
	p.faults[Reordered]++
	return true
}

// announce leaves out the next records of a log topic's partition, and says so.
func (p *faulty) announce(i int) bool {
	r := p.server.log[i]
	if r.topic == "metrics" {
		return false
	}
	end := min(i+1+p.random.IntN(10), len(p.server.log))
	to, missed := r.offset+1, int64(0)
	for k := i; k < end; k++ {
		if o := p.server.log[k]; same(o, r) {
			if o.last {
				return false
			}
			to = o.offset + 1
			missed++
		}
	}
	gap := fmt.Sprintf("event: gap\ndata: {\"topic\":%q,\"partition\":%d,\"reason\":\"slow\",\"from\":%d,\"to\":%d,\"at_most\":%d}\nid: %d\n\n",
		r.topic, r.partition, r.offset, to, to-r.offset, i)
	p.write([]byte(gap), true)
	p.faults[GapSlow]++
	p.faults[Missed] += missed
	for k := i; k < end; k++ {
		if !same(p.server.log[k], r) {
			p.send(k)
		}
	}
	p.send(end) // moves the id on
	return true
}

// send writes the record at i whole.
func (p *faulty) send(i int) {
	p.write(p.frame(p.server.log[i], i+1), true)
	p.records++
	p.sent++
	p.at = i + 1
}

// finish says that all was sent, and holds the connection until the swarm ends.
func (p *faulty) finish() {
	p.done = true
	p.server.mu.Lock()
	p.server.faults.add(&p.faults)
	p.server.records += p.records
	p.server.finished++
	p.server.mu.Unlock()
	p.faults, p.records, p.done = Counts{}, 0, false
	io.Copy(io.Discard, p.conn)
}

func (p *faulty) frame(r logged, id int) []byte {
	b := sse.AppendName(nil, r.topic)
	b = sse.AppendData(b, fmt.Appendf(nil, `{"topic":%q,"partition":%d,"offset":%d,"at":%d,"key":%q,"value":{"text":"Zürich → 東京 🌍"}}`,
		r.topic, r.partition, r.offset, p.server.begun, r.key))
	return sse.AppendEnd(sse.AppendID(b, strconv.Itoa(id)))
}

// write sends bytes in pieces that end anywhere, also within a character.
func (p *faulty) write(b []byte, body bool) {
	if body && p.newline != "\n" {
		var lines []byte
		for _, c := range b {
			if c == '\n' {
				lines = append(lines, p.newline...)
			} else {
				lines = append(lines, c)
			}
		}
		b = lines
	}
	for len(b) > 0 {
		n := len(b)
		if p.chance(3) {
			n = 1 + p.random.IntN(n)
		}
		piece := b[:n]
		if body && p.chunked {
			piece = fmt.Appendf(nil, "%x\r\n%s\r\n", n, piece)
		}
		if _, err := p.conn.Write(piece); err != nil {
			return
		}
		b = b[n:]
	}
}
