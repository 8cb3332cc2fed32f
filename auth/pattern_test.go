package auth

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestPatternsMatch(t *testing.T) {
	tests := []struct {
		patterns string // separated by spaces
		yes, no  string
	}{
		{"world", "world", "World WORLD world/ worl worldx wоrld"}, // the last o is Cyrillic
		{"country/CA", "country/CA", "country country/C country/CAN country%2FCA country∕CA country／CA ｃountry/CA"},
		{"country/*", "country/ country/CA country/CA/x", "country Country/CA country%2fCA"},
		{"*", "a ä country/CA * %", ""},
		{"a* ab* abc", "a ab abc abd", "b"},
		{"a/* a0 b", "a/ a/z a0 b", "a a. a00 c ba"},
		{"\u00e9", "\u00e9", "e\u0301"}, // composed, decomposed
		{"ﬁ", "ﬁ", "fi"},
		{`{"id":1}`, `{"id":1}`, `{"id":2}`},
	}
	for _, tt := range tests {
		p, err := ParsePatterns(strings.Fields(tt.patterns), "")
		if err != nil {
			t.Errorf("ParsePatterns(%q): %v", tt.patterns, err)
		}
		for _, name := range strings.Fields(tt.yes) {
			if !p.Match(name) {
				t.Errorf("%q does not match %q", tt.patterns, name)
			}
		}
		for _, name := range append(strings.Fields(tt.no), "", "\x00") {
			if p.Match(name) && !p.All() {
				t.Errorf("%q matches %q", tt.patterns, name)
			}
		}
	}
}

func TestPatternsRefuse(t *testing.T) {
	tests := []struct{ pattern, subject, says string }{
		{"", "", "empty"},
		{"**", "", "only stand at the end"},
		{"a*b", "", "only stand at the end"},
		{"*/x", "", "only stand at the end"},
		{"a*b*", "", "only stand at the end"},
		{"a\nb", "", "control character"},
		{"a\x00", "", "control character"},
		{"a\u0085", "", "control character"},
		{"a\xff", "", "UTF-8"},
		{"user/{sub}", "", "no subject"},
		{"user/{sub}/*", "alice/admin", "one of /"},
		{"user/{sub}", "*", "one of /"},
		{"user/{sub}", "al*", "one of /"},
		{"user/{sub}", "{sub}", "one of /"},
		{"user/{sub}", "a\rb", "control character"},
		{"user/{sub}*", "al", "need a / between"},
		{"user/{sub}-*", "al", "need a / between"},
		{"{sub}*", "al", "need a / between"},
		{"{sub}/x{sub}*", "al", "need a / between"},
		{"user/{subject}", "al", "unknown placeholder {subject}"},
		{"user/{Sub}", "al", "unknown placeholder {Sub}"},
		{"{{sub}}{x}", "al", "unknown placeholder {x}"},
		{"{sub}", strings.Repeat("s", MaxPatternBytes+1), "longer than"},
	}
	for _, tt := range tests {
		p, err := ParsePatterns([]string{"fine", tt.pattern}, tt.subject)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("pattern %q, subject %q: error %v, want one with %q", tt.pattern, tt.subject, err, tt.says)
		}
		if !p.Empty() {
			t.Errorf("pattern %q: refused, and yet %v", tt.pattern, p)
		}
	}
	if _, err := ParsePatterns(make([]string, MaxPatterns+1), ""); err == nil {
		t.Error("any number of patterns is taken")
	}
}

func TestSubjectIsPutIn(t *testing.T) {
	p, err := ParsePatterns([]string{"user/{sub}/*", "{sub}", "{sub}:{sub}"}, "alice%2F,|@ü")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"user/alice%2F,|@ü/orders":    true,
		"user/alice/,|@ü/orders":      false,
		"user/alice%2F,|@ü":           false,
		"alice%2F,|@ü":                true,
		"alice%2F,|@ü:alice%2F,|@ü":   true,
		"alice%2F,|@ü:alice%2F,|@üx":  false,
		"user/alice%2F,|@üx/whatever": false,
		"user/{sub}/orders":           false,
	} {
		if p.Match(name) != want {
			t.Errorf("Match(%q) = %v", name, !want)
		}
	}
}

// No pattern with {sub} may show to one subject what it shows to another: with
// two subjects put in, no name matches both.
func TestSubjectsAreApart(t *testing.T) {
	alphabet := []string{"a", "b", "/", "-", "{sub}", "*"}
	subjects := []string{"a", "b", "aa", "ab", "a-", "-", "a-a", "-a", "ba"}
	names := []string{}
	var grow func(string, int)
	grow = func(s string, left int) {
		names = append(names, s)
		if left > 0 {
			for _, c := range []string{"a", "b", "/", "-"} {
				grow(s+c, left-1)
			}
		}
	}
	grow("", 6)
	r := rand.New(rand.NewPCG(6, 1))
	for range 400 {
		pattern := "{sub}"
		for range 1 + r.IntN(4) {
			pattern += alphabet[r.IntN(len(alphabet))]
		}
		if r.IntN(2) == 0 {
			pattern = "a" + pattern
		}
		sets := []Patterns{}
		for _, s := range subjects {
			if p, err := ParsePatterns([]string{pattern}, s); err == nil {
				sets = append(sets, p)
			}
		}
		for _, name := range names {
			if n := count(sets, name); n > 1 {
				t.Fatalf("pattern %q shows %q to %d subjects", pattern, name, n)
			}
		}
	}
}

