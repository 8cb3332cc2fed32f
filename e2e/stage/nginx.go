package stage

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"

	"livemap/internal/child"
)

// nginx is where Debian and others put the program.
const nginx = "/usr/sbin/nginx"

// Proxy is an nginx in front of pods. It is for one goroutine.
type Proxy struct {
	Addr    string // of clients, without TLS
	dir     string
	workers int
	process *child.Process
}

// NewProxy returns an nginx, not started, with so many workers and its files in
// dir.
func NewProxy(dir string, workers int) (*Proxy, error) {
	port, err := child.FreePort()
	if err != nil {
		return nil, err
	}
	return &Proxy{Addr: child.Address(port), dir: dir, workers: workers}, nil
}

var configuration = template.Must(template.New("nginx").Parse(`daemon off;
worker_processes {{.Workers}};
worker_rlimit_nofile 20000;
worker_shutdown_timeout 3s;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream pods {
    zone pods 256k;
    least_conn;
{{- range .Pods}}
    server {{.}} max_fails=1 fail_timeout=1s;
{{- end}}
  }
  server {
    listen {{.Addr}} backlog=16384 reuseport;
    location / {
      proxy_pass http://pods;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
      proxy_connect_timeout 2s;
      proxy_read_timeout 60s;
      proxy_next_upstream error timeout http_503 non_idempotent;
      proxy_intercept_errors on;
      error_page 500 502 503 504 =200 @later;
    }
    location @later {
      default_type text/event-stream;
      add_header Cache-Control no-store;
      return 200 "retry: 1000\nevent: goodbye\ndata: {\"reason\":\"overload\"}\n\n";
    }
  }
}
`))

// Configure writes the configuration for the given pods.
func (p *Proxy) Configure(pods ...*Pod) error {
	var out bytes.Buffer
	addresses := make([]string, len(pods))
	for i, pod := range pods {
		addresses[i] = pod.Addr
	}
	err := configuration.Execute(&out, struct {
		Addr    string
		Workers int
		Pods    []string
	}{p.Addr, p.workers, addresses})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil { //nolint:gosec // workers are another user
		return err
	}
	return os.WriteFile(p.path("nginx.conf"), out.Bytes(), 0o600)
}

func (p *Proxy) path(name string) string { return filepath.Join(p.dir, name) }

// Start starts nginx and waits until it answers.
func (p *Proxy) Start(ctx context.Context) error {
	var err error
	// The master ends its workers; the kernel's SIGKILL would leave them.
	p.process, err = child.Options{Orphaned: syscall.SIGTERM}.Start(p.path("nginx.log"), nginx, "-p", p.dir, "-c", "nginx.conf")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for {
		var d net.Dialer
		if c, err := d.DialContext(ctx, "tcp", p.Addr); err == nil {
			return c.Close()
		}
		select {
		case <-p.process.Gone():
			return fmt.Errorf("nginx ended by itself: %s", p.said())
		case <-ctx.Done():
			return fmt.Errorf("nginx does not answer: %s", p.said())
		case <-time.After(askEvery):
		}
	}
}

func (p *Proxy) said() string {
	text, _ := os.ReadFile(p.path("nginx.log")) // for a message only
	return string(text)
}

// Reload takes over a changed configuration with new workers; the old ones end
// by themselves.
func (p *Proxy) Reload() error { return p.process.Signal(syscall.SIGHUP) }

// Workers returns the numbers of the worker processes, old ones that are still
// ending included.
func (p *Proxy) Workers() ([]int, error) {
	master := strconv.Itoa(p.process.PID())
	text, err := os.ReadFile(filepath.Join("/proc", master, "task", master, "children"))
	if err != nil {
		return nil, fmt.Errorf("workers of nginx: %w", err)
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("workers of nginx: %w", err)
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

// SignalWorker sends a signal to a worker; one that is gone is no error.
func (p *Proxy) SignalWorker(pid int, sig syscall.Signal) error {
	if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("signal nginx worker %d: %w", pid, err)
	}
	return nil
}

// Stop ends nginx and waits until it is gone. Frozen workers are thawed first.
func (p *Proxy) Stop() error {
	if p.process == nil {
		return nil
	}
	if pids, err := p.Workers(); err == nil {
		for _, pid := range pids {
			_ = p.SignalWorker(pid, syscall.SIGCONT)
		}
	}
	ended := p.process.End(syscall.SIGTERM, stopWithin)
	p.process = nil
	if !ended {
		return fmt.Errorf("nginx did not end within %s", stopWithin)
	}
	return nil
}
