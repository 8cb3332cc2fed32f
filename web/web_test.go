package web_test

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"livemap/web"
)

// maxScriptGzip is the budget of all JavaScript of the page, compressed.
const maxScriptGzip = 220 << 10

func TestDistHoldsTheEntryPoints(t *testing.T) {
	for _, name := range []string{"index.html", "embed.html", "livemap.js", "licenses.txt", "icon.svg"} {
		if b, err := fs.ReadFile(web.Dist(), name); err != nil || len(b) == 0 {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

// Under the policy an inline script or style would be dead.
func TestPagesHaveNothingInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|<script[^>]*>[^<\s]|\son\w+=|\sstyle=|javascript:`)
	foreign := regexp.MustCompile(`(?:src|href)="(?:https?:)?//`)
	for _, name := range []string{"index.html", "embed.html"} {
		b, err := fs.ReadFile(web.Dist(), name)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.FindString(string(b)); found != "" {
			t.Errorf("%s has %q inline", name, found)
		}
		if found := foreign.FindString(string(b)); found != "" {
			t.Errorf("%s asks another host: %q", name, found)
		}
	}
}

func TestEveryFileThatAPageNamesIsThere(t *testing.T) {
	named := regexp.MustCompile(`(?:src|href)="\./([^"]+)"`)
	for _, name := range []string{"index.html", "embed.html"} {
		b, err := fs.ReadFile(web.Dist(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(b), -1) {
			if m[1] == "page.json" {
				continue // the server's: it is made of livemap.yaml
			}
			if _, err := fs.Stat(web.Dist(), m[1]); err != nil {
				t.Errorf("%s names %s: %v", name, m[1], err)
			}
		}
	}
}

func TestScriptsKeepToTheirBudget(t *testing.T) {
	total := 0
	err := fs.WalkDir(web.Dist(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".js") {
			return err
		}
		b, err := fs.ReadFile(web.Dist(), name)
		if err != nil {
			return err
		}
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(b) //nolint:errcheck // writing to memory
		w.Close()  //nolint:errcheck // writing to memory
		total += z.Len()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > maxScriptGzip {
		t.Errorf("JavaScript is %d bytes compressed, more than %d", total, maxScriptGzip)
	}
	t.Logf("JavaScript: %d bytes compressed of %d", total, maxScriptGzip)
}

func TestPolicyForbidsWhatIsNotNamed(t *testing.T) {
	policy := web.ContentSecurityPolicy
	if !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("policy %q does not begin by forbidding everything", policy)
	}
	for _, wide := range []string{"unsafe", "*", "http:", "https:", "blob:"} {
		if strings.Contains(policy, wide) {
			t.Errorf("policy %q allows %s", policy, wide)
		}
	}
}
