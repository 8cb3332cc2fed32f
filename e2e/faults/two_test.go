package main

import (
	"path/filepath"
	"strings"
	"testing"

	"livemap/e2e/stage"
	"livemap/internal/testkit"
	"livemap/kafka"
)

// TestTwoAggregators: a second aggregator that was started by mistake stands by, one
// with the same name takes over and the first ends, one with other settings is
// refused and disturbs nobody; whoever is killed is succeeded. Never do two write.
func TestTwoAggregators(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir := t.TempDir()
	program, err := stage.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	address := testkit.FreeAddress(t)
	instances := []string{"a", "b"}
	command := func(name string, args ...string) *stage.Command {
		c := stage.NewCommand(program, dir, name, args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Kill)
		return c
	}
	aggregator := func(name, instance string, args ...string) *stage.Command {
		return command(name, append([]string{"aggregate", "--kafka", address, "--instance", instance}, args...)...)
	}
	command("broker", "broker", "--listen", address, "--data-dir", filepath.Join(dir, "data"))
	k := kafka.Config{Brokers: []string{address}}
	writes := func(instance string) func() bool {
		return func() bool {
			i, err := writerOf(t.Context(), k, instances)
			return err == nil && instances[i] == instance
		}
	}
	first := aggregator("first", "a")
	eventually(t, "the first writes", func() bool { return strings.Contains(first.Output(), "aggregating") && writes("a")() })
	ordering := command("orders", "orders", "--kafka", address, "--rate", "50", "--seed", "3")

	second := aggregator("second", "b")
	eventually(t, "the second stands by", func() bool { return strings.Contains(second.Output(), "standing by") })
	foreign := aggregator("foreign", "a", "--currency", "EUR")
	eventually(t, "one with other settings is refused", func() bool { return !foreign.Running() })
	if said := foreign.Output(); !strings.Contains(said, "checkpoint cannot be used") {
		t.Errorf("the one with other settings said:\n%s", said)
	}
	if !first.Running() || !second.Running() || !writes("a")() {
		t.Fatalf("the first was disturbed:\n%s", first.Tail())
	}

	third := aggregator("third", "a")
	eventually(t, "the first ends behind its namesake", func() bool { return !first.Running() })
	if said := first.Output(); !strings.Contains(said, "has taken over") {
		t.Errorf("the first said:\n%s", said)
	}
	if !writes("a")() {
		t.Error("the second writes although the first had a successor")
	}
	third.Kill()
	eventually(t, "the second takes over", writes("b"))
	if err := ordering.Stop(); err != nil {
		t.Error(err)
	}
	f, err := readFigures(t.Context(), k, settle)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.check(); err != nil || f.Orders == 0 || f.Windows == 0 {
		t.Errorf("%d orders, %d windows: %v", f.Orders, f.Windows, err)
	}
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
}
