package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	"unicode"

	"livemap/auth"
)

// tokenCmd is livemap token: keys and tokens, made and explained.
type tokenCmd struct {
	Mint    mintCmd    `cmd:"" help:"Make a token and print it."`
	Inspect inspectCmd `cmd:"" help:"Explain a token in words, and why it is refused."`
	Keygen  keygenCmd  `cmd:"" help:"Make a key file: a secret (HS256), or a pair (Ed25519)."`
}

// Keys themselves can come from the environment, never from a flag: every user
// of a machine can read the arguments of its processes.
const (
	envSecret = "LIVEMAP_HS256_KEY" // #nosec G101 -- the name of a variable, not its value
	envPublic = "LIVEMAP_PUBLIC_KEY"
)

// verifyFlags say which tokens count. The same for livemap serve and livemap
// token inspect, so that the one explains what the other does.
type verifyFlags struct {
	HS256KeyFile  string        `name:"hs256-key-file" placeholder:"FILE" help:"Verify tokens with the secrets in this file, one a line (or in the environment variable LIVEMAP_HS256_KEY)."`
	PublicKeyFile string        `placeholder:"FILE" help:"Verify tokens with the public keys in this PEM file: RSA, EC P-256, Ed25519 (or in the environment variable LIVEMAP_PUBLIC_KEY)."`
	JWKSURL       string        `name:"jwks-url" placeholder:"URL" help:"Verify tokens with the keys at this address; needs --issuer and --audience."`
	JWKSRefresh   time.Duration `name:"jwks-refresh" default:"5m" help:"How often to fetch the keys at --jwks-url."`
	Issuer        string        `help:"What iss of a token must be; empty: anything."`
	Audience      string        `help:"What aud of a token must be or contain; empty: tokens must have none."`
	Leeway        time.Duration `default:"10s" help:"By how much clocks may differ."`
	RevokedFile   string        `placeholder:"FILE" help:"Tokens and subjects that no longer count: lines of \"jti ID\", \"sub SUBJECT\", \"before TIME sub SUBJECT\"."`
}

// config is what the flags and the environment say.
func (f verifyFlags) config(log *slog.Logger) auth.Config {
	return auth.Config{
		HS256KeyFile:  f.HS256KeyFile,
		HS256Key:      os.Getenv(envSecret),
		PublicKeyFile: f.PublicKeyFile,
		PublicKey:     os.Getenv(envPublic),
		JWKSURL:       f.JWKSURL,
		JWKSRefresh:   f.JWKSRefresh,
		Issuer:        f.Issuer,
		Audience:      f.Audience,
		Leeway:        explicit(f.Leeway),
		RevokedFile:   f.RevokedFile,
		Logger:        log,
	}
}

// check reports what config would pass on as something else.
func (f verifyFlags) check() error {
	return errors.Join(notNegative("leeway", f.Leeway), notZero("jwks-refresh", f.JWKSRefresh))
}

// mintCmd is livemap token mint.
type mintCmd struct {
	HS256KeyFile   string        `name:"hs256-key-file" placeholder:"FILE" help:"Sign with the first secret in this file (or in the environment variable LIVEMAP_HS256_KEY)."`
	PrivateKeyFile string        `placeholder:"FILE" help:"Sign with the private key in this PEM file: RSA, EC P-256, Ed25519."`
	Sub            string        `help:"Subject: whom the token is for."`
	Topics         []string      `placeholder:"PATTERN" help:"Topics that may be seen; * at the end stands for any rest, {sub} for the subject."`
	Keys           []string      `placeholder:"PATTERN" help:"Keys that may be seen; left out: all."`
	TTL            time.Duration `default:"15m" help:"How long the token is valid."`
	Issuer         string        `help:"Issuer (iss)."`
	Audience       string        `help:"Audience (aud)."`
	ID             string        `name:"jti" help:"Name of the token, for revoking it; left out: a random one."`
}

// Run makes and prints the token.
func (c *mintCmd) Run(e env) error {
	var errs []error
	if len(c.Topics) == 0 {
		errs = append(errs, errors.New("--topics: none given; a token without topics shows nothing"))
	}
	if c.TTL <= 0 {
		errs = append(errs, fmt.Errorf("--ttl %v: must be longer than nothing", c.TTL))
	}
	signer, err := c.signer()
	if err = errors.Join(append(errs, err)...); err != nil {
		return usage(err)
	}
	if c.ID == "" {
		c.ID = rand.Text()
	}
	now := time.Now()
	token, err := signer.Mint(auth.Claims{
		Issuer: c.Issuer, Audience: c.Audience, Subject: c.Sub, ID: c.ID,
		Issued: now, Expires: now.Add(c.TTL),
		Topics: c.Topics, Keys: c.Keys,
	})
	if err != nil {
		return usage(err)
	}
	_, err = fmt.Fprintln(e.stdout, token)
	return err
}

