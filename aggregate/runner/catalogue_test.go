package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"livemap/internal/child"
	"livemap/orders"
	"livemap/orders/classification"
)

// place is somewhere that a classification can lie, as its owner sees it.
type place struct {
	address string // of a folder
	put     func(name string, b []byte)
	remove  func(name string)
}

func onDisk(t *testing.T) place {
	dir := t.TempDir()
	return place{
		address: "file://" + dir,
		put: func(name string, b []byte) {
			t.Helper()
			next := filepath.Join(dir, "next")
			if err := errors.Join(os.WriteFile(next, b, 0o600), os.Rename(next, filepath.Join(dir, name))); err != nil {
				t.Fatal(err)
			}
		},
		remove: func(name string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// onS3 is a server of the S3 protocol.
func onS3(t *testing.T) place {
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	store := s3mem.New()
	server := httptest.NewServer(gofakes3.New(store).Server())
	t.Cleanup(server.Close)
	if err := store.CreateBucket("shop"); err != nil {
		t.Fatal(err)
	}
	return place{
		address: "s3://shop/catalogue?region=us-east-1&use_path_style=true&endpoint=" + server.URL,
		put: func(name string, b []byte) {
			t.Helper()
			head := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)} // as an upload sets it
			if _, err := store.PutObject("shop", "catalogue/"+name, head, bytes.NewReader(b), int64(len(b)), nil); err != nil {
				t.Fatal(err)
			}
		},
		remove: func(name string) {
			t.Helper()
			if _, err := store.DeleteObject("shop", "catalogue/"+name); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// onGCS is a server of Google's protocol, a program that is pinned beside the
// linters because it brings half of Google Cloud along.
func onGCS(t *testing.T) place {
	t.Helper()
	program, err := exec.Command("go", "tool", "-modfile=../../ci/tools/go.mod", "-n", "fake-gcs-server").Output()
	if err != nil {
		t.Fatalf("build fake-gcs-server: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := child.Start(filepath.Join(t.TempDir(), "gcs.log"), strings.TrimSpace(string(program)),
		"-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	base := "http://127.0.0.1:" + port
	ask := func(method, path string, body []byte) error {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return errors.New(resp.Status)
		}
		return nil
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for tries := 0; ; tries++ { // until it listens
		err := ask(http.MethodPost, "/storage/v1/b?project=p", []byte(`{"name":"shop"}`))
		if err == nil {
			break
		}
		if tries > 300 {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Setenv(gcsEmulator, base)
	return place{
		address: "gs://shop/catalogue",
		put: func(name string, b []byte) {
			t.Helper()
			must(ask(http.MethodPost, "/upload/storage/v1/b/shop/o?uploadType=media&name=catalogue%2F"+name, b))
		},
		remove: func(name string) {
			t.Helper()
			must(ask(http.MethodDelete, "/storage/v1/b/shop/o/catalogue%2F"+name, nil))
		},
	}
}

// parquetOf is a file that calls one product by a title.
func parquetOf(t *testing.T, product, title string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := classification.Write(&b, []orders.Product{{ID: product, Title: title, Category: "things"}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestClassificationIsRefreshed takes over new versions, from files and from
// object stores, and keeps the one in force when the next cannot be used.
func TestClassificationIsRefreshed(t *testing.T) {
	for name, where := range map[string]func(*testing.T) place{"file": onDisk, "s3": onS3, "gs": onGCS} {
		t.Run(name, func(t *testing.T) { refreshed(t, where(t)) })
	}
}

func refreshed(t *testing.T, p place) {
	p.put("a.parquet", parquetOf(t, "1", "first"))
	p.put("notes.txt", []byte("not a classification"))
	var said bytes.Buffer
	m := NewMetrics()
	c := &catalogue{address: p.address, log: slog.New(slog.NewTextHandler(&said, nil)), metrics: m}
	err := c.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	look := func(want string, stale float64) {
		t.Helper()
		now = now.Add(time.Second)
		c.refresh(t.Context(), now)
		if got := titles(c); got != want {
			t.Errorf("in force is %s, want %s", got, want)
		}
		if got := testutil.ToFloat64(m.stale); got != stale {
			t.Errorf("stale is %v, want %v", got, stale)
		}
	}
	look("1=first ", 0)
	p.put("a.parquet", parquetOf(t, "1", "the second title"))
	look("1=the second title ", 0)
	p.put("b.parquet", parquetOf(t, "2", "another"))
	look("1=the second title 2=another ", 0)

	good := parquetOf(t, "1", "the third title")
	for _, bad := range [][]byte{good[:len(good)/2], {}, []byte("PAR1 this is no Parquet PAR1"), otherSchema(t)} {
		p.put("a.parquet", bad)
		look("1=the second title 2=another ", 1)
		look("1=the second title 2=another ", 1)
	}
	if got := testutil.ToFloat64(m.reloads.WithLabelValues("refused")); got != 4 {
		t.Errorf("%v versions refused, want 4: each is said once", got)
	}
	if n := strings.Count(said.String(), "the one before stays in force"); n != 4 || !strings.Contains(said.String(), "a.parquet") {
		t.Errorf("said %d times:\n%s", n, said.String())
	}
	p.remove("a.parquet")
	p.remove("b.parquet")
	look("1=the second title 2=another ", 1)
	p.put("a.parquet", good)
	look("1=the third title ", 0)
}

// otherSchema is a Parquet file of something else.
func otherSchema(t *testing.T) []byte {
	t.Helper()
	type other struct {
		Price int64 `parquet:"price"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []other{{Price: 1}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func titles(c *catalogue) string {
	var b strings.Builder
	for _, product := range []string{"1", "2"} {
		if title, ok := c.current().Title(product, 0); ok {
			fmt.Fprintf(&b, "%s=%s ", product, title)
		}
	}
	return b.String()
}

func TestClassificationMustBeThereAtTheStart(t *testing.T) {
	for _, where := range []func(*testing.T) place{onDisk, onS3, onGCS} {
		p := where(t)
		c := &catalogue{address: p.address, log: slog.New(slog.DiscardHandler), metrics: NewMetrics()}
		if err := c.open(context.Background()); !errors.Is(err, ErrClassification) {
			t.Errorf("%s: %v, want %v", p.address, err, ErrClassification)
		}
	}
}
