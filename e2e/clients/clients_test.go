package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemap/e2e/numbered"
	"livemap/e2e/stage"
	"livemap/internal/child"
	"livemap/kafka"
)

// patience is for what takes moments on an idle machine.
const patience = 2 * time.Minute

// query asks for all numbers, with their places.
const query = "topics=numbers&envelope=1"

// follower is a client that somebody else wrote, as it runs beside the test. It
// appends a line for each event to a file: its name, a tab, its data.
type follower struct {
	name string
	out  string
	log  string // what it says otherwise
	// wakes is how many streams it must have had by now.
	wakes int
}

// TestRealClientsResume: every client has received every number once and in
// order when pods were killed and drained under it and nginx has let go of its
// workers.
func TestRealClientsResume(t *testing.T) {
	if testing.Short() {
		t.Skip("starts browsers, JVMs and more")
	}
	ctx := t.Context()
	s := raise(t)
	all := s.start(t)
	awaitHellos(t, all)

	writing, stopWriting := context.WithCancel(ctx)
	wrote := make(chan error, 1)
	go func() { wrote <- numbered.NewProducer(s.producer).Run(writing) }()
	// All are on the one pod that runs, so that each step cuts everybody.
	s.restart(t, s.pods[1])
	s.cut(t, all, func() error { s.pods[0].Kill(); return nil })
	s.restart(t, s.pods[0])
	s.cut(t, all, s.pods[1].Stop)
	s.restart(t, s.pods[1])
	s.cut(t, all, s.proxy.Reload)
	s.cut(t, all, func() error { return s.away(t) })
	stopWriting()
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	truth, err := numbered.ReadTruth(ctx, s.producer.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		t.Run(f.name, func(t *testing.T) { f.judge(t, truth) })
	}
}

// scene is what the clients are connected to.
type scene struct {
	dir      string
	producer numbered.ProducerConfig
	pods     []*stage.Pod
	proxy    *stage.Proxy
}

// raise starts a log, two pods and nginx, which end with the test.
func raise(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir()}
	if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // nginx's workers are another user
		t.Fatal(err)
	}
	program, err := stage.Build(t.Context(), s.dir)
	if err != nil {
		t.Fatal(err)
	}
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	broker := stage.NewCommand(program, s.dir, "broker", "broker", "--listen", child.Address(port), "--data-dir", filepath.Join(s.dir, "log"))
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Kill)
	s.producer = numbered.ProducerConfig{Kafka: kafka.Config{Brokers: []string{child.Address(port)}}, Partitions: 3, Every: 50 * time.Millisecond, Seed: 1}
	if err := numbered.MakeTopics(t.Context(), s.producer); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(s.dir, "livemap.yaml")
	if err := os.WriteFile(config, []byte("topics:\n  numbers: {kind: log, max_age: 10m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pod0", "pod1"} {
		p, err := stage.NewPod(program, s.dir, name, s.producer.Kafka.Brokers, "--config", config, "--anonymous",
			"--heartbeat", "5s", "--drain", "1s", "--trusted-proxies", "127.0.0.0/8")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		s.pods = append(s.pods, p)
	}
	s.restart(t, s.pods[0])
	if s.proxy, err = stage.NewProxy(filepath.Join(s.dir, "nginx"), stage.ProxyConfig{Workers: 1, Shutdown: time.Second}, s.pods...); err != nil {
		t.Fatal(err)
	}
	if err := s.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.proxy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *scene) restart(t *testing.T, p *stage.Pod) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// start starts all clients.
