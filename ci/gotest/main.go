// Command gotest runs "go test -json" with the arguments it is given and prints
// what a person wants to see of it: a line per package, the whole output of
// every test that failed or was skipped, and at the end one line "go: N passed,
// N failed". Tests and subtests count alike. It exits as go test does.
//
//	go run ./ci/gotest -race ./...
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
	sum := newSummary(os.Stdout)
	readErr := sum.read(out)
	runErr := cmd.Wait()
	sum.close()
	if readErr != nil {
		fmt.Fprintln(os.Stderr, "gotest: read the output of go test:", readErr)
	}
	if readErr != nil || runErr != nil || sum.failed > 0 {
		os.Exit(1)
	}
}

// event is a line of go test -json, as "go doc test2json" describes it.
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
}

// name identifies a test, or with an empty test the package itself.
type name struct{ pkg, test string }

// summary turns events into what is printed. It holds the output of running
// tests only.
type summary struct {
	to                      io.Writer
	output                  map[name]*strings.Builder
	builds                  map[string]*strings.Builder // by import path
	inPackage               map[string]counts
	passed, failed, skipped int
}

// counts are of the tests of one package that have ended.
type counts struct{ all, failed int }

func newSummary(to io.Writer) *summary {
	return &summary{
		to:        to,
		output:    map[name]*strings.Builder{},
		builds:    map[string]*strings.Builder{},
		inPackage: map[string]counts{},
	}
}

// read consumes events to the end of r. A line that is not an event is printed
// as it is.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				s.add(e)
			} else {
				fmt.Fprintf(s.to, "%s", line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) add(e event) {
	id := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		collect(s.builds, e.ImportPath, e.Output)
	case "output":
		collect(s.output, id, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e)
		} else {
			s.endTest(e)
		}
		delete(s.output, id)
	}
}

func collect[K comparable](into map[K]*strings.Builder, key K, text string) {
	b := into[key]
	if b == nil {
		b = new(strings.Builder)
		into[key] = b
	}
	b.WriteString(text)
}

func (s *summary) endTest(e event) {
	n := s.inPackage[e.Package]
	n.all++
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		n.failed++
	case "skip":
		s.skipped++
	}
	s.inPackage[e.Package] = n
	if e.Action == "pass" {
		return
	}
	fmt.Fprintf(s.to, "--- %s %s %s (%.2fs)\n", e.Action, e.Package, e.Test, e.Elapsed)
	if b := s.output[name{e.Package, e.Test}]; b != nil {
		fmt.Fprint(s.to, b)
	}
}

// endPackage prints a package's line. A package that failed without a failed
// test counts as one failure: it did not build, or its process died.
func (s *summary) endPackage(e event) {
	n := s.inPackage[e.Package]
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.to, "ok   %-32s %5d tests %8.2fs\n", e.Package, n.all, e.Elapsed)
		return
	case "skip":
		return // no test files
	}
	fmt.Fprintf(s.to, "FAIL %-32s %5d tests %8.2fs\n", e.Package, n.all, e.Elapsed)
	if b := s.builds[e.FailedBuild]; b != nil {
		fmt.Fprint(s.to, b)
		delete(s.builds, e.FailedBuild)
	}
	if b := s.output[name{pkg: e.Package}]; b != nil {
		fmt.Fprint(s.to, b)
	}
	if n.failed == 0 {
		s.failed++
	}
}

// close prints the tests that never ended, for a process that dies ends none,
// and the counts.
func (s *summary) close() {
	var open []name
	for id := range s.output {
		if id.test != "" {
			open = append(open, id)
		}
	}
	sort.Slice(open, func(i, j int) bool {
		a, b := open[i], open[j]
		return a.pkg < b.pkg || a.pkg == b.pkg && a.test < b.test
	})
	for _, id := range open {
		fmt.Fprintf(s.to, "--- died %s %s\n%s", id.pkg, id.test, s.output[id])
	}
	fmt.Fprintf(s.to, "go: %d passed, %d failed", s.passed, s.failed)
	if s.skipped > 0 {
		fmt.Fprintf(s.to, ", %d skipped", s.skipped)
	}
	fmt.Fprintln(s.to)
}
