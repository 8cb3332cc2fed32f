package e2e

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// Where ci/setup puts the oracle's engine and the purchases.
const (
	python     = "../.cache/venv/bin/python"
	journeyDir = "../.cache/journey"
)

// oracle runs oracle.py and returns its exit code and what it printed.
func oracle(t *testing.T, args ...string) (int, []byte) {
	t.Helper()
	out, err := exec.Command(python, append([]string{"oracle.py"}, args...)...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.Fatalf("%v: run make setup", err)
	case errors.As(err, &exit):
		return exit.ExitCode(), out
	case err != nil:
		t.Fatal(err)
	}
	return 0, out
}

// expect has the oracle compute every figure of the purchases in a folder, and
// returns the path of what it computed.
func expect(t *testing.T, purchases, deliveries string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "expected.duckdb")
	code, out := oracle(t, "expect", "--journey", purchases, "--deliveries", deliveries,
		"--start", replayStart, "--speed", strconv.Itoa(replaySpeed), "--to", to)
	t.Logf("%s", out)
	if code != 0 {
		t.Fatalf("oracle expect: exit code %d", code)
	}
	return to
}

var comparedWindows = regexp.MustCompile(`compared (\d+) windows`)

// minWindows is how many windows a comparison must cover to be worth its name.
const minWindows = 20_000

// agree compares what was read with what is expected; more are further flags of
// the oracle.
func agree(t *testing.T, expected, seen string, more ...string) {
	t.Helper()
	code, out := oracle(t, append([]string{"compare", "--expected", expected, "--seen", seen}, more...)...)
	t.Logf("%s", out)
	m := comparedWindows.FindSubmatch(out)
	if code != 0 || m == nil {
		t.Fatalf("the oracle disagrees (exit code %d)", code)
	}
	if n, _ := strconv.Atoi(string(m[1])); n < minWindows {
		t.Errorf("only %d windows compared, at least %d are wanted", n, minWindows)
	}
}

var salesField = regexp.MustCompile(`"sales":(\d+)`)

// plantCent adds one cent to the sales of one window in a copy of seen.
func plantCent(t *testing.T, seen string) string {
	t.Helper()
	dir := t.TempDir()
	for _, topic := range outputs {
		b, err := os.ReadFile(filepath.Join(seen, topic.Name+".ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		if topic.Name == "windows" {
			at := salesField.FindSubmatchIndex(b[len(b)/2:])
			from, to := len(b)/2+at[2], len(b)/2+at[3]
			cents, err := strconv.ParseInt(string(b[from:to]), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			b = bytes.Join([][]byte{b[:from], strconv.AppendInt(nil, cents+1, 10), b[to:]}, nil)
		}
		if err := os.WriteFile(filepath.Join(dir, topic.Name+".ndjson"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
