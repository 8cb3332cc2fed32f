package nginx

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"livemap/auth"
	"livemap/feed"
	"livemap/internal/certtest"
	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/embedded"
	"livemap/server"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// front is a running nginx with a copy of the shipped configuration.
type front struct {
	t     *testing.T
	dir   string
	http  string // HOST:PORT
	https string
	pool  *x509.CertPool
	cmd   *exec.Cmd
}

// binary returns where nginx is.
func binary(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // not in everybody's path
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("nginx is not installed (make setup): %v", err)
	}
	return path
}

// begin starts nginx and waits until it answers. change may adapt the copy.
func begin(t *testing.T, pods []string, change func(*Site)) *front {
	t.Helper()
	f := &front{t: t, dir: t.TempDir(), http: testkit.FreeAddress(t), https: testkit.FreeAddress(t)}
	files, pool, err := certtest.Write(f.dir, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	f.pool = pool
	site := Site{HTTP: f.http, HTTPS: f.https, Pods: pods, CertFile: files.Cert, KeyFile: files.Key, FailTimeout: time.Second}
	if change != nil {
		change(&site)
	}
	if err := Write(f.dir, site); err != nil {
		t.Fatal(err)
	}
	f.cmd = launch(t, f.dir, f.https)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("error.log:\n%s\naccess.log:\n%s", f.log("error.log"), f.log("access.log"))
		}
	})
	return f
}

// launch starts nginx with the configuration in a folder, and waits until it
// listens at the address. It ends with the test.
func launch(t *testing.T, dir, address string) *exec.Cmd {
	t.Helper()
	config, log := filepath.Join(dir, "nginx.conf"), filepath.Join(dir, "error.log")
	if out, err := exec.Command(binary(t), "-t", "-e", log, "-c", config).CombinedOutput(); err != nil || bytes.Contains(out, []byte("[warn]")) {
		t.Fatalf("nginx -t: %v\n%s", err, out)
	}
	cmd := exec.Command(binary(t), "-e", log, "-c", config, "-g", "daemon off;")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it has ended
		cmd.Wait()                          //nolint:errcheck // it ends by a signal
	})
	eventually(t, "nginx listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return cmd
}

func (f *front) log(name string) string {
	b, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// client returns one that trusts the front, over one protocol.
func (f *front) client(http2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.pool}, ForceAttemptHTTP2: http2}
	f.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// get asks over HTTP/2 for a path; header is NAME, VALUE, …
func (f *front) get(path string, header ...string) *http.Response {
	f.t.Helper()
	return f.getWith(f.client(true), path, header...)
}

func (f *front) getWith(c *http.Client, path string, header ...string) *http.Response {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	f.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", "https://"+f.https+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// reload makes nginx take over what changed.
func (f *front) reload() {
	f.t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		f.t.Fatal(err)
	}
}

// source is a log with two topics and a record in one.
type source struct {
	t        *testing.T
	config   kafka.Config
	producer *kafka.Producer
}

func newSource(t *testing.T) *source {
	t.Helper()
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s := &source{t: t, config: kafka.Config{Brokers: []string{b.Addr()}}}
	if s.producer, err = kafka.NewProducer(s.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.producer.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := kafka.EnsureTopics(t.Context(), s.config, kafka.TopicSpec{Name: "figures", Kind: feed.State, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	s.put("world", "1")
	return s
}

func (s *source) put(key, value string) {
	s.t.Helper()
	if err := s.producer.Produce(s.t.Context(), kafka.Record{Topic: "figures", Key: []byte(key), Value: []byte(value)}); err != nil {
		s.t.Fatal(err)
	}
	if err := s.producer.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// pod starts livemap serve in this process, with nginx as trusted proxy, and
// waits until it listens. stop ends it; it ends with the test at the latest.
func (s *source) pod(address string, maxClients int) (stop func()) {
	s.t.Helper()
	return s.start(address, func(c *server.Config) { c.Hub.MaxClients = maxClients })
}

// start starts a pod with settings that change makes.
func (s *source) start(address string, change func(*server.Config)) (stop func()) {
	s.t.Helper()
	everything, err := auth.Anonymous("*")
	if err != nil {
		s.t.Fatal(err)
	}
	listening := make(chan struct{})
	config := server.Config{
		Door: &auth.Door{Anonymous: everything}, Kafka: s.config, Topics: map[string]server.TopicConfig{"figures": {Kind: feed.State}},
		Listen: address, AdminListen: "off", Drain: -1, TrustedProxies: loopback,
		Listening: func(net.Addr, net.Addr) { close(listening) },
	}
	change(&config)
	p, err := server.New(config)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx); close(ended) }()
	stop = func() { cancel(); <-ended }
	s.t.Cleanup(stop)
	select {
	case <-listening:
	case err := <-ended:
		s.t.Fatalf("pod: %v", err)
	case <-time.After(patience):
		s.t.Fatal("the pod does not listen")
	}
	return stop
}

// eventually waits until ask says yes.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ask(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s", what, patience)
		}
	}
}
