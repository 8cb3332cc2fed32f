package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"livemap/feed"
	"livemap/internal/certtest"
	"livemap/internal/testkit"
	"livemap/kafka"
	"livemap/kafka/kafkatest"
)

// The users of the secured broker, each of one mechanism.
const (
	plainUser, plainPassword = "polly", "a secret = with, signs"
	scramUser, scramPassword = "sally", "another secret"
)

// secured is a broker that talks to nobody it does not know: over TLS with a
// password or a token, or over TLS with a certificate.
type secured struct {
	passwords, certificates string // addresses
	files                   certtest.Files
	dir                     string
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	s := &secured{dir: t.TempDir()}
	var err error
	if s.files, _, err = certtest.Write(s.dir, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	pair := s.write(t, "pair.pem", s.read(t, s.files.Key)+s.read(t, s.files.Cert))
	const module = "org.apache.kafka.common.security."
	broker := kafkatest.StartBroker(t,
		kafkatest.Listener("PASSWORDS", "SASL_SSL"), kafkatest.Listener("CERTIFICATES", "SSL"),
		kafkatest.Property("ssl.keystore.type", "PEM"), kafkatest.Property("ssl.keystore.location", pair),
		kafkatest.Property("ssl.truststore.type", "PEM"), kafkatest.Property("ssl.truststore.location", s.files.Authority),
		kafkatest.Property("listener.name.certificates.ssl.client.auth", "required"),
		kafkatest.Property("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"),
		kafkatest.Property("listener.name.passwords.plain.sasl.jaas.config",
			module+`plain.PlainLoginModule required user_`+plainUser+`="`+plainPassword+`";`),
		kafkatest.Property("listener.name.passwords.scram-sha-256.sasl.jaas.config", module+"scram.ScramLoginModule required;"),
		kafkatest.Property("listener.name.passwords.scram-sha-512.sasl.jaas.config", module+"scram.ScramLoginModule required;"),
		kafkatest.Property("listener.name.passwords.oauthbearer.sasl.jaas.config",
			module+`oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`),
		kafkatest.Scram("SCRAM-SHA-256", scramUser, scramPassword), kafkatest.Scram("SCRAM-SHA-512", scramUser, scramPassword))
	s.passwords, s.certificates = broker.At("PASSWORDS")[0], broker.At("CERTIFICATES")[0]
	if err := kafka.EnsureTopics(t.Context(), broker.Config(), kafka.TopicSpec{Name: feed.TopicOrders, Kind: feed.Log}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *secured) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (s *secured) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// password returns the flags of a mechanism.
func (s *secured) password(t *testing.T, mechanism, user, secret string) []string {
	t.Helper()
	flags := []string{"--kafka", s.passwords, "--kafka-tls-ca", s.files.Authority, "--kafka-sasl", mechanism,
		"--kafka-password-file", s.write(t, mechanism+".secret", secret+"\n")}
	if user != "" {
		flags = append(flags, "--kafka-user", user)
	}
	return flags
}

// certificate returns the flags of a client certificate.
func (s *secured) certificate() []string {
	return []string{"--kafka", s.certificates, "--kafka-tls-ca", s.files.Authority, "--kafka-tls-cert", s.files.Cert, "--kafka-tls-key", s.files.Key}
}

// token is what Kafka's own check without a signature takes: it is the broker's
// configuration that is for tests, not our side.
func token() string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	now := time.Now().Unix()
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"otto","iat":%d,"exp":%d}`, now-60, now+3600)) + "."
}

// TestSecuredKafka: each command reaches a broker over TLS with another
// mechanism, and an order goes all the way through.
func TestSecuredKafka(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	s := startSecured(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := func(command string, flags []string, more ...string) *process {
		return start(t, append(append([]string{command}, flags...), more...)...)
	}
	run("aggregate", s.password(t, "scram-sha-512", scramUser, scramPassword), "--instance", "e2e")
	run("orders", s.password(t, "scram-sha-256", scramUser, scramPassword), "--count", "50", "--rate", "max").finish(ctx)
	run("orders", s.password(t, "oauthbearer", "", token()), "--count", "50", "--rate", "max").finish(ctx)
	run("orders", s.certificate(), "--count", "50", "--rate", "max").finish(ctx)
	addr := testkit.FreeAddress(t)
	run("serve", s.password(t, "plain", plainUser, plainPassword), "--anonymous", "--listen", addr, "--admin-listen", "off")
	if name := firstRecord(ctx, t, "http://"+addr+"/v1/events?topics=shipments"); name != "shipments" {
		t.Errorf("the first record is of %q", name)
	}
	t.Run("a wrong password is told", func(t *testing.T) {
		refused(ctx, t, append([]string{"orders", "--count", "1"}, s.password(t, "plain", plainUser, "wrong")...), "SASL")
	})
	t.Run("a certificate that nobody vouches for is told", func(t *testing.T) {
		other, _, err := certtest.Write(t.TempDir(), "127.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		refused(ctx, t, []string{"orders", "--count", "1", "--kafka", s.certificates, "--kafka-tls-ca", other.Authority}, "certificate")
	})
}

// firstRecord follows a stream to its first record and returns its name.
func firstRecord(ctx context.Context, t *testing.T, url string) string {
	t.Helper()
	for {
		name, err := firstOf(ctx, url)
		if err == nil {
			return name
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no record: %v", err)
		case <-time.After(100 * time.Millisecond): // the pod is not ready yet
		}
	}
}

func firstOf(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok && name != "hello" && name != "heartbeat" {
			return name, nil
		}
	}
	return "", fmt.Errorf("the stream ended: %w", lines.Err())
}

// refused runs livemap and waits until it says what is wrong.
func refused(ctx context.Context, t *testing.T, args []string, want string) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, livemap, args...) //nolint:gosec // the program under test
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), want) {
			cancel()
			_ = cmd.Wait() // it may retry for ever: that it says why is what counts
			return
		}
	}
	_ = cmd.Wait()
	t.Errorf("livemap says nothing of %q, but\n%s", want, said.String())
}
