package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// Limits of key files. A larger file, or more keys, is refused.
const (
	MaxKeyFileBytes = 64 << 10
	MaxFileKeys     = 8
)

// readFile reads a file of at most so many bytes.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(b)) > most {
		return nil, fmt.Errorf("read %s: larger than %d bytes", path, most)
	}
	return b, nil
}

// parseSecrets reads HS256 secrets: printable text, one secret a line, the lines
// without their ends being the bytes of the key. Text only, so that it cannot be
// in doubt whether a line feed or an encoding belongs to the key: every language
// reads the same secret with "read file, trim".
func parseSecrets(b []byte) ([]*key, error) {
	if bytes.Contains(b, []byte("-----BEGIN")) {
		return nil, errors.New("holds PEM: as an HS256 secret, everybody who knows a public key could sign; give it as the public key file")
	}
	var keys []*key
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		for _, c := range line {
			if c < '!' || c > '~' {
				return nil, errors.New("holds more than printable ASCII without spaces: make a secret with livemap token keygen, or openssl rand -base64 32")
			}
		}
		k, err := newSecret(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(keys)+1, err)
		}
		keys = append(keys, k)
	}
	return checkCount(keys)
}

// parsePublic reads public keys from PEM. Private halves are refused, for this
// server needs none.
func parsePublic(b []byte) ([]*key, error) {
	var keys []*key
	for rest := b; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(bytes.TrimSpace(rest)) > 0 {
				return nil, errors.New("holds something that is not PEM")
			}
			return checkCount(keys)
		}
		public, err := publicOf(block)
		if err != nil {
			return nil, err
		}
		k, err := newPublic(public, "")
		if err != nil {
			return nil, err
		}
		k.name = Thumbprint(public)
		keys = append(keys, k)
	}
}

func publicOf(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("holds a private key: the server needs the public half only; openssl pkey -pubout makes it")
	case "CERTIFICATE":
		return nil, errors.New("holds a certificate, whose dates and issuer would not be checked: give its key; openssl x509 -pubkey -noout makes it")
	}
	return nil, fmt.Errorf("holds a PEM block %s: only PUBLIC KEY is understood", quote(block.Type))
}

func checkCount(keys []*key) ([]*key, error) {
	if len(keys) == 0 {
		return nil, errors.New("holds no key")
	}
	if len(keys) > MaxFileKeys {
		return nil, fmt.Errorf("holds %d keys: at most %d are allowed", len(keys), MaxFileKeys)
	}
	for i, k := range keys {
		for _, other := range keys[:i] {
			if k.print == other.print {
				return nil, errors.New("holds a key twice")
			}
		}
	}
	return keys, nil
}

// Thumbprint names a public key after its own bytes (RFC 7638, with SHA-256).
// It is empty for kinds of keys that are not supported.
func Thumbprint(public crypto.PublicKey) string {
	b64 := base64.RawURLEncoding.EncodeToString
	var jwk string // members in the order of their names, without spaces
	switch p := public.(type) {
	case *rsa.PublicKey:
		jwk = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, b64(exponent(p.E)), b64(p.N.Bytes()))
	case *ecdsa.PublicKey:
		point, err := p.Bytes() // 4, x, y
		if err != nil {
			return ""
		}
		half := (len(point) - 1) / 2
		jwk = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, p.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:]))
	case ed25519.PublicKey:
		jwk = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(p))
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(jwk))
	return b64(sum[:])
}

// exponent is e as the fewest bytes, most significant first.
func exponent(e int) []byte {
	var b []byte
	for ; e > 0; e >>= 8 {
		b = append([]byte{byte(e)}, b...)
	}
	return b
}