func (s *scene) start(t *testing.T) []*follower {
	t.Helper()
	cache, err := filepath.Abs(filepath.Join("..", "..", ".cache", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	gosse := filepath.Join(s.dir, "gosse")
	build := exec.Command("go", "build", "-o", gosse, ".") //nolint:gosec // our own path
	build.Dir = "gosse"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build gosse: %v\n%s", err, out)
	}
	origin, authority := "https://"+s.proxy.TLSAddr, s.proxy.Authority
	url := origin + "/v1/events?" + query
	all := []*follower{
		s.follow(t, "eventsource (npm)", child.Options{Environment: []string{"NODE_EXTRA_CA_CERTS=" + authority}}, "node", "node/follow.mjs", url),
		s.follow(t, "okhttp-eventsource", child.Options{}, "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-cp", filepath.Join(cache, "java", "*"), "java/Follow.java", url, authority),
		s.follow(t, "launchdarkly-eventsource (Python)", child.Options{Environment: []string{"PYTHONPATH=" + filepath.Join(cache, "python")}},
			"python3", "python/follow.py", url, authority),
		s.follow(t, "go-sse", child.Options{}, gosse, url, authority),
		s.follow(t, "curl", child.Options{}, "./curl.sh", url, authority),
	}
	return append(all, s.browse(t, origin)...)
}

// follow starts a client that prints to its standard output.
func (s *scene) follow(t *testing.T, name string, o child.Options, program string, args ...string) *follower {
	t.Helper()
	out := filepath.Join(s.dir, strings.ReplaceAll(name, " ", "-")+".out")
	p, err := o.Start(out, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return &follower{name: name, out: out, log: out, wakes: 1}
}

// browse starts Chromium with two pages.
func (s *scene) browse(t *testing.T, origin string) []*follower {
	t.Helper()
	own, module, log := filepath.Join(s.dir, "chromium.out"), filepath.Join(s.dir, "module.out"), filepath.Join(s.dir, "chromium.log")
	script, err := filepath.Abs("node/chromium.mjs")
	if err != nil {
		t.Fatal(err)
	}
	p, err := child.Options{}.Start(log, "bash", "-c", `exec node "$@" < <(exec sleep 100000)`, "chromium", script, origin, query, own, module)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return []*follower{
		{name: "Chromium's EventSource", out: own, log: log, wakes: 1},
		{name: "livemap's module in Chromium", out: module, log: log, wakes: 1},
	}
}

// events returns what the client has said so far, line by line. Lines of
// another form (warnings of a runtime) are left out.
func (f *follower) events(each func(name, data string)) {
	text, _ := os.ReadFile(f.out) // nothing yet
	for line := range bytes.Lines(text) {
		if name, data, ok := bytes.Cut(bytes.TrimRight(line, "\n"), []byte("\t")); ok {
			each(string(name), string(data))
		}
	}
}

func (f *follower) hellos() int {
	n := 0
	f.events(func(name, _ string) {
		if name == "hello" {
			n++
		}
	})
	return n
}

// cut does something that ends every stream, and waits until all are back.
func (s *scene) cut(t *testing.T, all []*follower, by func() error) {
	t.Helper()
	for _, f := range all {
		f.wakes++
	}
	if err := by(); err != nil {
		t.Error(err)
	}
	awaitHellos(t, all)
}

// allAway is how long there is no pod at all: browsers have long asked again by
// then, and nginx has told them to come back later.
const allAway = 20 * time.Second

// away takes both pods away for a while.
func (s *scene) away(t *testing.T) error {
	t.Helper()
	for _, p := range s.pods {
		p.Kill()
	}
	time.Sleep(allAway)
	for _, p := range s.pods {
		s.restart(t, p)
	}
	return nil
}

// awaitHellos waits until each client has had as many hellos as it must.
func awaitHellos(t *testing.T, all []*follower) {
	t.Helper()
	for _, f := range all {
		for deadline := time.Now().Add(patience); f.hellos() < f.wakes; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				said, _ := os.ReadFile(f.log) // for the message only
				t.Fatalf("%s has had %d hellos, want %d; it says\n%s", f.name, f.hellos(), f.wakes, said[max(0, len(said)-2000):])
			}
		}
	}
}

// judge holds what the client received against the truth, once it is there.
func (f *follower) judge(t *testing.T, truth *numbered.Truth) {
	var l *numbered.Ledger
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		l = f.ledger()
		if l.At(truth, false) || time.Now().After(deadline) {
			break
		}
	}
	v := l.Judge(truth, false)
	if !v.Good() || v.Gaps > 0 || v.Received != truth.Produced() || truth.Produced() == 0 {
		t.Errorf("of %d numbers: %+v", truth.Produced(), v)
	}
	t.Logf("%d numbers, %d connections", v.Received, f.hellos())
}

func (f *follower) ledger() *numbered.Ledger {
	l := &numbered.Ledger{}
	f.events(func(name, data string) {
		switch name {
		case numbered.Topic:
			l.Event([]byte(data))
		case "gap":
			l.Gap(numbered.ParseGap([]byte(data)))
		}
	})
	return l
}
