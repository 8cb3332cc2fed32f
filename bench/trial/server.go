package trial

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"livemap/bench/publish"
)

// Kind is what a server is in the comparison.
type Kind string

// The kinds of servers.
const (
	Floor Kind = "floor" // what one event a send can cost at the least
	Peer  Kind = "peer"
	Ours  Kind = "ours"
	// Open is ours without tokens, for comparison, in the first round only.
	Open Kind = "open"
	// Accept takes clients and gives them nothing: what a storm costs at the
	// least.
	Accept Kind = "accept"
)

// Server is a server under test.
type Server struct {
	Name  string // of its folder below bench/servers
	Label string // for people, with its version
	Kind  Kind

	path  string // of the stream, with query
	topic string // that tokens must permit; empty: they are not asked for
	build func(context.Context, Config) error
	start func(context.Context, *stage) (address, target string, err error)
}

// storms says whether a server is part of the comparison of storms.
func (s Server) storms() bool { return s.Kind == Accept || s.Kind == Ours }

// Servers returns all servers under test: the floors, the peers, ours.
func Servers() []Server {
	return []Server{
		{Name: "floor", Label: "C loop of send(), an event a call", Kind: Floor, path: "/events", build: buildFloor, start: startFloor},
		goServer(Accept, "accept", "net/http accept, parse and Hijack alone", "/events"),
		goServer(Peer, "nethttp", "net/http, goroutine and channel per client", "/events"),
		goServer(Peer, "gosse", "tmaxmax/go-sse 0.12", "/events"),
		goServer(Peer, "r3labs", "r3labs/sse 2.10", "/events?stream=bench"),
		goServer(Peer, "mercure", "Mercure 0.22 (Go library)", "/.well-known/mercure?topic=bench"),
		goServer(Peer, "centrifuge", "Centrifuge 0.40 (Go library)", "/events?cf_connect=%7B%22id%22%3A1%2C%22connect%22%3A%7B%7D%7D"),
		{Name: "nchan", Label: "Nchan of Debian (nginx)", Kind: Peer, path: "/events", build: fetchNchan, start: startNchan},
		{Name: "open", Label: "livemap serve, without tokens", Kind: Open, path: oursPath, build: buildOurs, start: startOurs("--anonymous")},
		{Name: "livemap", Label: "livemap serve, a token each, through Kafka", Kind: Ours, path: oursPath, topic: oursTopic, build: buildOurs, start: startOurs()},
	}
}

// Names returns the names of all servers.
func Names() []string {
	var names []string
	for _, s := range Servers() {
		names = append(names, s.Name)
	}
	return names
}

// stage is where one server is tried, once. What it starts is stopped with it.
type stage struct {
	cfg     Config
	dir     string // emptied before each use
	server  *process
	another []*process // on the other core: the swarm's side
	metrics string     // address of the server's metrics; empty: it has none
	env     []string   // of the server and the swarm
	topic   string     // that the swarm's tokens permit; empty: it shows none

	settings      string // file; empty: ours as shipped
	since, spread int64  // milliseconds: from when swarms ask for the past; 0: they do not

	livemap                  string // the program; empty: that which was built
	serverCores, othersCores string // empty: the first and the second
}

func (s *stage) program(name string) string { return filepath.Join(s.cfg.Work, name) }

// begin starts the server under test and waits until it listens.
func (s *stage) begin(ctx context.Context, address string, args ...string) error {
	return s.run(ctx, &s.server, "server", cmp.Or(s.serverCores, serverCores), address, args)
}

// beside starts what the server needs, where it does not count.
func (s *stage) beside(ctx context.Context, name, address string, args ...string) error {
	s.another = append(s.another, nil)
	return s.run(ctx, &s.another[len(s.another)-1], name, s.others(), address, args)
}

// others are the cores of all but the server; empty: any.
func (s *stage) others() string {
	if !s.cfg.Pinned {
		return ""
	}
	return cmp.Or(s.othersCores, othersCores)
}

func (s *stage) run(ctx context.Context, p **process, name, cores, address string, args []string) (err error) {
	if !s.cfg.Pinned {
		cores = ""
	}
	*p, err = start(launch{name: name, log: filepath.Join(s.dir, name+".log"), cores: cores, args: args, env: s.env})
	if err != nil {
		return err
	}
	return (*p).listening(ctx, address)
}

func (s *stage) stop() {
	s.server.stop()
	for _, p := range s.another {
		p.stop()
	}
}

// freePorts returns addresses on which nobody listens now, below the ports that
// the system gives to whoever connects.
func freePorts(n int) ([]netip.AddrPort, error) {
	const first, count, tries = 10_000, 10_000, 50
	var free []netip.AddrPort
	for try := 0; len(free) < n; try++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+mathrand.IntN(count)))
		if err != nil {
			if try < tries {
				continue
			}
			return nil, err
		}
		defer l.Close()
		free = append(free, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return free, nil
}

