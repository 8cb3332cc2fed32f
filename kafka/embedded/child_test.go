package embedded_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/embedded"
)

// The test binary is also the program that is killed: with childDir set it
// opens an embedded log there, says where it listens, and waits.
const (
	childDir    = "LIVEMAP_TEST_EMBEDDED_DIR"
	childListen = "LIVEMAP_TEST_EMBEDDED_LISTEN"
	childClean  = "LIVEMAP_TEST_EMBEDDED_CLEAN"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func child(dir string) {
	every, err := time.ParseDuration(os.Getenv(childClean))
	if err != nil {
		every = time.Hour
	}
	b, err := embedded.Open(embedded.Config{
		Listen: os.Getenv(childListen), DataDir: dir, CleanEvery: every, ReserveBytes: 16 << 20,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("listening", b.Addr())
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the test ends or kills us
	if err := b.Close(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

// process is an embedded log in a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	said *testkit.Log // what it logs
	stop func()       // lets it close in good order
}

func startProcess(t *testing.T, dir, listen string, cleanEvery time.Duration) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childListen+"="+listen, childClean+"="+cleanEvery.String())
	said := &testkit.Log{}
	cmd.Stderr = io.MultiWriter(t.Output(), said)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, said: said}
	p.stop = func() { _ = in.Close(); _ = cmd.Wait() }
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	if err != nil || !ok {
		t.Fatalf("embedded log did not start: %q, %v", line, err)
	}
	p.addr = addr
	return p
}

// kill is kill -9. What is gone already stays gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *process) config() kafka.Config { return config(p.t, p.addr) }

func config(t *testing.T, addr string) kafka.Config {
	return kafka.Config{Brokers: []string{addr}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// open opens a log that the test's end closes.
func open(t *testing.T, c embedded.Config) *embedded.Broker {
	t.Helper()
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	b, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}
