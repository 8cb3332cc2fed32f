package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/golang-jwt/jwt/v5"
)

// Algorithm is how a token is signed. A key has exactly one.
type Algorithm string

// The algorithms, by their names in RFC 7518 and RFC 8037.
const (
	HS256 Algorithm = "HS256"
	RS256 Algorithm = "RS256"
	ES256 Algorithm = "ES256"
	EdDSA Algorithm = "EdDSA"
)

// matches compares the algorithm of a key with the one a token's header names.
// RFC 9864 renamed EdDSA with Ed25519; both names mean the same key and sums.
func (a Algorithm) matches(alg string) bool {
	return alg == string(a) || a == EdDSA && alg == "Ed25519"
}

// Least and greatest strength of keys. Below, a key can be broken; above, one
// request costs too much.
const (
	MinSecretBytes = 32 // RFC 7518 section 3.2: no shorter than the hash
	MaxSecretBytes = 1024
	MinRSABits     = 2048 // RFC 7518 section 3.3
	MaxRSABits     = 8192
	minDistinct    = 10 // different bytes in a secret; 32 random ones have over 20
)

// fingerprint identifies a key by what it is, not by what it is called.
type fingerprint [sha256.Size]byte

// key verifies signatures. Immutable; safe for concurrent use.
type key struct {
	algorithm Algorithm
	name      string // kid, empty if it has none
	print     fingerprint

	public crypto.PublicKey // nil for HS256
	secret []byte           // of HS256; nil otherwise
}

// mac is an HMAC with the secret of one key, and the room for its sum. It is for
// one goroutine at a time.
type mac struct {
	of   *key // nil: of none yet
	hash hash.Hash
	sum  [sha256.Size]byte
}

// verify is what jwt.SigningMethodHS256 does, less the key schedule and six
// allocations each time: an HMAC that is reset keeps its schedule.
func (m *mac) verify(k *key, signed, signature []byte) error {
	if m.of != k {
		m.of, m.hash = k, hmac.New(sha256.New, k.secret)
	}
	m.hash.Reset()
	m.hash.Write(signed)
	if !hmac.Equal(signature, m.hash.Sum(m.sum[:0])) {
		return errSignature
	}
	return nil
}

// newSecret makes an HS256 key.
func newSecret(secret []byte) (*key, error) {
	if len(secret) < MinSecretBytes {
		return nil, fmt.Errorf("a secret of %d bytes: at least %d are needed, or it can be guessed from any one token; make one with livemap token keygen", len(secret), MinSecretBytes)
	}
	if len(secret) > MaxSecretBytes {
		return nil, fmt.Errorf("a secret of %d bytes: at most %d are allowed", len(secret), MaxSecretBytes)
	}
	var seen [256]bool
	distinct := 0
	for _, b := range secret {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
	}
	if distinct < minDistinct {
		return nil, fmt.Errorf("a secret of only %d different characters: it is not random; make one with livemap token keygen", distinct)
	}
	secret = append([]byte(nil), secret...)
	return &key{
		algorithm: HS256,
		print:     printOf(HS256, secret),
		secret:    secret,
	}, nil
}

// newPublic makes a key of any other algorithm, which the kind of key decides.
func newPublic(public crypto.PublicKey, name string) (*key, error) {
	k := &key{name: name, public: public}
	switch p := public.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < MinRSABits || n > MaxRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits: between %d and %d are allowed", n, MinRSABits, MaxRSABits)
		}
		if p.E < 3 || p.E&1 == 0 {
			return nil, fmt.Errorf("an RSA key with the exponent %d: it must be odd and at least 3", p.E)
		}
		k.algorithm = RS256
		k.print = printOf(RS256, p.N.Bytes(), binary.BigEndian.AppendUint64(nil, uint64(p.E)))
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("an EC key on the curve %s: only P-256 (ES256) is supported", p.Curve.Params().Name)
		}
		b, err := p.Bytes() // also checks that the point is on the curve
		if err != nil {
			return nil, fmt.Errorf("an EC key: %w", err)
		}
		k.algorithm, k.print = ES256, printOf(ES256, b)
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("an Ed25519 key of %d bytes: it must have %d", len(p), ed25519.PublicKeySize)
		}
		k.algorithm, k.print = EdDSA, printOf(EdDSA, p)
	default:
		return nil, fmt.Errorf("a key of the kind %T: RSA, EC P-256 and Ed25519 are supported", public)
	}
	return k, nil
}

// printOf hashes typed fields, each with its length before it.
func printOf(a Algorithm, fields ...[]byte) fingerprint {
	b := append([]byte("livemap key 1 "), a...)
	for _, f := range fields {
		b = binary.BigEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	return sha256.Sum256(b)
}

var errSignature = errors.New("the signature does not match")

// verify checks the signature over signed, the first two parts of a token. It may
// leave the schedule of a secret in m, for the next time.
func (k *key) verify(m *mac, signed string, signedBytes, signature []byte) error {
	switch k.algorithm {
	case HS256:
		return m.verify(k, signedBytes, signature)
	case RS256:
		return jwt.SigningMethodRS256.Verify(signed, signature, k.public)
	case ES256:
		return jwt.SigningMethodES256.Verify(signed, signature, k.public)
	case EdDSA:
		return jwt.SigningMethodEdDSA.Verify(signed, signature, k.public)
	}
	return errSignature
}

// maxTried bounds the keys that are tried for one token without a kid that
// decides; each costs a signature check.
const maxTried = 8

// keySet is the keys in force. Immutable.
type keySet struct {
	keys []*key
	// strict sets are those of many issuers' services (JWKS): a token's kid must
	// then be in the set. A key from a file needs no name, so there any kid goes.
	strict bool
}

// secret says whether the keys are secrets.
func (s *keySet) secret() bool { return s.keys[0].algorithm == HS256 }

// candidates appends to room the keys that may have signed a token with this
// header. The algorithm must be the key's own.
func (s *keySet) candidates(h header, room []*key) ([]*key, error) {
	named, same := false, 0
	for _, k := range s.keys {
		if k.name != "" && k.name == h.kid {
			named = true
		}
		if k.algorithm.matches(h.alg) {
			same++
		}
	}
	switch {
	case same == 0:
		return nil, fmt.Errorf("alg is %s, and no key is for that", quote(h.alg))
	case h.kid != "" && s.strict && !named:
		return nil, errUnknownKey{h.kid}
	case !named && same > maxTried:
		return nil, fmt.Errorf("the token names no known key (kid is %s), and %d keys are for %s: at most %d are tried", quote(h.kid), same, quote(h.alg), maxTried)
	}
	for _, k := range s.keys {
		if k.algorithm.matches(h.alg) && (!named || k.name == h.kid) {
			room = append(room, k)
		}
	}
	if len(room) == 0 {
		return nil, fmt.Errorf("the key %s is not for %s", quote(h.kid), quote(h.alg))
	}
	return room, nil
}

// has says whether a key is in the set.
func (s *keySet) has(f fingerprint) bool {
	for _, k := range s.keys {
		if k.print == f {
			return true
		}
	}
	return false
}

// equal says whether two sets hold the same keys under the same names.
func (s *keySet) equal(o *keySet) bool {
	if o == nil || len(s.keys) != len(o.keys) {
		return false
	}
	for i, k := range s.keys {
		if k.print != o.keys[i].print || k.name != o.keys[i].name {
			return false
		}
	}
	return true
}

// errUnknownKey is a token's kid that the set lacks: a reason to fetch it again.
type errUnknownKey struct{ name string }

func (e errUnknownKey) Error() string {
	return "the set of keys has none named " + quote(e.name) + " (kid)"
}
