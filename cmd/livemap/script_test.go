package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"livemap/feed"
	"livemap/kafka"
	"livemap/sse"
)

// TestMain makes livemap, and what the scripts need besides, programs that
// scripts can run: this test binary under other names.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"livemap":   main,
		"exits":     func() { os.Exit(exits(os.Args[1], os.Args[2:])) },
		"events":    func() { os.Exit(events(os.Args[1], os.Args[2:])) },
		"get":       func() { os.Exit(get(os.Args[1])) },
		"maketopic": func() { os.Exit(makeTopic(os.Args[1], os.Args[2], feed.Kind(os.Args[3]))) },
	})
}

// TestScripts runs testdata/script/*.txt: the command line as a user types it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"free":   free,
			"occupy": occupy,
		},
	})
}

// shownBytes is how much of an event's data is printed.
const shownBytes = 400

// helperLimit is how long a helper waits for what it is to see.
const helperLimit = 90 * time.Second

// exits runs a command and says whether it ended with the exit code:
//
//	exec exits 2 livemap serve --no-such-flag
func exits(code string, command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return complainOf(err)
	}
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != code {
		return complainOf(fmt.Errorf("exit code %s, want %s", got, code))
	}
	return 0
}

// events reads a stream as curl -N would, from when somebody listens there,
// until it has seen an event of each name:
//
//	exec events http://$ADDR/v1/events?topics=metrics hello metrics
//
// It prints the name of every event and the beginning of its data.
func events(url string, names []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), helperLimit)
	defer cancel()
	resp, err := patientGet(ctx, url)
	if err != nil {
		return complainOf(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Content-Type"))
	missing := map[string]bool{}
	for _, n := range names {
		missing[n] = true
	}
	buf := make([]byte, 32<<10)
	var parser sse.Parser
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			parseErr := parser.Parse(buf[:n], func(e *sse.Event) {
				fmt.Printf("%s %.*s\n", e.Name, shownBytes, e.Data)
				delete(missing, string(e.Name))
			})
			if parseErr != nil {
				return complainOf(parseErr)
			}
		}
		if len(missing) == 0 {
			return 0
		}
		if err != nil {
			return complainOf(fmt.Errorf("%w; not seen: %v", err, missing))
		}
	}
}

// get prints the status, the headers and the body of an answer.
func get(url string) int {
	ctx, cancel := context.WithTimeout(context.Background(), helperLimit)
	defer cancel()
	resp, err := patientGet(ctx, url)
	if err != nil {
		return complainOf(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	if err := resp.Header.Write(os.Stdout); err != nil {
		return complainOf(err)
	}
	fmt.Println()
	if _, err := io.Copy(os.Stdout, resp.Body); err != nil {
		return complainOf(err)
	}
	return 0
}

// patientGet asks until somebody listens. The token in the file that TOKEN_FILE
// names, if it names one, is shown.
func patientGet(ctx context.Context, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if path := os.Getenv("TOKEN_FILE"); path != "" {
		token, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			return resp, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// makeTopic makes a topic of a kind:
//
//	exec maketopic $KAFKA metrics log
func makeTopic(addr, name string, kind feed.Kind) int {
	ctx, cancel := context.WithTimeout(context.Background(), helperLimit)
	defer cancel()
	c := kafka.Config{Brokers: []string{addr}}
	if err := kafka.WaitReady(ctx, c); err != nil {
		return complainOf(err)
	}
	if err := kafka.EnsureTopics(ctx, c, kafka.TopicSpec{Name: name, Kind: kind}); err != nil {
		return complainOf(err)
	}
	return 0
}

func complainOf(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// free sets variables to addresses on loopback that nobody listens on now:
//
//	free KAFKA LISTEN
func free(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // all at once, so that no two are the same
		ts.Setenv(name, l.Addr().String())
	}
}

// occupy sets variables to addresses that somebody listens on until the script
// ends.
func occupy(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Defer(func() { l.Close() })
		ts.Setenv(name, l.Addr().String())
	}
}
