package nginx

import (
	"encoding/xml"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"livemap/internal/certtest"
	"livemap/server"
)

// junit is what counts of h2spec's report.
type junit struct {
	Suites []struct {
		Cases []struct {
			Package string `xml:"package,attr"`
			Class   string `xml:"classname,attr"`
			Failure *struct {
				Text string `xml:",innerxml"`
			} `xml:"failure"`
			Error *struct {
				Text string `xml:",innerxml"`
			} `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// h2spec runs the suite for HTTP/2 (RFC 7540, which RFC 9113 replaced) and HPACK
// against an address, or only the sections that are named, and returns what
// failed. It may be called beside the test.
func h2spec(t *testing.T, address string, sections ...string) (failed map[string]bool, passed int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Error(err)
		return nil, 0
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	// Two seconds: a case that waits for what nginx never says takes all of it.
	arguments := []string{"tool", "-modfile=ci/tools/go.mod", "h2spec", "-h", host, "-p", port, "-P", "/v1/topics", "-t", "-k", "-o", "2", "-j", report}
	cmd := exec.Command("go", append(arguments, sections...)...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput() // exit code 1: some failed
	b, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Errorf("h2spec: %v: %v\n%s", err, readErr, out)
		return nil, 0
	}
	var r junit
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Error(err)
		return nil, 0
	}
	failed = map[string]bool{}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			if c.Failure != nil || c.Error != nil {
				failed[c.Package+": "+c.Class] = true
				continue
			}
			passed++
		}
	}
	return failed, passed
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

// TestH2Spec: with the shipped configuration nginx fails in nothing that it gets
// right without, and a pod that speaks TLS itself in nothing that net/http gets
// right. What these two get wrong by themselves, docs/security.md names.
func TestH2Spec(t *testing.T) {
	s, plain, secure := newSource(t), freeAddress(t), freeAddress(t)
	s.pod(plain, 0)
	files, _, err := certtest.Write(t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.start(secure, func(c *server.Config) { c.TLS = server.TLS{CertFile: files.Cert, KeyFile: files.Key} })
	f := begin(t, []string{plain}, nil)
	bare := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "x") }))
	bare.EnableHTTP2 = true
	bare.Config.ErrorLog = log.New(io.Discard, "", 0)
	bare.StartTLS()
	t.Cleanup(bare.Close)
	type found struct {
		failed map[string]bool
		passed int
	}
	results := map[string]*found{}
	addresses := map[string]string{"nginx": f.https, "bare nginx": bareNginx(t, plain), "pod": secure, "bare net/http": bare.Listener.Addr().String()}
	var running sync.WaitGroup
	for name, address := range addresses {
		r := &found{}
		results[name] = r
		running.Go(func() { r.failed, r.passed = h2spec(t, address) })
	}
	running.Wait()
	for name, without := range map[string]string{"nginx": "bare nginx", "pod": "bare net/http"} {
		if results[without].passed < 100 {
			t.Errorf("%s: only %d cases passed", without, results[without].passed)
		}
		t.Logf("%s: %d cases fail; %s: %d", name, len(results[name].failed), without, len(results[without].failed))
		for c := range results[name].failed {
			if results[without].failed[c] {
				continue
			}
			// A busy machine may have been too slow.
			section, _, _ := strings.Cut(c, ":")
			if again, _ := h2spec(t, addresses[name], section); again[c] {
				t.Errorf("%s: %s", name, c)
			}
		}
	}
}

// bareNginx starts an nginx that only passes on to a pod, and returns its address.
func bareNginx(t *testing.T, pod string) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
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
