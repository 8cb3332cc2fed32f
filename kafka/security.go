package kafka

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// systemCA as a CAFile stands for the certificates of the machine.
const systemCA = "system"

// securityOpts turns the TLS and SASL settings into client options.
func (c Config) securityOpts() ([]kgo.Opt, error) {
	var opts []kgo.Opt
	if c.TLS.Enabled() {
		t, err := c.TLS.config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if c.SASL.Mechanism != "" {
		opts = append(opts, kgo.SASL(c.SASL.mechanism()))
	}
	return opts, nil
}

func (t TLS) config() (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CAFile != "" && t.CAFile != systemCA {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka-tls-ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka-tls-ca %s: no PEM certificate in it", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka-tls-cert %s, kafka-tls-key %s: %w", t.CertFile, t.KeyFile, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// mechanism builds the SASL mechanism; the secret is read anew at each
// authentication.
func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case Plain:
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			pass, err := s.secret()
			return plain.Auth{User: s.User, Pass: pass}, err
		})
	case ScramSHA256:
		return scram.Sha256(s.scram)
	case ScramSHA512:
		return scram.Sha512(s.scram)
	default: // OAuthBearer; Validate refuses anything else
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := s.secret()
			return oauth.Auth{Token: token}, err
		})
	}
}

func (s SASL) scram(context.Context) (scram.Auth, error) {
	pass, err := s.secret()
	return scram.Auth{User: s.User, Pass: pass}, err
}

func (s SASL) secret() (string, error) {
	b, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("kafka-password-file: %w", err)
	}
	return string(bytes.TrimRight(b, "\r\n")), nil
}