// signer reads the one key that is given.
func (c *mintCmd) signer() (*auth.Signer, error) {
	switch secret := os.Getenv(envSecret); {
	case c.PrivateKeyFile != "" && c.HS256KeyFile != "":
		return nil, errors.New("--hs256-key-file and --private-key-file: give only one of them")
	case c.PrivateKeyFile != "":
		return readSigner("--private-key-file", c.PrivateKeyFile, auth.NewPrivateSigner)
	case c.HS256KeyFile != "":
		return readSigner("--hs256-key-file", c.HS256KeyFile, auth.NewSecretSigner)
	case secret != "":
		s, err := auth.NewSecretSigner([]byte(secret))
		if err != nil {
			return nil, fmt.Errorf("%s %w", envSecret, err)
		}
		return s, nil
	}
	return nil, errors.New("no key to sign with: give --hs256-key-file or --private-key-file; livemap token keygen makes one")
}

func readSigner(flag, path string, parse func([]byte) (*auth.Signer, error)) (*auth.Signer, error) {
	b, err := readBounded(path, auth.MaxKeyFileBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	s, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s %s %w", flag, path, err)
	}
	return s, nil
}

func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("read %s: larger than %d bytes", path, most)
	}
	return b, err
}

// keygenCmd is livemap token keygen.
type keygenCmd struct {
	File    string `arg:"" help:"Where to put the key, for its owner only; a file that is there is left alone. The public half of a pair goes to FILE.pub."`
	Ed25519 bool   `name:"ed25519" help:"Make a pair, so that the server can verify tokens and cannot make any."`
}

// Run makes the key and says how to use it.
func (c *keygenCmd) Run(e env) error {
	if !c.Ed25519 {
		if err := writeNew(c.File, auth.GenerateSecret(), 0o600); err != nil {
			return err
		}
		_, err := fmt.Fprintf(e.stdout, "%s: a secret. Verify with: livemap serve --hs256-key-file %[1]s\nMint with: livemap token mint --hs256-key-file %[1]s\n", c.File)
		return err
	}
	private, public, err := auth.GenerateEd25519()
	if err != nil {
		return err
	}
	if err := errors.Join(writeNew(c.File, private, 0o600), writeNew(c.File+".pub", public, 0o644)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s, %[1]s.pub: a pair. Verify with: livemap serve --public-key-file %[1]s.pub\nMint with: livemap token mint --private-key-file %[1]s\n", c.File)
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// inspectCmd is livemap token inspect.
type inspectCmd struct {
	Token  string      `arg:"" help:"The token, or - to read it from standard input, where no list of processes shows it."`
	Verify verifyFlags `embed:""`
}

// Run explains the token. It fails when the keys given refuse it.
func (c *inspectCmd) Run(e env) error {
	if err := c.Verify.check(); err != nil {
		return usage(err)
	}
	var verifier *auth.Verifier // nil: no key was given
	if config := c.Verify.config(nil); config.Enabled() {
		v, err := auth.New(config)
		if err != nil {
			return usage(err)
		}
		if err := v.Fetch(e.ctx); err != nil {
			return err
		}
		verifier = v
	}
	token, err := c.read()
	if err != nil {
		return err
	}
	a, err := auth.Inspect(token)
	if err != nil {
		return fmt.Errorf("not a token: %w", err)
	}
	if err := explain(e.stdout, a, time.Now()); err != nil {
		return err
	}
	return pronounce(e, verifier, token)
}

// pronounce says whether the token is accepted; an error means that it is not.
func pronounce(e env, v *auth.Verifier, token string) error {
	if v == nil {
		_, err := fmt.Fprintln(e.stdout, "verdict    none: no key was given to verify it with; the flags are those of livemap serve")
		return err
	}
	if _, verdict := v.Verify(e.ctx, token); verdict != nil {
		_, err := fmt.Fprintf(e.stdout, "verdict    refused: %v\n", verdict)
		return errors.Join(err, errors.New("the token is refused"))
	}
	_, err := fmt.Fprintln(e.stdout, "verdict    accepted")
	return err
}

func (c *inspectCmd) read() (string, error) {
	if c.Token != "-" {
		return c.Token, nil
	}
	b, err := io.ReadAll(io.LimitReader(os.Stdin, 16*auth.MaxTokenBytes))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// explain writes what the token says, a line for each thing.
func explain(w io.Writer, a *auth.Anatomy, now time.Time) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("header", "%s", printable(a.HeaderJSON))
	line("claims", "%s", printable(a.ClaimsJSON))
	if a.HeaderProblem != nil {
		line("trouble", "%v", a.HeaderProblem)
	}
	line("signed", "with %q, by the key %q (kid)", a.Algorithm, a.KeyID)
	line("for", "subject %q, audience %q, from issuer %q", a.Subject, a.Audience, a.Issuer)
	if !a.NotBefore.IsZero() {
		line("from", "%s", moment(a.NotBefore, now))
	}
	if a.Expires.IsZero() {
		line("until", "no exp: every server refuses a token that never expires")
	} else {
		line("until", "%s", moment(a.Expires, now))
	}
	line("topics", "%v", a.Topics)
	line("keys", "%v", a.Keys)
	if a.GrantProblem != nil {
		line("trouble", "%v", a.GrantProblem)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func moment(t, now time.Time) string {
	if d := t.Sub(now).Round(time.Second); d > 0 {
		return fmt.Sprintf("%s, in %v", t.Format(time.RFC3339), d)
	}
	return fmt.Sprintf("%s, %v ago", t.Format(time.RFC3339), now.Sub(t).Round(time.Second))
}

// printable is text from a stranger, made harmless for a terminal.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, string(b))
}
