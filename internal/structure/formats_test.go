package structure

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// quoted is a golden file and the block that quotes it in docs/format.
var quoted = regexp.MustCompile("(?s)Golden bytes: \\[([^\\]]+)\\][^\n]*\n+```[a-z]*\n(.*?)\n```")

// block is any fenced block of JSON or of a stream.
var block = regexp.MustCompile("(?m)^```(json|text)$")

func TestFormatsQuoteGoldenBytes(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root(t), "docs", "format", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages in docs/format: %v", err)
	}
	for _, path := range pages {
		name, err := filepath.Rel(root(t), path)
		if err != nil {
			t.Fatal(err)
		}
		page := string(content(t, name))
		quotes := quoted.FindAllStringSubmatch(page, -1)
		if blocks := block.FindAllString(page, -1); len(blocks) != len(quotes) {
			t.Errorf("%s: %d blocks, %d of them after \"Golden bytes: [FILE]\": every example is what the program writes", name, len(blocks), len(quotes))
		}
		for _, q := range quotes {
			golden := strings.TrimRight(string(content(t, q[1])), "\n")
			if golden == "" {
				t.Errorf("%s quotes %s, which is not there", name, q[1])
			} else if !strings.Contains(golden, q[2]) {
				t.Errorf("%s quotes %s, but not as it is", name, q[1])
			}
		}
	}
}
