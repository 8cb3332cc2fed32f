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
	"slices"
	"strings"
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
// against an address, and returns what failed.
func h2spec(t *testing.T, address string) (failed map[string]bool, passed int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.Command("go", "tool", "-modfile=ci/tools/go.mod", "h2spec", "-h", host, "-p", port, "-P", "/v1/topics", "-t", "-k", "-o", "5", "-j", report)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput() // exit code 1: some failed
	b, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("h2spec: %v: %v\n%s", err, readErr, out)
	}
	var r junit
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
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

// plainNginx is a configuration without anything of ours.
const plainNginx = `pid DIR/nginx.pid;
error_log DIR/error.log;
events {}
http {
    access_log off;
    server {
        listen ADDRESS ssl http2;
        ssl_certificate DIR/cert.pem;
        ssl_certificate_key DIR/key.pem;
        location / { return 200 "x"; }
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
	for name, addresses := range map[string][2]string{
		"nginx": {f.https, bareNginx(t)}, "pod": {secure, bare.Listener.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			own, passed := h2spec(t, addresses[1])
			failed, _ := h2spec(t, addresses[0])
			if passed < 100 {
				t.Errorf("without anything of ours only %d cases passed", passed)
			}
			var ours []string
			for c := range failed {
				if !own[c] {
					ours = append(ours, c)
				}
			}
			if len(ours) > 0 { // a busy machine may have been too slow
				again, _ := h2spec(t, addresses[0])
				ours = slices.DeleteFunc(ours, func(c string) bool { return !again[c] })
			}
			if len(ours) > 0 {
				t.Errorf("%q", ours)
			}
			t.Logf("%d cases fail, %d without anything of ours", len(failed), len(own))
		})
	}
}

// bareNginx starts an nginx without anything of ours, and returns its address.
func bareNginx(t *testing.T) string {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	if _, _, err := certtest.Write(dir, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("DIR", dir, "ADDRESS", address).Replace(plainNginx)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	launch(t, dir, address)
	return address
}
