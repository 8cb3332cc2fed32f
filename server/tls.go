package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// certificateEvery is how often the files of the certificate are looked at: a
// renewed one is in use that much later at most.
const certificateEvery = 5 * time.Second

// TLS names the files by which the server itself speaks TLS, for those without a
// proxy. Both or none.
type TLS struct {
	CertFile string // PEM: the certificate, then those between it and the root
	KeyFile  string // PEM
}

func (t TLS) enabled() bool { return t.CertFile != "" || t.KeyFile != "" }

func (t TLS) validate() error {
	if (t.CertFile == "") != (t.KeyFile == "") {
		return fmt.Errorf("tls-cert %q, tls-key %q: give both or neither", t.CertFile, t.KeyFile)
	}
	return nil
}

// certificate is the one in use. It is replaced when its files change.
type certificate struct {
	files  TLS
	logger *slog.Logger
	now    atomic.Pointer[tls.Certificate]
	raw    []byte // of both files; owned by load
}

func newCertificate(files TLS, logger *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, logger: logger}
	_, err := c.load()
	return c, err
}

// load reads the files. What cannot be used leaves in force what was there.
func (c *certificate) load() (changed bool, err error) {
	cert, certErr := os.ReadFile(c.files.CertFile)
	key, keyErr := os.ReadFile(c.files.KeyFile)
	if err := errors.Join(certErr, keyErr); err != nil {
		return false, fmt.Errorf("tls: %w", err)
	}
	raw := bytes.Join([][]byte{cert, key}, []byte{0})
	if bytes.Equal(raw, c.raw) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return false, fmt.Errorf("tls: %s with %s: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	c.raw = raw
	c.now.Store(&pair)
	return true, nil
}

// run reads the files again from time to time until ctx is done. A failure is
// logged once, until the next success.
func (c *certificate) run(ctx context.Context) {
	tick := time.NewTicker(certificateEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := c.load()
		if err != nil && !failing {
			c.logger.Error("certificate not read again; the one before stays in use", "err", err)
		}
		failing = err != nil
		if changed {
			c.logger.Info("certificate replaced", "file", c.files.CertFile)
		}
	}
}

// config returns the settings of a listener. TLS 1.2 is the oldest spoken, as
// RFC 9325 has it, with the suites of the Go release.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil },
	}
}
