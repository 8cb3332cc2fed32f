package auth_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"livemap/auth"
)

// The examples of host servers in docs/examples are run as they stand, and their
// tokens verified as livemap serve would.
func TestExamplesMintGoodTokens(t *testing.T) {
	if testing.Short() {
		t.Log("-short: the examples are not run")
		return
	}
	dir := t.TempDir()
	key := filepath.Join(dir, "secret")
	if err := os.WriteFile(key, auth.GenerateSecret(), 0o600); err != nil {
		t.Fatal(err)
	}
	verifier, err := auth.New(auth.Config{HS256KeyFile: key, Issuer: "https://shop.example", Audience: "livemap"})
	if err != nil {
		t.Fatal(err)
	}
	compiled := filepath.Join(dir, "host")
	if out, err := exec.Command("go", "build", "-o", compiled, "../docs/examples/host.go").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, command := range map[string][]string{
		"Go":     {compiled},
		"Node":   {"node", "../docs/examples/host.mjs"},
		"Python": {"python3", "../docs/examples/host.py"},
	} {
		t.Run(name, func(t *testing.T) {
			address := startHost(t, key, command)
			token := ask(t, address, "alice")
			p, err := verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatalf("%s: %v", token, err)
			}
			if p.Subject != "alice" || !p.Topic("metrics") || p.Topic("orders") || !p.Key("shop/alice") || p.Key("shop/bob") {
				t.Errorf("%+v", p)
			}
			if left := time.Until(p.Expires()); left < 14*time.Minute || left > 16*time.Minute {
				t.Errorf("the token lives for %v", left)
			}
		})
	}
}

// startHost runs a host server until the test ends, and returns its address.
func startHost(t *testing.T, key string, command []string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "LIVEMAP_HS256_KEY_FILE="+key, "LISTEN="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); cmd.Wait() })
	return address
}

// ask gets a token for a user, as soon as the server listens. Nobody logged in
// gets none.
func ask(t *testing.T, address, user string) string {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, body, err := post(t.Context(), address, user)
		if err == nil && status == http.StatusOK {
			if status, body, err := post(t.Context(), address, ""); err != nil || status != http.StatusUnauthorized {
				t.Errorf("without a user: %d %q %v", status, body, err)
			}
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer: %d %q %v", status, body, err)
		}
		var refused *net.OpError
		if err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // there is nothing to await: a foreign process begins to listen
	}
}

func post(ctx context.Context, address, user string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/map-token", nil)
	if err != nil {
		return 0, "", err
	}
	if user != "" {
		r.Header.Set("X-User", user)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, 1<<16))
	return a.StatusCode, string(b), err
}
