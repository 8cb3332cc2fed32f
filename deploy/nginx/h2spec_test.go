package nginx

import (
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"livemap/internal/certtest"
	"livemap/internal/testkit"
	"livemap/server"
)

// h2spec is the program, and where its reports go.
type h2spec struct{ program, dir string }

// h2specCases is how many cases h2spec 2.6 has.
const h2specCases = 145

// h2specParts are run beside each other: most of a run is waiting for what a
// server does not say.
var h2specParts = []string{"generic", "hpack", "http2/3", "http2/4", "http2/5", "http2/6", "http2/7", "http2/8"}

func buildH2Spec(t *testing.T) h2spec {
	t.Helper()
	h := h2spec{dir: t.TempDir()}
	h.program = filepath.Join(h.dir, "h2spec")
	build := exec.Command("go", "build", "-modfile=ci/tools/go.mod", "-o", h.program, "github.com/summerwind/h2spec/cmd/h2spec")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("h2spec: %v\n%s", err, out)
	}
	return h
}

// verdicts says of each case, named by section and title, whether it failed.
type verdicts map[string]bool

func (v verdicts) failed() []string {
	var names []string
	for name, failed := range v {
		if failed {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// run has one part of the suite (RFC 7540, which RFC 9113 replaced, and HPACK)
// put to a server; a case waits for so many seconds at most.
func (h h2spec) run(address, part string, seconds int) (verdicts, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	report, err := os.CreateTemp(h.dir, "*.xml")
	if err != nil {
		return nil, err
	}
	defer report.Close()
	// The exit code only says that some failed.
	out, runErr := exec.Command(h.program, part, "-h", host, "-p", port, "-P", "/v1/topics", "-t", "-k", "-o", fmt.Sprint(seconds), "-j", report.Name()).CombinedOutput()
	var r struct {
		Suites []struct {
			Cases []struct {
				Section string    `xml:"package,attr"`
				Title   string    `xml:"classname,attr"`
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.NewDecoder(report).Decode(&r); err != nil {
		return nil, fmt.Errorf("h2spec %s: %w (%w)\n%s", part, err, runErr, out)
	}
	v := verdicts{}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			v[c.Section+": "+c.Title] = c.Failure != nil || c.Error != nil
		}
	}
	return v, nil
}

// all has the whole suite put to each of the servers, named, at the same time.
func (h h2spec) all(t *testing.T, servers map[string]string) map[string]verdicts {
	t.Helper()
	found := map[string]verdicts{}
	var mu sync.Mutex // guards found
	var running sync.WaitGroup
	for name, address := range servers {
		found[name] = verdicts{}
		for _, part := range h2specParts {
			running.Go(func() {
				v, err := h.run(address, part, 1)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				maps.Copy(found[name], v)
			})
		}
	}
	running.Wait()
	return found
}

// againSeconds is how long a case waits the second time: a busy machine may have
// been too slow for it.
const againSeconds = 5

// same asks again about a case that only ours failed: whether ours always fails
// it, and without ours never.
func (h h2spec) same(t *testing.T, name, ours, without string) bool {
	t.Helper()
	section, _, _ := strings.Cut(name, ": ")
	for range 3 {
		for _, address := range []string{ours, without} {
			v, err := h.run(address, section, againSeconds)
			if err != nil {
				t.Error(err)
				return false
			}
			if v[name] == (address == without) {
				return true
			}
		}
	}
	return false
}

// plainNginx is a proxy of the fewest lines.
const plainNginx = `pid DIR/nginx.pid;
error_log DIR/error.log;
events {}
http {
    access_log off;
    server {
        listen ADDRESS ssl http2;
        ssl_certificate DIR/cert.pem;
        ssl_certificate_key DIR/key.pem;
        location / { proxy_pass http://POD; }
    }
}
`

// bareNginx starts an nginx that only passes on to a pod, and returns its address.
func bareNginx(t *testing.T, pod string) string {
	t.Helper()
	dir, address := t.TempDir(), testkit.FreeAddress(t)
	if _, _, err := certtest.Write(dir, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("DIR", dir, "ADDRESS", address, "POD", pod).Replace(plainNginx)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, dir, address)
	return address
}

// bareNetHTTP starts a server of net/http with a handler that does nothing but
// answer, and returns its address.
func bareNetHTTP(t *testing.T) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestH2Spec: with the shipped configuration nginx fails in nothing that an nginx
// without any passes, and a pod that speaks TLS itself in nothing that a bare
// net/http passes.
func TestH2Spec(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what servers do not say")
	}
	h := buildH2Spec(t)
	s, plain, secure := newSource(t), testkit.FreeAddress(t), testkit.FreeAddress(t)
	s.pod(plain, 0)
	files, _, err := certtest.Write(t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.start(secure, func(c *server.Config) { c.TLS = server.TLS{CertFile: files.Cert, KeyFile: files.Key} })
	servers := map[string]string{
		"nginx": begin(t, []string{plain}, nil).https, "bare nginx": bareNginx(t, plain),
		"pod": secure, "bare net/http": bareNetHTTP(t),
	}
	found := h.all(t, servers)
	for name, v := range found {
		if len(v) != h2specCases {
			t.Errorf("%s: %d cases ran, not %d", name, len(v), h2specCases)
		}
		t.Logf("%s fails %d:\n\t%s", name, len(v.failed()), strings.Join(v.failed(), "\n\t"))
	}
	for ours, without := range map[string]string{"nginx": "bare nginx", "pod": "bare net/http"} {
		for _, name := range found[ours].failed() {
			if !found[without][name] && !h.same(t, name, servers[ours], servers[without]) {
				t.Errorf("%s fails and %s does not: %s", ours, without, name)
			}
		}
	}
}
