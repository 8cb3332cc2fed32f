package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Signer makes tokens. Immutable; safe for concurrent use.
type Signer struct {
	method jwt.SigningMethod
	key    any
	name   string // kid, empty for secrets
}

// NewSecretSigner makes a signer from the text of an HS256 key file. The first
// of several secrets signs.
func NewSecretSigner(text []byte) (*Signer, error) {
	keys, err := parseSecrets(text)
	if err != nil {
		return nil, err
	}
	return &Signer{method: jwt.SigningMethodHS256, key: keys[0].secret}, nil
}

// NewPrivateSigner makes a signer from a private key in PEM: PKCS #8, or the
// older forms for RSA and EC. Its tokens carry the [Thumbprint] of the key as kid.
func NewPrivateSigner(text []byte) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("holds no PEM")
	}
	private, err := privateOf(block)
	if err != nil {
		return nil, err
	}
	s := &Signer{key: private}
	var public crypto.PublicKey
	switch p := private.(type) {
	case *rsa.PrivateKey:
		s.method, public = jwt.SigningMethodRS256, &p.PublicKey
	case *ecdsa.PrivateKey:
		s.method, public = jwt.SigningMethodES256, &p.PublicKey
	case ed25519.PrivateKey:
		s.method, public = jwt.SigningMethodEdDSA, p.Public()
	}
	if _, err := newPublic(public, ""); err != nil { // kinds and strengths as for the server
		return nil, fmt.Errorf("holds %w", err)
	}
	s.name = Thumbprint(public)
	return s, nil
}

func privateOf(block *pem.Block) (any, error) {
	switch block.Type {
	case "PRIVATE KEY":
		return x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("holds an encrypted key: decrypt it first; openssl pkey does")
	}
	return nil, fmt.Errorf("holds a PEM block %s: only PRIVATE KEY is understood", quote(block.Type))
}

// Algorithm is that of the signer's key.
func (s *Signer) Algorithm() Algorithm { return Algorithm(s.method.Alg()) }

// Claims is what a token is to say. Empty fields are left out of it.
type Claims struct {
	Issuer, Audience, Subject string
	// ID is jti, by which this one token can be revoked.
	ID string
	// Issued is iat, NotBefore nbf (zero: none), Expires exp; of whole seconds.
	Issued, NotBefore, Expires time.Time
	// Topics and Keys are patterns as in [ParsePatterns]. Keys nil: all keys;
	// empty and not nil: none.
	Topics, Keys []string
}

// wire is the claims as they stand in a token.
type wire struct {
	jwt.RegisteredClaims
	Livemap struct {
		Topics []string  `json:"topics"`
		Keys   *[]string `json:"keys,omitempty"`
	} `json:"livemap"`
}

// Mint makes a token. Claims that a server would refuse are an error here
// already, issuer, audience and the present time aside.
func (s *Signer) Mint(c Claims) (string, error) {
	var w wire
	w.Issuer, w.Subject, w.ID = c.Issuer, c.Subject, c.ID
	if c.Audience != "" {
		w.Audience = jwt.ClaimStrings{c.Audience}
	}
	w.IssuedAt, w.NotBefore, w.ExpiresAt = date(c.Issued), date(c.NotBefore), date(c.Expires)
	w.Livemap.Topics = c.Topics
	if c.Keys != nil {
		w.Livemap.Keys = &c.Keys
	}
	t := jwt.NewWithClaims(s.method, w)
	if s.name != "" {
		t.Header["kid"] = s.name
	}
	token, err := t.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, s.rehearse(token, c)
}

// rehearse reads a fresh token as a server would.
func (s *Signer) rehearse(token string, c Claims) error {
	if len(token) > MaxTokenBytes {
		return fmt.Errorf("the token would be of %d bytes: at most %d are allowed", len(token), MaxTokenBytes)
	}
	a, err := Inspect(token)
	if err != nil {
		return err
	}
	then := c.NotBefore
	if then.IsZero() {
		then = c.Issued
	}
	e := expectation{issuer: c.Issuer, audience: c.Audience}
	var r *Refusal
	if _, err := e.entry(&a.claims, then); errors.As(err, &r) {
		return errors.New(r.Detail)
	}
	return nil
}

func date(t time.Time) *jwt.NumericDate {
	if t.IsZero() {
		return nil
	}
	return jwt.NewNumericDate(t)
}

// GenerateSecret makes the text of an HS256 key file: 32 random bytes in
// base64url, on a line. The characters are the secret; nobody decodes them.
func GenerateSecret() []byte {
	var b [MinSecretBytes]byte
	rand.Read(b[:]) // never fails
	return append(base64.RawURLEncoding.AppendEncode(nil, b[:]), '\n')
}

// GenerateEd25519 makes a key pair: the private half for those who mint tokens
// (PKCS #8), the public one for livemap serve.
func GenerateEd25519() (private, public []byte, err error) {
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	privDER, err := x509.MarshalPKCS8PrivateKey(priv)
	if err != nil {
		return nil, nil, err
	}
	pubDER, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privDER}),
		pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pubDER}), nil
}
