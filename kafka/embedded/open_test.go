package embedded_test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemap/kafka"
	"livemap/kafka/embedded"
)

func TestSecondOpenSaysWhoHoldsTheDirectory(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir, "127.0.0.1:0", time.Hour)
	_, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), "listening on "+p.addr) || !strings.Contains(err.Error(), "process") {
		t.Fatalf("error %v does not say who holds the directory", err)
	}
	p.stop()
	open(t, embedded.Config{DataDir: dir}) // free again
}

func TestBusyPortIsOneClearError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dir := t.TempDir()
	_, err = embedded.Open(embedded.Config{Listen: ln.Addr().String(), DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), ln.Addr().String()+" is in use") || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v", err)
	}
	open(t, embedded.Config{DataDir: dir}) // the directory was not left locked
}

func TestConfigIsRefused(t *testing.T) {
	for name, c := range map[string]embedded.Config{
		"not loopback":   {Listen: "0.0.0.0:9092", DataDir: "x"},
		"every address":  {Listen: ":9092", DataDir: "x"},
		"no data dir":    {Listen: "127.0.0.1:9092"},
		"no port":        {Listen: "127.0.0.1", DataDir: "x"},
		"port too large": {Listen: "127.0.0.1:99999", DataDir: "x"},
		"retention":      {DataDir: "x", RetentionBytes: 1},
		"clean":          {DataDir: "x", CleanEvery: -1},
	} {
		if err := c.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (embedded.Config{Listen: "0.0.0.0:9092", AllowRemote: true, DataDir: "x"}).Validate(); err != nil {
		t.Error(err)
	}
	if _, err := embedded.Open(embedded.Config{Listen: "127.0.0.1:0", DataDir: filepath.Join("/dev/null", "x")}); err == nil {
		t.Error("a data directory that cannot be made is accepted")
	}
}

// TestStrangersDoNotHurt: whatever connects, the log goes on.
func TestStrangersDoNotHurt(t *testing.T) {
	b := open(t, embedded.Config{DataDir: t.TempDir()})
	for name, sent := range map[string]string{
		"a browser":         "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"unknown request":   "\x00\x00\x00\x0a\x7f\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
		"negative length":   "\xff\xff\xff\xff",
		"too short a frame": "\x00\x00\x00\x01x",
		"gigabytes":         "\x40\x00\x00\x00",
	} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
			t.Errorf("%s: connection was not closed: %d, %v", name, n, err)
		}
		conn.Close()
	}
	if err := kafka.WaitReady(t.Context(), config(t, b.Addr())); err != nil {
		t.Fatal(err)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
