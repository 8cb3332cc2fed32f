package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// topicsKey is a key of the configuration file that is not a flag: the
// topics that livemap serve offers. See [server.Config].
const topicsKey = "topics"

// pageKey is the other one: how the page looks. See [server.ParsePage].
const pageKey = "page"

// maxConfigBytes bounds a configuration file; a larger one is refused.
const maxConfigBytes = 1 << 20

// environment lets every flag come from LIVEMAP_<FLAG>, with dashes as
// underscores.
func environment(k *kong.Kong) error {
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			if f.Name == "help" {
				continue
			}
			name := "LIVEMAP_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			f.Envs = append(f.Envs, name)
			f.Tag.Envs = append(f.Tag.Envs, name)
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(k.Model.Node)
	return nil
}

// settings are the values of a configuration file: flag names with their
// values, at the top level or below the name of a command.
type settings map[string]any

// loadSettings reads a configuration file for kong.
func loadSettings(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxConfigBytes+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxConfigBytes {
		return nil, fmt.Errorf("configuration file: larger than %d bytes", maxConfigBytes)
	}
	var root yaml.Node
	var values map[string]any
	if err := yaml.Unmarshal(b, &root); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if root.IsZero() {
		return settings(nil), nil
	}
	if root.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("configuration file: must hold settings, a line each, such as kafka: 127.0.0.1:9092")
	}
	if err := root.Decode(&values); err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return settings(values), nil
}

// Resolve implements kong.Resolver: the command's own section comes before the
// top level.
func (s settings) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if parent.Command != nil {
		if section, ok := s[parent.Command.Name].(map[string]any); ok {
			if v, ok := section[flag.Name]; ok {
				return scalar(v), nil
			}
		}
	}
	if v, ok := s[flag.Name]; ok && flag.Name != topicsKey { // the flag --topics of a command is another thing
		return scalar(v), nil
	}
	return nil, nil
}

// scalar gives kong the text of a value, so that a YAML number or time is read
// by the same rules as the flag.
func scalar(v any) any {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, p := range v {
			parts[i] = fmt.Sprint(p)
		}
		return strings.Join(parts, ",")
	case bool:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// Validate implements kong.Resolver: it names every key that no flag has.
func (s settings) Validate(app *kong.Application) error {
	known := flagNames(app.Node)
	var errs []error
	for _, key := range sortedKeys(s) {
		command := slices.IndexFunc(app.Children, func(n *kong.Node) bool { return n.Name == key })
		section, isSection := s[key].(map[string]any)
		switch {
		case key == topicsKey || key == pageKey || known[key]:
		case command >= 0 && isSection:
			own := flagNames(app.Children[command])
			for _, name := range sortedKeys(section) {
				if !own[name] {
					errs = append(errs, fmt.Errorf("configuration file: %s.%s: livemap %s has no flag --%s", key, name, key, name))
				}
			}
		default:
			errs = append(errs, fmt.Errorf("configuration file: %s: no such setting; a key is the name of a flag, of a command, %q or %q", key, topicsKey, pageKey))
		}
	}
	return errors.Join(errs...)
}

func flagNames(n *kong.Node) map[string]bool {
	names := map[string]bool{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			names[f.Name] = true
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(n)
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
