package kafka_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"livemap/feed"
	"livemap/kafka"
)

func TestConfigReportsAllErrors(t *testing.T) {
	c := kafka.Config{
		Brokers: []string{"nowhere", "host:0", "fine:9092"},
		TLS:     kafka.TLS{CAFile: "missing.pem", CertFile: "missing.crt"},
		SASL:    kafka.SASL{Mechanism: "kerberos"},
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`"nowhere"; allowed: host:port`, `port "0"; allowed: 1 to 65535`, "kafka-tls-ca", "kafka-tls-cert", `kafka-sasl "kerberos"`,
		"kafka-user", "kafka-password-file",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "fine") {
		t.Errorf("a good address is refused:\n%v", err)
	}
	if err := (kafka.Config{}).Validate(); err == nil {
		t.Error("no broker is accepted")
	}
	if err := (kafka.Config{Brokers: []string{"a:1"}, SASL: kafka.SASL{User: "u"}}).Validate(); err == nil {
		t.Error("a user without mechanism is accepted")
	}
}

// TestTLSAndPasswords: each mechanism, over TLS; a certificate that does not
// verify is an error at once and not waited out.
func TestTLSAndPasswords(t *testing.T) {
	ca, server := certificates(t)
	dir := t.TempDir()
	caFile := write(t, dir, "ca.pem", ca)
	right, wrong := write(t, dir, "right", []byte("secret\n")), write(t, dir, "wrong", []byte("guess\n"))
	_, plain := fake(t, kfake.NumBrokers(1), kfake.TLS(server), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "anna", "secret"), kfake.Superuser("SCRAM-SHA-256", "bert", "secret"), kfake.Superuser("SCRAM-SHA-512", "cleo", "secret"))
	for user, mechanism := range map[string]kafka.Mechanism{"anna": kafka.Plain, "bert": kafka.ScramSHA256, "cleo": kafka.ScramSHA512} {
		c := plain
		c.TLS.CAFile = caFile
		c.SASL = kafka.SASL{Mechanism: mechanism, User: user, PasswordFile: right}
		topic := strings.ReplaceAll(string(mechanism), "-", ".")
		if err := kafka.EnsureTopics(patience(t), c, kafka.TopicSpec{Name: topic, Kind: feed.Log}); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		produce(t, c, numbered(topic, 0, 3)...)

		c.SASL.PasswordFile = wrong
		// This broker hangs up without a word; Kafka says SASL_AUTHENTICATION_FAILED.
		soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := kafka.WaitReady(soon, c); err == nil {
			t.Errorf("%s: a wrong password was accepted", mechanism)
		}
		cancel()
	}
	stranger := plain
	stranger.TLS.CAFile = systemCA
	if err := kafka.WaitReady(patience(t), stranger); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody we know: %v", err)
	}
}

const systemCA = "system"

func write(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificates makes a server's certificate for 127.0.0.1 that signs itself.
func certificates(t *testing.T) (ca []byte, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		&tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func TestDeadRecord(t *testing.T) {
	rec := kafka.Record{Topic: "orders", Partition: 3, Offset: 42, At: 7, Key: []byte("shop"), Value: bytes.Repeat([]byte("x"), 70_000)}
	dead := kafka.DeadRecord(rec, "field", strings.Repeat("ä", 400))
	if dead.Topic != "orders.dead" || string(dead.Key) != "shop" || dead.At != 7 || len(dead.Value) != 64<<10 {
		t.Errorf("topic %s, key %s, at %d, %d bytes", dead.Topic, dead.Key, dead.At, len(dead.Value))
	}
	got := map[string]string{}
	for _, h := range dead.Headers {
		got[h.Key] = string(h.Value)
	}
	if got["detail"] != strings.Repeat("ä", 256) {
		t.Errorf("detail has %d bytes", len(got["detail"]))
	}
	delete(got, "detail")
	want := map[string]string{"reason": "field", "topic": "orders", "partition": "3", "offset": "42", "truncated": "true"}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("header %s is %q, want %q", k, got[k], v)
		}
	}
	small := kafka.DeadRecord(kafka.Record{Topic: "orders"}, "malformed", "")
	if small.Value != nil || len(small.Headers) != 5 {
		t.Errorf("a small record became %+v", small)
	}
}
