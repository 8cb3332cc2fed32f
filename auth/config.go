package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Defaults and limits of [Config].
const (
	DefaultLeeway     = 10 * time.Second
	MaxLeeway         = 5 * time.Minute
	DefaultRefresh    = 5 * time.Minute
	MinRefresh        = 10 * time.Second
	DefaultCacheBytes = 16 << 20
	MaxTokenBytes     = 8 << 10

	// ReloadEvery is how often files of keys and revocations are looked at: what
	// is written there counts at the latest after it.
	ReloadEvery = 5 * time.Second
)

// Config is what a [Verifier] is made from. Exactly one source of keys must be
// set. For how the files look see docs/tokens.md.
type Config struct {
	// Sources of keys.
	HS256KeyFile  string // file of secrets, reloaded
	HS256Key      string // the text of such a file, from the environment
	PublicKeyFile string // PEM file of public keys, reloaded
	PublicKey     string // the text of such a file, from the environment
	JWKSURL       string // https, or http to a loopback address

	// JWKSRefresh is how often the key set is fetched; 0: [DefaultRefresh].
	JWKSRefresh time.Duration

	// Issuer and Audience are what iss and aud must be. Without an issuer any
	// will do; without an audience the token must have none. Both are needed with
	// JWKSURL, whose keys sign for others as well.
	Issuer, Audience string
	// Leeway is by how much clocks may differ; 0: [DefaultLeeway], negative: not at
	// all.
	Leeway time.Duration

	// RevokedFile lists tokens and subjects that no longer count; reloaded.
	RevokedFile string

	// CacheBytes bounds the memory of verified tokens; 0: [DefaultCacheBytes],
	// negative: none are remembered.
	CacheBytes int

	// Logger gets what changes and what fails; nil: nowhere.
	Logger *slog.Logger
}

// sources returns the names of the settings that are sources of keys and are set.
func (c Config) sources() []string {
	var set []string
	for _, s := range []struct{ name, value string }{
		{"hs256-key-file", c.HS256KeyFile},
		{"hs256-key (environment)", c.HS256Key},
		{"public-key-file", c.PublicKeyFile},
		{"public-key (environment)", c.PublicKey},
		{"jwks-url", c.JWKSURL},
	} {
		if s.value != "" {
			set = append(set, s.name)
		}
	}
	return set
}

// Enabled says whether a source of keys is set.
func (c Config) Enabled() bool { return len(c.sources()) > 0 }

// Validate checks the settings, without reading files, and reports everything
// that is wrong.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch set := c.sources(); len(set) {
	case 0:
		bad("no key to verify tokens with: set one of hs256-key-file, public-key-file, jwks-url")
	case 1:
	default:
		bad("keys from %q: set only one of them, for a token must not choose between kinds of keys", set)
	}
	if c.JWKSURL != "" {
		if err := checkAddress(c.JWKSURL); err != nil {
			bad("jwks-url %s: %w", quote(Redact(c.JWKSURL)), err)
		}
		if c.Issuer == "" || c.Audience == "" {
			bad("jwks-url needs issuer and audience: the keys there also sign tokens for others")
		}
	}
	if c.JWKSRefresh != 0 && c.JWKSRefresh < MinRefresh {
		bad("jwks-refresh %v: must be at least %v", c.JWKSRefresh, MinRefresh)
	}
	if c.Leeway > MaxLeeway {
		bad("leeway %v: must be at most %v", c.Leeway, MaxLeeway)
	}
	return errors.Join(errs...)
}

// withDefaults fills in what was left at zero.
func (c Config) withDefaults() Config {
	if c.JWKSRefresh == 0 {
		c.JWKSRefresh = DefaultRefresh
	}
	if c.Leeway == 0 {
		c.Leeway = DefaultLeeway
	}
	c.Leeway = max(c.Leeway, 0)
	if c.CacheBytes == 0 {
		c.CacheBytes = DefaultCacheBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
