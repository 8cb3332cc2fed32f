package nginx

import (
	"encoding/xml"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"livemap/internal/certtest"
	"livemap/server"
)

// known are the cases of h2spec that fail and are not ours: of nginx 1.22 and of
// the HTTP/2 server of Go's net/http, by the names that h2spec gives them. See
// docs/security.md.
var known = map[string][]string{
	"nginx":   {},
	"livemap": {},
}

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

// h2spec runs the suite for HTTP/2 (RFC 9113's predecessor, RFC 7540) and HPACK
// against an address, and returns what failed.
func h2spec(t *testing.T, address, path string) (failed []string, passed int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.Command("go", "tool", "-modfile=ci/tools/go.mod", "h2spec", "-h", host, "-p", port, "-P", path, "-t", "-k", "-o", "10", "-j", report)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	b, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("h2spec: %v: %v\n%s", err, readErr, out)
	}
	var r junit
	if err := xml.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			if c.Failure != nil || c.Error != nil {
				failed = append(failed, c.Package+": "+c.Class)
				continue
			}
			passed++
		}
	}
	return failed, passed
}

// TestH2Spec: HTTP/2 as the standard has it, from nginx with the shipped
// configuration and from a pod that speaks TLS itself.
func TestH2Spec(t *testing.T) {
	s, plain, secure := newSource(t), freeAddress(t), freeAddress(t)
	s.pod(plain, 0)
	files, _, err := certtest.Write(t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.start(secure, func(c *server.Config) { c.TLS = server.TLS{CertFile: files.Cert, KeyFile: files.Key} })
	f := begin(t, []string{plain}, nil)
	for name, address := range map[string]string{"nginx": f.https, "livemap": secure} {
		t.Run(name, func(t *testing.T) {
			failed, passed := h2spec(t, address, "/v1/topics")
			if passed < 100 {
				t.Errorf("only %d cases passed", passed)
			}
			for _, c := range failed {
				if !strings.Contains(strings.Join(known[name], "\n"), c) {
					t.Errorf("%s", c)
				}
			}
			t.Logf("%d passed, %d failed", passed, len(failed))
		})
	}
}
