package server

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"livemap/auth"
	"livemap/internal/testkit"
)

// TestRunAwaitsKeys: a pod that has read its topics but has no keys yet would
// turn everybody away, so it does not listen; once it has them it does.
func TestRunAwaitsKeys(t *testing.T) {
	private, public, err := auth.GenerateEd25519()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(public)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan struct{})
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-published:
			fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}]}`, auth.Thumbprint(key), base64.RawURLEncoding.EncodeToString(key.(ed25519.PublicKey)))
		case <-r.Context().Done():
		}
	}))
	defer keys.Close()
	verifier, err := auth.New(auth.Config{JWKSURL: keys.URL, Issuer: "https://idp.example", Audience: "livemap"})
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.topics("figures", "events")
	c.produce("figures", "world", "1")
	var log testkit.Log
	r, ready := run(t, c, func(config *Config) {
		config.Door = &auth.Door{Verifier: verifier}
		config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	eventually(t, "the pod says what it waits for", func() bool { return strings.Contains(log.String(), "waiting for the first keys") })
	if conn, err := net.Dial("tcp", r.address); err == nil {
		conn.Close()
		t.Error("the pod listens without keys")
	}
	if code, _ := adminGet(r.admin, "/readyz"); code != 503 {
		t.Errorf("ready without keys: %d", code)
	}
	close(published)
	await(t, "ready", ready)
	signer, err := auth.NewPrivateSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	token, err := signer.Mint(auth.Claims{Issuer: "https://idp.example", Audience: "livemap", Issued: now, Expires: now.Add(time.Hour), Topics: []string{"figures"}})
	if err != nil {
		t.Fatal(err)
	}
	stream := r.stream("/v1/events?topics=figures", "Authorization", "Bearer "+token)
	if stream.StatusCode != 200 {
		t.Fatal(stream.Status)
	}
	stream.want("figures 1")
	if code, text := adminGet(r.admin, "/metrics"); code != 200 || !strings.Contains(text, "livemap_auth_keys 1") {
		t.Errorf("metrics: %d", code)
	}
	if resp, _ := r.get("/v1/events?topics=figures"); resp.StatusCode != 401 {
		t.Error(resp.Status)
	}
}
