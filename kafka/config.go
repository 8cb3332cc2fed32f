package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"time"
)

// Timings of every connection. A broker that is gone is noticed within
// requestSlack beyond what the request itself may wait.
const (
	dialTimeout  = 5 * time.Second
	requestSlack = 5 * time.Second
	retryTimeout = 10 * time.Second
)

// maxDecompressedBytes bounds what one batch may unfold to; a larger one is
// stepped over and counted (see Metrics). Brokers hand out batches of about 1
// MiB, compressed.
const maxDecompressedBytes = 64 << 20

// Config says how to reach a Kafka cluster. The zero value of each field but
// Brokers is its documented default.
type Config struct {
	// Brokers are seed addresses, host:port. At least one is needed.
	Brokers []string
	// ClientID is what brokers log. Default "livemap".
	ClientID string
	TLS      TLS
	SASL     SASL
	// Logger receives what an operator should know: brokers that do not
	// answer, topics that are missing, batches stepped over. Default: discarded.
	Logger *slog.Logger
	// Metrics counts what is read and written. Default: counted nowhere.
	Metrics *Metrics
}

// TLS names the files of a TLS connection. Setting any of them turns TLS on.
type TLS struct {
	// CAFile holds the PEM certificates that may sign a broker's; "system" means
	// those of the machine, which is also the default when only CertFile is set.
	CAFile string
	// CertFile and KeyFile hold our own certificate and key, PEM; both or none.
	CertFile string
	KeyFile  string
}

// Enabled reports whether connections use TLS.
func (t TLS) Enabled() bool { return t.CAFile != "" || t.CertFile != "" || t.KeyFile != "" }

// Mechanism is a SASL mechanism. The empty Mechanism means none.
type Mechanism string

// The mechanisms that are offered.
const (
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
	OAuthBearer Mechanism = "oauthbearer"
)

// SASL says how a connection authenticates.
type SASL struct {
	Mechanism Mechanism
	// User is the name; unused by OAuthBearer.
	User string
	// PasswordFile holds the password, or for OAuthBearer the token; a newline
	// at its end is ignored. It is read at each authentication, so that a
	// rotated secret is taken up without a restart.
	PasswordFile string
}

// Validate reports everything that is wrong, each error naming the setting,
// its value and what is allowed.
func (c Config) Validate() error {
	var errs []error
	if len(c.Brokers) == 0 {
		errs = append(errs, errors.New("kafka: no broker address; allowed: one or more host:port"))
	}
	for _, b := range c.Brokers {
		if err := validateAddress(b); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.TLS.validate(), c.SASL.validate())
	return errors.Join(errs...)
}

func validateAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return fmt.Errorf("kafka: broker address %q; allowed: host:port", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("kafka: broker address %q: port %q; allowed: 1 to 65535", addr, port)
	}
	return nil
}

func (t TLS) validate() error {
	var errs []error
	if (t.CertFile == "") != (t.KeyFile == "") {
		errs = append(errs, fmt.Errorf("kafka-tls-cert %q and kafka-tls-key %q; allowed: both or none", t.CertFile, t.KeyFile))
	}
	if t.CAFile != "" && t.CAFile != systemCA {
		errs = append(errs, readable("kafka-tls-ca", t.CAFile))
	}
	if t.CertFile != "" && t.KeyFile != "" {
		errs = append(errs, readable("kafka-tls-cert", t.CertFile), readable("kafka-tls-key", t.KeyFile))
	}
	return errors.Join(errs...)
}

func (s SASL) validate() error {
	if s.Mechanism == "" {
		if s.User != "" || s.PasswordFile != "" {
			return fmt.Errorf("kafka-sasl is not set, but kafka-user %q or kafka-password-file %q is", s.User, s.PasswordFile)
		}
		return nil
	}
	var errs []error
	known := []Mechanism{Plain, ScramSHA256, ScramSHA512, OAuthBearer}
	if !slices.Contains(known, s.Mechanism) {
		errs = append(errs, fmt.Errorf("kafka-sasl %q; allowed: plain, scram-sha-256, scram-sha-512, oauthbearer", s.Mechanism))
	}
	if s.User == "" && s.Mechanism != OAuthBearer {
		errs = append(errs, fmt.Errorf("kafka-user is not set; kafka-sasl %s needs it", s.Mechanism))
	}
	if s.PasswordFile == "" {
		errs = append(errs, fmt.Errorf("kafka-password-file is not set; kafka-sasl %s needs it", s.Mechanism))
	} else {
		errs = append(errs, readable("kafka-password-file", s.PasswordFile))
	}
	return errors.Join(errs...)
}

// readable opens the file of a setting once, so that a wrong path is an error
// of configuration and not one of the first connection.
func readable(setting, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w; allowed: a readable file", setting, err)
	}
	return f.Close()
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) metrics() *Metrics {
	if c.Metrics == nil {
		return NewMetrics()
	}
	return c.Metrics
}