// goServer is a server of this module: it listens for clients at one address and
// for events, a line each, at another.
func goServer(kind Kind, name, label, path string) Server {
	return Server{
		Name: name, Label: label, Kind: kind, path: path,
		build: func(ctx context.Context, c Config) error {
			return command(ctx, filepath.Join(c.Root, "bench"), "go", "build", "-o", filepath.Join(c.Work, name), "./servers/"+name)
		},
		start: func(ctx context.Context, s *stage) (address, target string, err error) {
			free, err := freePorts(2)
			if err != nil {
				return "", "", err
			}
			stream, input := free[0].String(), free[1].String()
			return stream, "tcp://" + input, s.begin(ctx, stream, s.program(name), "-listen", stream, "-input", input)
		},
	}
}

func buildFloor(ctx context.Context, c Config) error {
	return command(ctx, filepath.Join(c.Root, "bench", "servers", "floor"), "cc", "-O2", "-Wall", "-o", filepath.Join(c.Work, "floor"), "floor.c")
}

func startFloor(ctx context.Context, s *stage) (address, target string, err error) {
	free, err := freePorts(2)
	if err != nil {
		return "", "", err
	}
	port := func(i int) string { return fmt.Sprint(free[i].Port()) }
	return free[0].String(), "tcp://" + free[1].String(), s.begin(ctx, free[0].String(), s.program("floor"), port(0), port(1))
}

func fetchNchan(ctx context.Context, c Config) error {
	folder := filepath.Join(c.Root, "bench", "servers", "nchan")
	return command(ctx, folder, "./fetch", nchanFolder(c))
}

// nchanFolder keeps the fetched module, for measurements and tests alike.
func nchanFolder(c Config) string { return filepath.Join(c.Root, ".cache", "nchan") }

func startNchan(ctx context.Context, s *stage) (address, target string, err error) {
	free, err := freePorts(1)
	if err != nil {
		return "", "", err
	}
	text, err := os.ReadFile(filepath.Join(s.cfg.Root, "bench", "servers", "nchan", "nginx.conf"))
	if err != nil {
		return "", "", err
	}
	address = free[0].String()
	filled := strings.NewReplacer(
		"MODULE;", filepath.Join(nchanFolder(s.cfg), "ngx_nchan_module.so")+";",
		"DIR/", s.dir+"/",
		"LISTEN ", address+" ",
	).Replace(string(text))
	file := filepath.Join(s.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(filled), 0o644); err != nil {
		return "", "", err
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx" // not in everybody's path
	}
	return address, "http://" + address + "/publish", s.begin(ctx, address, nginx, "-e", filepath.Join(s.dir, "error.log"), "-c", file)
}

// oursTopic is the topic of livemap.yaml.
const (
	oursTopic = "bench"
	oursPath  = "/v1/events?topics=" + oursTopic
)

// SecretVariable is the variable of the environment that holds the secret of
// tokens, for livemap serve and for the swarm.
const SecretVariable = "LIVEMAP_HS256_KEY"

func buildOurs(ctx context.Context, c Config) error {
	return command(ctx, c.Root, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", filepath.Join(c.Work, "livemap"), "./cmd/livemap")
}

// startOurs starts the embedded log beside the swarm, and the server as it is
// shipped, with its metrics.
func startOurs(args ...string) func(context.Context, *stage) (address, target string, err error) {
	return func(ctx context.Context, s *stage) (address, target string, err error) {
		if s.topic != "" {
			s.env = []string{SecretVariable + "=" + rand.Text() + rand.Text()}
		}
		return s.startOurs(ctx, args)
	}
}

func (s *stage) startOurs(ctx context.Context, args []string) (address, target string, err error) {
	free, err := freePorts(3)
	if err != nil {
		return "", "", err
	}
	stream, admin, log := free[0].String(), free[1].String(), free[2].String()
	livemap := cmp.Or(s.livemap, s.program("livemap"))
	if err := s.beside(ctx, "broker", log, livemap, "broker", "--listen", log, "--data-dir", filepath.Join(s.dir, "log")); err != nil {
		return "", "", err
	}
	if err := publish.CreateTopic(ctx, log, oursTopic); err != nil {
		return "", "", err
	}
	settings := s.settings
	if settings == "" {
		settings = filepath.Join(s.cfg.Root, "bench", "servers", "livemap", "livemap.yaml")
	}
	s.metrics = admin
	err = s.begin(ctx, stream, append([]string{livemap, "serve", "--kafka", log, "--listen", stream, "--admin-listen", admin, "--config", settings}, args...)...)
	return stream, "kafka://" + log + "/" + oursTopic, err
}

// command runs a program to its end; what it printed is in the error.
func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