func count(sets []Patterns, name string) (n int) {
	for _, p := range sets {
		if p.Match(name) {
			n++
		}
	}
	return n
}

func TestPatternsAreCanonical(t *testing.T) {
	same := [][]string{
		{"a", "b", "c/*"},
		{"c/*", "b", "a"},
		{"a", "a", "b", "c/*", "c/*", "c/d", "c/d/*"},
		{"c/", "c/*", "b", "a"},
	}
	first, _ := ParsePatterns(same[0], "")
	for _, texts := range same[1:] {
		p, err := ParsePatterns(texts, "")
		if err != nil || p.Hash() != first.Hash() || p.String() != first.String() {
			t.Errorf("%q is %v, not as %v", texts, p, first)
		}
	}
}

// Key sets that collide when their names are joined must not collide here.
func TestHashKeepsFieldsApart(t *testing.T) {
	pattern := func(texts ...string) Patterns {
		p, err := ParsePatterns(texts, "")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	sets := map[string]Patterns{
		"zero":        {},
		"all":         Everything(),
		"a,b":         Exactly("a,b"),
		"a b":         Exactly("a", "b"),
		"ab":          Exactly("ab"),
		"a%2Cb":       Exactly("a%2Cb"),
		"a empty":     Exactly("a", ""),
		"a":           Exactly("a"),
		"empty":       Exactly(""),
		"a bc":        Exactly("a", "bc"),
		"ab c":        Exactly("ab", "c"),
		"a*":          pattern("a*"),
		"a asterisk":  Exactly("a*"),
		"asterisk":    Exactly("*"),
		"a b*":        pattern("a", "b*"),
		"b a*":        pattern("b", "a*"),
		"nul":         Exactly("a\x00b"),
		"len":         Exactly("a\x01b"),
		"two lengths": Exactly("a", "\x01b"),
	}
	seen := map[Hash]string{}
	for name, p := range sets {
		if other, ok := seen[p.Hash()]; ok {
			t.Errorf("%q and %q have one hash", name, other)
		}
		seen[p.Hash()] = name
	}
}

// naive is what the claim means, without anything clever.
func naive(patterns []string, subject, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if fixed, wild := strings.CutSuffix(p, "*"); wild {
			return strings.HasPrefix(name, strings.ReplaceAll(fixed, "{sub}", subject))
		}
		return name == strings.ReplaceAll(p, "{sub}", subject)
	})
}

func TestPatternsAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2))
	word := func() string {
		b := make([]byte, 1+r.IntN(4))
		for i := range b {
			b[i] = "ab/"[r.IntN(3)]
		}
		return string(b)
	}
	for range 20000 {
		texts := make([]string, r.IntN(12))
		for i := range texts {
			if texts[i] = word(); r.IntN(3) == 0 {
				texts[i] += "*"
			}
		}
		p, err := ParsePatterns(texts, "")
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if name := word(); p.Match(name) != naive(texts, "", name) {
				t.Fatalf("%q: Match(%q) = %v", texts, name, p.Match(name))
			}
		}
	}
}

func FuzzPatterns(f *testing.F) {
	f.Add("user/{sub}/*\nworld", "alice", "user/alice/x")
	f.Add("{sub}*", "*", "")
	f.Add("a*\nab*\nabc", "", "abd")
	f.Add("{sub}\n{{sub}\n*", "{sub}", "{sub}")
	f.Fuzz(func(t *testing.T, lines, subject, name string) {
		texts := strings.Split(lines, "\n")
		p, err := ParsePatterns(texts, subject)
		if err != nil {
			if !p.Empty() {
				t.Fatalf("refused, and yet %v", p)
			}
			return
		}
		for _, n := range []string{name, subject, lines, texts[0], strings.ReplaceAll(texts[0], "{sub}", subject)} {
			if got, want := p.Match(n), naive(texts, subject, n); got != want {
				t.Fatalf("%q for %q: Match(%q) = %v", texts, subject, n, got)
			}
		}
		slices.Reverse(texts)
		if again, err := ParsePatterns(texts, subject); err != nil || again.Hash() != p.Hash() {
			t.Fatalf("%q: the order of patterns matters: %v, %v, %v", texts, p, again, err)
		}
		_ = fmt.Sprint(p)
	})
}
