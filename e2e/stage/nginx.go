package stage

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	shipped "livemap/deploy/nginx"
	"livemap/internal/certtest"
	"livemap/internal/child"
)

// Proxy is an nginx with the shipped configuration in front of pods. It is for
// one goroutine.
type Proxy struct {
	// Addr is where clients connect without TLS, which the shipped configuration
	// offers nobody: a crowd of clients need not share its machine with their
	// handshakes.
	Addr string
	// TLSAddr is where browsers and others connect, and Roots what vouches for it.
	TLSAddr   string
	Roots     *x509.CertPool
	Authority string // the same as a PEM file
	dir       string
	process   *child.Process
}

// ProxyConfig says how the shipped configuration is changed.
type ProxyConfig struct {
	Workers int
	// Shutdown is how long old workers keep their streams after a reload.
	Shutdown time.Duration
}

// NewProxy returns an nginx, not started, with its files in dir, for the pods.
func NewProxy(dir string, c ProxyConfig, pods ...*Pod) (*Proxy, error) {
	p := &Proxy{dir: dir}
	redirect := ""
	for _, address := range []*string{&p.Addr, &p.TLSAddr, &redirect} {
		port, err := child.FreePort()
		if err != nil {
			return nil, err
		}
		*address = child.Address(port)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // workers are another user
		return nil, err
	}
	files, roots, err := certtest.Write(dir, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	p.Roots, p.Authority = roots, files.Authority
	listen := "    listen " + p.TLSAddr + " ssl http2;\n"
	return p, shipped.Write(dir, shipped.Site{
		HTTP: redirect, HTTPS: p.TLSAddr, Pods: addresses(pods), CertFile: files.Cert, KeyFile: files.Key, FailTimeout: time.Second,
		Change: map[string]string{
			listen:                                       listen + "    listen " + p.Addr + " backlog=16384;\n",
			"worker_processes auto;":                     fmt.Sprintf("worker_processes %d;", c.Workers),
			"worker_shutdown_timeout 15m;":               fmt.Sprintf("worker_shutdown_timeout %dms;", c.Shutdown.Milliseconds()),
			"worker_rlimit_nofile 131072;":               fmt.Sprintf("worker_rlimit_nofile %d;", descriptors),
			"    worker_connections 65536;":              fmt.Sprintf("    worker_connections %d;", descriptors),
			"access_log " + dir + "/access.log livemap;": "access_log off;",
		},
	})
}

// descriptors is how many a worker may have here.
const descriptors = 20_000

func addresses(pods []*Pod) []string {
	all := make([]string, len(pods))
	for i, pod := range pods {
		all[i] = pod.Addr
	}
	return all
}

// SetPods changes which pods there are; the next Reload takes it over.
func (p *Proxy) SetPods(pods ...*Pod) error { return shipped.WritePods(p.dir, addresses(pods)) }

// program is nginx, which is not in everybody's path.
func program() string {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

func (p *Proxy) path(name string) string { return filepath.Join(p.dir, name) }

// Start starts nginx and waits until it answers.
func (p *Proxy) Start(ctx context.Context) error {
	var err error
	// The master ends its workers; the kernel's SIGKILL would leave them.
	p.process, err = child.Options{Orphaned: syscall.SIGTERM}.Start(
		p.path("nginx.log"), program(), "-e", p.path("error.log"), "-c", p.path("nginx.conf"), "-g", "daemon off;")
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
