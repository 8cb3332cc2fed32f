package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPageSettingsAreServed(t *testing.T) {
	dir := t.TempDir()
	logo := `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	if err := os.WriteFile(filepath.Join(dir, "logo.svg"), []byte(logo), 0o600); err != nil {
		t.Fatal(err)
	}
	branding, err := ParsePage([]byte(`
listen: :8080
page:
  name: "Acme <b>"
  logo: logo.svg
  theme: light
  colours: {accent: "#0af", near: "#aa5500"}
  figures: [orders, sales]
  language: pt-BR
  units: metric
  currency_display: code
`), dir)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *Config) { c.Branding = branding })
	var said map[string]any
	if err := json.Unmarshal([]byte(fetch(t, s, "/page.json", "application/json")), &said); err != nil {
		t.Fatal(err)
	}
	if said["name"] != "Acme <b>" || said["logo"] != "brand/logo.svg" || said["currency_display"] != "code" {
		t.Errorf("page.json says %v", said)
	}
	if got := fetch(t, s, "/brand/logo.svg", "image/svg+xml"); got != logo {
		t.Errorf("the logo is %q", got)
	}
}

func TestPageWithoutSettings(t *testing.T) {
	branding, err := ParsePage([]byte("listen: :8080\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *Config) { c.Branding = branding })
	if got := fetch(t, s, "/page.json", "application/json"); got != "{}\n" {
		t.Errorf("page.json is %q", got)
	}
}

// fetch returns what is at path, which must come with a policy and as kind.
func fetch(t *testing.T, s *site, path, kind string) string {
	t.Helper()
	r, body := s.get(path)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, r.Status)
	}
	if got := r.Header.Get("Content-Type"); got != kind {
		t.Errorf("%s is %q, not %q", path, got, kind)
	}
	// A logo that holds a script must not run it, should somebody open it as a page.
	if policy := r.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("%s has the policy %q", path, policy)
	}
	return body
}

func TestWrongPageSettingsAreReportedTogether(t *testing.T) {
	_, err := ParsePage([]byte(`
page:
  nam: x
  name: "`+strings.Repeat("ü", 61)+`"
  logo: missing.png
  theme: blue
  colours: {accent: red, sky: "#fff"}
  figures: [sales, profit, sales]
  language: "de; drop"
  units: miles
  currency_display: long
`), t.TempDir())
	if err == nil {
		t.Fatal("all that was accepted")
	}
	for _, want := range []string{
		`"nam" is not a setting`, "page.name: has 61 characters", "page.logo: open", `page.theme: "blue"`, `page.colours.accent: "red"`,
		`page.colours: "sky"`, `page.figures: "profit"`, `page.figures: "sales" stands there twice`, `page.language: "de; drop"`, `page.units: "miles"`,
		`page.currency_display: "long"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestLogosHaveBounds(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big.png"), make([]byte, maxLogoBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for logo, want := range map[string]string{"big.png": "at most 262144", "logo.exe": "none of the kinds"} {
		if _, err := ParsePage([]byte("page: {logo: "+logo+"}"), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", logo, err, want)
		}
	}
	if _, err := ParsePage([]byte("page: [a, list]"), dir); err == nil {
		t.Error("a list was accepted as settings of the page")
	}
}
