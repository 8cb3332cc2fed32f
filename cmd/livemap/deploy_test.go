package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"

	"livemap/aggregate/runner"
	"livemap/auth"
	"livemap/kafka"
	"livemap/server"
)

// documented lists the files in which users find command lines, settings and
// metrics, relative to this directory.
func documented(t *testing.T) []string {
	t.Helper()
	files := []string{"../../README.md"}
	for _, dir := range []string{"../../docs", "../../deploy"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && slices.Contains([]string{".md", ".yaml", ".service", ".json", ".conf"}, filepath.Ext(path)) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func contentOf(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocumentedCommands: every command line in the docs and in deploy is one
// that this program takes.
func TestDocumentedCommands(t *testing.T) {
	var checked int
	for _, file := range documented(t) {
		var lines [][]string
		switch filepath.Ext(file) {
		case ".md", ".service":
			lines = shellCommands(contentOf(t, file))
		case ".yaml":
			for _, doc := range documents(t, file) {
				lines = append(lines, listedCommands(doc)...)
			}
		}
		for _, args := range lines {
			checked++
			if err := parses(args); err != nil {
				t.Errorf("%s: livemap %s: %v", file, strings.Join(args, " "), err)
			}
		}
	}
	if checked < 25 {
		t.Errorf("only %d command lines found", checked)
	}
}

// parses says what is wrong with a command line.
func parses(args []string) error {
	for i, a := range args { // the file that deploy ships, wherever it will lie
		args[i] = strings.Replace(a, "/etc/livemap/livemap.yaml", "../../deploy/livemap.yaml", 1)
	}
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	if errors.Is(err, fs.ErrNotExist) || err != nil && strings.Contains(err.Error(), "no such file") {
		return nil // an example's file; its flags were read before it
	}
	return err
}

var command = regexp.MustCompile(`(?:^|[\s(/])livemap\s+((?:demo|broker|orders|aggregate|serve|load|token)\b.*)`)

// shellCommands finds the command lines in the code blocks of Markdown, and in
// units. What is left out ("…") stands for a value behind a flag, and for
// anything elsewhere.
func shellCommands(text string) [][]string {
	text = regexp.MustCompile(`\\\n\s*`).ReplaceAllString(text, " ")
	var found [][]string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if !fenced && !strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "ExecStart=") {
			continue
		}
		if m := command.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			found = append(found, shellWords(m[1]))
		}
	}
	return found
}

// shellWords splits a command as a shell would, up to its end.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	started, left := false, false
	end := func() {
		w := word.String()
		switch {
		case w == "…" && (len(words) == 0 || !strings.HasPrefix(words[len(words)-1], "--") || strings.Contains(words[len(words)-1], "=")):
			left = true
		case started:
			words = append(words, strings.ReplaceAll(w, "…", "x:1"))
		}
		word.Reset()
		started = false
	}
scan:
	for _, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else {
				word.WriteRune(c)
			}
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t':
			end()
		case strings.ContainsRune("|<>;&)", c), c == '#' && !started:
			break scan
		default:
			word.WriteRune(c)
			started = true
		}
	}
	end()
	if left && len(words) > 0 && slices.Contains([]string{"serve", "aggregate", "orders"}, words[0]) && !slices.Contains(words, "--kafka") {
		words = append(words, "--kafka=x:1")
	}
	return words
}

func documents(t *testing.T, file string) []any {
	t.Helper()
	var all []any
	for d := yaml.NewDecoder(strings.NewReader(contentOf(t, file))); ; {
		var doc any
		switch err := d.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, doc)
	}
}

// listedCommands finds lists that begin with the name of a command below args
// (Kubernetes) and command (compose). There the address of Kafka may come from
// the environment.
func listedCommands(doc any) [][]string {
	var found [][]string
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, child := range v {
				walk(k, child)
			}
		case []any:
			var words []string
			for _, child := range v {
				walk("", child)
				if s, ok := child.(string); ok {
					words = append(words, s)
				}
			}
			if (key == "args" || key == "command") && len(words) > 0 && command.MatchString("livemap "+words[0]) {
				if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "--kafka=") }) {
					words = append(words, "--kafka=x:1")
				}
				found = append(found, words)
			}
		}
	}
	walk("", doc)
	return found
}

// TestDocumentedEnvironment: every LIVEMAP_ variable that is named stands for a
// flag or holds a key, or is the Flink job's.
func TestDocumentedEnvironment(t *testing.T) {
	known := map[string]bool{envSecret: true, envPublic: true}
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, e := range f.Envs {
				known[e] = true
			}
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(parser.Model.Node)
	for _, file := range documented(t) {
		for _, name := range regexp.MustCompile(`\bLIVEMAP_[A-Z0-9_]+`).FindAllString(contentOf(t, file), -1) {
			if !known[name] && !strings.HasPrefix(name, "LIVEMAP_FLINK_") { // of the other program
				t.Errorf("%s: %s is no setting", file, name)
			}
		}
	}
}

// TestDocumentedMetrics: every metric that docs, alerts and the dashboard name is
// there, and the dashboard can be read.
func TestDocumentedMetrics(t *testing.T) {
	known := metricNames(t)
	var named int
	for _, file := range documented(t) {
		for _, name := range regexp.MustCompile(`\blivemap_(?:hub|server|auth|kafka|orders|aggregate)_[a-z0-9_]+`).FindAllString(contentOf(t, file), -1) {
			named++
			if !known[strings.TrimSuffix(name, "_bucket")] {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d metrics found", named)
	}
	var dashboard struct{ Panels []struct{ ID int } }
	if err := json.Unmarshal([]byte(contentOf(t, "../../deploy/grafana/livemap.json")), &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Errorf("dashboard: %d panels, %v", len(dashboard.Panels), err)
	}
	documents(t, "../../deploy/prometheus/alerts.yaml")
}

// metricNames lists what serve and aggregate register.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.New(auth.Config{HS256KeyFile: secret})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{Kafka: kafka.Config{Brokers: []string{"127.0.0.1:1"}, Metrics: kafka.NewMetrics()}, Door: &auth.Door{Verifier: verifier}})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	described := make(chan *prometheus.Desc)
	go func() {
		defer close(described)
		for _, c := range slices.Concat(s.Collectors(), runner.NewMetrics().Collectors(), []prometheus.Collector{kafka.NewMetrics()}) {
			c.Describe(described)
		}
	}()
	fqName := regexp.MustCompile(`fqName: "([^"]+)"`)
	for d := range described {
		known[fqName.FindStringSubmatch(d.String())[1]] = true
	}
	return known
}

// TestShippedSettings: the shipped configuration file is complete but for the
// keys.
func TestShippedSettings(t *testing.T) {
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"serve", "--config", "../../deploy/livemap.yaml"}); err != nil {
		t.Fatal(err)
	}
	if len(c.Serve.Kafka) != 3 || len(c.Serve.SessionTopics) != 4 || len(c.Serve.TrustedProxies) != 1 || c.Serve.MaxNewPerSecond != 2000 {
		t.Errorf("%+v", c.Serve)
	}
	if !strings.Contains(contentOf(t, "../../deploy/nginx/livemap.conf"), "proxy_read_timeout 20s;") || c.Serve.Heartbeat >= 20e9 {
		t.Errorf("a heartbeat every %s, and nginx cuts streams sooner", c.Serve.Heartbeat)
	}
}
