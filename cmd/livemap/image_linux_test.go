package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"livemap/kafka/embedded"
)

// image is what deploy/Dockerfile makes: the folder that a container would have
// as its root, who runs there, and what.
type image struct {
	root       string
	user       uint32
	entrypoint []string
}

// TestImage follows deploy/Dockerfile line by line, without a builder of images
// and on this machine's own Go, and has the result run as a container would: in
// a root of its own that holds nothing else, as nobody.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the program")
	}
	i := buildImage(t)
	if i.user == 0 || len(i.entrypoint) == 0 {
		t.Fatalf("%+v", i)
	}
	b, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	// What compose mounts.
	key := filepath.Join(i.root, "map.key")
	if err := os.WriteFile(key, []byte("0123456789abcdefghijklmnopqrstuvwxyz\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := i.command(t.Context(), "orders", "--kafka="+b.Addr(), "--rate=max", "--count=100").CombinedOutput(); err != nil {
		t.Fatalf("orders: %v\n%s", err, out)
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	admin, public := free(), free()
	// The pod listens once the aggregator has made its topics.
	stopAggregate := i.start(t, "aggregate", "http://"+admin+"/healthz", "--kafka="+b.Addr(), "--admin-listen="+admin)
	stopServe := i.start(t, "serve", "http://"+public+"/livemap.js", "--kafka="+b.Addr(), "--admin-listen=off", "--listen="+public, "--hs256-key-file=/map.key", "--drain=0s")
	stopServe()
	stopAggregate()
}

// start runs a command until stop is called, and waits until it answers at url.
func (i image) start(t *testing.T, name, url string, arguments ...string) (stop func()) {
	t.Helper()
	var out bytes.Buffer // of the process until ended
	c := i.command(t.Context(), append([]string{name}, arguments...)...)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	stop = func() {
		c.Process.Signal(syscall.SIGTERM) //nolint:errcheck // Wait tells
		if err := <-ended; err != nil {
			t.Errorf("%s: %v\n%s", name, err, &out)
		}
	}
	patience := time.After(time.Minute)
	for !answers(url) {
		select {
		case err := <-ended:
			t.Fatalf("%s: %v\n%s", name, err, &out)
		case <-patience:
			stop()
			t.Fatalf("%s: no answer at %s\n%s", name, url, &out)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return stop
}

func answers(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// command is one that a container of the image would run.
func (i image) command(ctx context.Context, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, i.entrypoint[0], append(i.entrypoint[1:], arguments...)...)
	c.Dir, c.Env = "/", []string{}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: i.user, Gid: i.user, NoSetGroups: true}}
	if os.Getuid() != 0 { // whoever is not root may change the root in a space of users of its own
		c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: int(i.user), HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: int(i.user), HostID: os.Getgid(), Size: 1}}
	}
	return c
}

// buildImage does what the lines of deploy/Dockerfile say. It knows those that are
// there, and fails at others.
func buildImage(t *testing.T) image {
	t.Helper()
	stages := map[string]string{} // roots by name
	var i image
	var directory string
	for line := range strings.Lines(contentOf(t, "../../deploy/Dockerfile")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		words := strings.Fields(rest)
		switch instruction {
		case "", "#":
		case "FROM":
			i, directory = image{root: t.TempDir()}, "/"
			if err := os.Chmod(i.root, 0o755); err != nil { // anybody's, as a container's is
				t.Fatal(err)
			}
			if len(words) == 3 && words[1] == "AS" {
				stages[words[2]] = i.root
			}
		case "WORKDIR":
			directory = rest
			if err := os.MkdirAll(i.root+directory, 0o755); err != nil {
				t.Fatal(err)
			}
		case "COPY":
			to := path.Join(directory, words[len(words)-1])
			if strings.HasSuffix(words[len(words)-1], "/") {
				to += "/"
			}
			if stage, ok := strings.CutPrefix(words[0], "--from="); ok {
				copyFrom(t, stages[stage], words[1:len(words)-1], i.root, to)
			} else {
				copyContext(t, words[:len(words)-1], i.root+to)
			}
		case "RUN":
			c := exec.Command("sh", "-ec", strings.ReplaceAll(rest, "-o /", "-o "+i.root+"/"))
			c.Dir = i.root + directory
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", rest, err, out)
			}
		case "USER":
			if _, err := fmt.Sscanf(rest, "%d:%d", &i.user, new(uint32)); err != nil {
				t.Fatalf("USER %s: %v", rest, err)
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &i.entrypoint); err != nil {
				t.Fatalf("ENTRYPOINT %s: %v", rest, err)
			}
		default:
			t.Fatalf("Dockerfile: this test does not know %q", instruction)
		}
	}
	return i
}

// copyFrom copies files of a stage; what its base image has is this machine's.
func copyFrom(t *testing.T, stage string, files []string, root, to string) {
	t.Helper()
	for _, name := range files {
		from := stage + name
		if _, err := os.Stat(from); err != nil {
			from = name
		}
		target := root + to
		if strings.HasSuffix(to, "/") {
			target = filepath.Join(target, path.Base(name))
		}
		copyFile(t, from, target)
	}
}

// copyContext copies files of the repository, or all ("."): what git knows or
// would take, less what .dockerignore names.
func copyContext(t *testing.T, names []string, to string) {
	t.Helper()
	const top = "../.."
	var ignored []string
	for line := range strings.Lines(contentOf(t, top+"/.dockerignore")) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			ignored = append(ignored, line)
		}
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = top
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		first, _, _ := strings.Cut(name, "/")
		if names[0] != "." && !slices.Contains(names, name) || slices.Contains(ignored, first) {
			continue
		}
		if info, err := os.Lstat(filepath.Join(top, name)); err != nil || info.Mode()&fs.ModeType != 0 {
			continue // deleted, or no plain file
		}
		copyFile(t, filepath.Join(top, name), filepath.Join(to, name))
		copied++
	}
	if copied < len(names) {
		t.Fatalf("COPY %v: %d files", names, copied)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}
