package conformance

import (
	"fmt"
	"io"
	"strings"
)

// Column is what was found of one server.
type Column struct {
	Name    string
	Results []Result
}

// Text writes a line for each result, as people read them in a terminal, and
// the counts.
func Text(w io.Writer, results []Result) {
	counts := map[Verdict]int{}
	for _, r := range results {
		counts[r.Verdict]++
		fmt.Fprintf(w, "%-4s  %-18s %s", r.Verdict, r.Check.ID, r.Check.Title)
		if r.Verdict == Fail {
			fmt.Fprintf(w, " (%s; %s)", r.Check.Level, r.Check.Source)
		}
		if r.Reason != "" {
			fmt.Fprintf(w, ": %s", r.Reason)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d pass, %d fail, %d n/a\n", counts[Pass], counts[Fail], counts[NotApplicable])
}

var signs = map[Verdict]string{Pass: "✓", Fail: "**✗**", NotApplicable: "–"}

// Markdown writes a table with a column for each server, and below it why the
// checks that failed did. All columns must be of the same checks.
func Markdown(w io.Writer, columns []Column) {
	fmt.Fprint(w, "| check | what passes | level | source |")
	for _, c := range columns {
		fmt.Fprintf(w, " %s |", c.Name)
	}
	fmt.Fprintf(w, "\n|---|---|---|---|%s\n", strings.Repeat("---|", len(columns)))
	if len(columns) == 0 {
		return
	}
	for i, first := range columns[0].Results {
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |", first.Check.ID, first.Check.Title, first.Check.Level, first.Check.Source)
		for _, c := range columns {
			fmt.Fprintf(w, " %s |", signs[c.Results[i].Verdict])
		}
		fmt.Fprintln(w)
	}
	for _, c := range columns {
		counts := map[Verdict]int{}
		fmt.Fprintf(w, "\n**%s.**", c.Name)
		for _, r := range c.Results {
			if counts[r.Verdict]++; r.Verdict == Fail {
				fmt.Fprintf(w, " `%s`: %s.", r.Check.ID, cell(r.Reason))
			}
		}
		fmt.Fprintf(w, " %d pass, %d fail, %d do not apply.\n", counts[Pass], counts[Fail], counts[NotApplicable])
	}
}

// cell makes a text fit for a line of Markdown.
func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ", "*", "\\*").Replace(s) }
