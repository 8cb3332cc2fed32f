package auth

import (
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// What users are told about is what there is: every problem, every metric.
func TestDocsNameEverything(t *testing.T) {
	b, err := os.ReadFile("../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, p := range Problems() {
		if !strings.Contains(doc, "`"+string(p)+"`") {
			t.Errorf("docs/tokens.md does not explain %s", p)
		}
	}
	r := prometheus.NewPedanticRegistry()
	v := newVerifier(t, pairs()[HS256].config())
	r.MustRegister(v.Collectors()...)
	v.Verify(t.Context(), pairs()[HS256].sign(t, nil, claimsFor(nil)))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.Contains(doc, f.GetName()) {
			t.Errorf("docs/tokens.md does not name %s", f.GetName())
		}
	}
}
