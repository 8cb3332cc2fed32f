package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Limits of a JSON Web Key Set. A set beyond them is refused as a whole, and
// the one before stays in force.
const (
	MaxJWKSBytes = 1 << 20
	MaxJWKSKeys  = 64
)

// jwk is what counts of a JSON Web Key (RFC 7517).
type jwk struct {
	kty, use, alg, kid, crv string
	n, e, x, y              string
	ops                     []string
	private                 bool
}

// parseJWKS reads a key set. Keys for other purposes and of other kinds are
// passed over, symmetric ones always: a secret that stands on a web page is
// none. The notes say what was passed over and why.
func parseJWKS(b []byte) (keys []*key, notes []string, err error) {
	var raw []jwk
	found := false
	s := scanner{b: b}
	err = s.document(func(name []byte) error {
		if string(name) != "keys" {
			return s.skip()
		}
		if found = true; s.peek() != '[' {
			return errors.New("keys is not an array")
		}
		return s.array(func() error {
			if len(raw) == MaxJWKSKeys {
				return fmt.Errorf("has more than %d keys", MaxJWKSKeys)
			}
			k, err := s.jwk()
			raw = append(raw, k)
			return err
		})
	})
	if err != nil {
		return nil, nil, err
	}
	if !found {
		return nil, nil, errors.New("has no member keys: it is not a JSON Web Key Set")
	}
	for i, r := range raw {
		k, err := r.key()
		if err != nil {
			notes = append(notes, fmt.Sprintf("key %d (kid %s): %v", i+1, quote(r.kid), err))
			continue
		}
		for _, other := range keys {
			if other.name == k.name && other.algorithm == k.algorithm && k.name != "" {
				return nil, nil, fmt.Errorf("has two keys named %s (kid) for %s", quote(k.name), k.algorithm)
			}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, notes, errors.New("has no key that can be used")
	}
	return keys, notes, nil
}

// jwk reads one key of a set.
func (s *scanner) jwk() (k jwk, err error) {
	if s.peek() != '{' {
		return k, errors.New("keys holds something that is not an object")
	}
	err = s.object(func(name []byte) error {
		var to *string
		switch string(name) {
		case "kty":
			to = &k.kty
		case "use":
			to = &k.use
		case "alg":
			to = &k.alg
		case "kid":
			to = &k.kid
		case "crv":
			to = &k.crv
		case "n":
			to = &k.n
		case "e":
			to = &k.e
		case "x":
			to = &k.x
		case "y":
			to = &k.y
		case "key_ops":
			return s.strings(&k.ops, "key_ops", 16)
		case "d", "p", "q", "k":
			k.private = true
			return s.skip()
		default:
			return s.skip()
		}
		return s.string(to, string(name))
	})
	return k, err
}

// key makes the key that the entry describes.
func (k jwk) key() (*key, error) {
	switch {
	case k.kty == "oct":
		return nil, errors.New("is a shared secret, which has no place in a public set")
	case k.private:
		return nil, errors.New("shows its private half: whoever read it can sign; replace it")
	case k.use != "" && k.use != "sig":
		return nil, errors.New("is not for signatures (use)")
	case k.ops != nil && !slices.Contains(k.ops, "verify"):
		return nil, errors.New("is not for verifying (key_ops)")
	case len(k.kid) > maxKeyNameBytes:
		return nil, fmt.Errorf("kid is longer than %d bytes", maxKeyNameBytes)
	}
	public, err := k.public()
	if err != nil {
		return nil, err
	}
	made, err := newPublic(public, k.kid)
	if err != nil {
		return nil, err
	}
	if k.alg != "" && !made.algorithm.matches(k.alg) {
		return nil, fmt.Errorf("is for %s, not %s", quote(k.alg), made.algorithm)
	}
	return made, nil
}

func (k jwk) public() (crypto.PublicKey, error) {
	switch k.kty {
	case "RSA":
		n, e := unbase64(k.n), unbase64(k.e)
		if len(n) == 0 || len(n) > MaxRSABits/8 || len(e) == 0 || len(e) > 4 {
			return nil, errors.New("n or e is missing or out of range")
		}
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
	case "EC":
		x, y := unbase64(k.x), unbase64(k.y)
		if k.crv != "P-256" || len(x) != 32 || len(y) != 32 {
			return nil, errors.New("is not on the curve P-256")
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	case "OKP":
		x := unbase64(k.x)
		if k.crv != "Ed25519" || len(x) != ed25519.PublicKeySize {
			return nil, errors.New("is not an Ed25519 key")
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, fmt.Errorf("is of the kind %s (kty); RSA, EC and OKP are understood", quote(k.kty))
}

// unbase64 returns nil for what is not base64url.
func unbase64(s string) []byte {
	b, err := strictBase64.DecodeString(s)
	if err != nil || !oneLine(s) {
		return nil
	}
	return b
}
