package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// pair is a key of each algorithm, with the text of its files.
type pair struct {
	algorithm Algorithm
	private   any
	public    crypto.PublicKey // nil for HS256
	signFile  []byte
	checkFile []byte
}

// pairs makes the keys of the tests, once.
var pairs = sync.OnceValue(func() map[Algorithm]pair {
	must := func(v any, err error) any {
		if err != nil {
			panic(err)
		}
		return v
	}
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048)).(*rsa.PrivateKey)
	ecKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)).(*ecdsa.PrivateKey)
	edPublic, edKey, _ := ed25519.GenerateKey(rand.Reader)
	secret := GenerateSecret()
	all := map[Algorithm]pair{
		HS256: {HS256, secret[:len(secret)-1], nil, secret, secret},
		RS256: {algorithm: RS256, private: rsaKey, public: &rsaKey.PublicKey},
		ES256: {algorithm: ES256, private: ecKey, public: &ecKey.PublicKey},
		EdDSA: {algorithm: EdDSA, private: edKey, public: edPublic},
	}
	for a, p := range all {
		if a == HS256 {
			continue
		}
		p.signFile = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(p.private)).([]byte)})
		p.checkFile = publicPEM(p.public)
		all[a] = p
	}
	return all
})

var algorithms = []Algorithm{HS256, RS256, ES256, EdDSA}

func publicPEM(public crypto.PublicKey) []byte {
	b, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b})
}

func (p pair) method() jwt.SigningMethod { return jwt.GetSigningMethod(string(p.algorithm)) }

// config is a verifier's configuration with this key.
func (p pair) config() Config {
	if p.public == nil {
		return Config{HS256Key: string(p.checkFile)}
	}
	return Config{PublicKey: string(p.checkFile)}
}

// sign makes a token of any header and claims, by the library alone.
func (p pair) sign(t testing.TB, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(p.method(), jwt.MapClaims(claims))
	for name, v := range header {
		token.Header[name] = v
	}
	s, err := token.SignedString(p.private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signRaw makes a token of any bytes.
func (p pair) signRaw(t testing.TB, header, claims string) string {
	t.Helper()
	signed := b64(header) + "." + b64(claims)
	sum, err := p.method().Sign(signed, p.private)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(string(sum))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// jwksOf makes a key set of public keys, named by kid.
func jwksOf(keys map[string]crypto.PublicKey) []byte {
	list := []map[string]string{}
	for kid, public := range keys {
		list = append(list, jwkOf(kid, public))
	}
	b, _ := json.Marshal(map[string]any{"keys": list})
	return b
}

func jwkOf(kid string, public crypto.PublicKey) map[string]string {
	k := map[string]string{"kid": kid, "use": "sig"}
	switch p := public.(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(string(p.N.Bytes())), b64(string(big.NewInt(int64(p.E)).Bytes()))
	case *ecdsa.PublicKey:
		b, _ := p.Bytes()
		k["kty"], k["crv"], k["x"], k["y"] = "EC", "P-256", b64(string(b[1:33])), b64(string(b[33:]))
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(string(p))
	}
	return k
}

// write puts a file in place of another at once, as those who rotate keys should.
func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestKeyFilesRefuse(t *testing.T) {
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	var many []byte
	for range MaxFileKeys + 1 {
		many = append(many, GenerateSecret()...)
	}
	secret := string(pairs()[HS256].checkFile)
	tests := []struct {
		name   string
		parse  func([]byte) ([]*key, error)
		text   string
		reason string
	}{
		{"empty", parseSecrets, "", "no key"},
		{"blank", parseSecrets, "\r\n\n", "no key"},
		{"short", parseSecrets, "0123456789abcdefghijklmnopqrstu\n", "at least 32"},
		{"monotone", parseSecrets, strings.Repeat("changeme", 8), "not random"},
		{"binary", parseSecrets, secret + "\x00", "printable ASCII"},
		{"spaces", parseSecrets, "correct horse battery staple and so on and on", "printable ASCII"},
		{"a public key as secret", parseSecrets, string(pairs()[RS256].checkFile), "everybody who knows a public key"},
		{"too many", parseSecrets, string(many), "at most 8"},
		{"twice", parseSecrets, secret + secret, "twice"},
		{"huge", parseSecrets, strings.Repeat("0123456789abcdef", 100), "at most 1024"},
		{"empty", parsePublic, "", "no key"},
		{"secret as public key", parsePublic, secret, "not PEM"},
		{"trailing", parsePublic, string(pairs()[RS256].checkFile) + "x", "not PEM"},
		{"private", parsePublic, string(pairs()[RS256].signFile), "public half only"},
		{"certificate", parsePublic, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate"},
		{"other block", parsePublic, "-----BEGIN X-----\nAAAA\n-----END X-----\n", "only PUBLIC KEY"},
		{"weak RSA", parsePublic, string(publicPEM(&small.PublicKey)), "between 2048 and 8192"},
		{"other curve", parsePublic, string(publicPEM(&p384.PublicKey)), "only P-256"},
		{"twice", parsePublic, strings.Repeat(string(pairs()[ES256].checkFile), 2), "twice"},
	}
	for _, tt := range tests {
		if keys, err := tt.parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: %v, error %v, want one with %q", tt.name, keys, err, tt.reason)
		}
	}
}

// The example key of RFC 8037 appendix A, whose thumbprint stands there.
func TestThumbprint(t *testing.T) {
	b, _ := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if got := Thumbprint(ed25519.PublicKey(b)); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("Thumbprint = %s", got)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	dir := t.TempDir()
	err := Config{
		HS256KeyFile: filepath.Join(dir, "none"), JWKSURL: "http://keys.example/jwks", JWKSRefresh: 1, Leeway: 2 * MaxLeeway,
	}.Validate()
	for _, part := range []string{"only one", "jwks-url", "https://", "issuer and audience", "jwks-refresh 1ns", "leeway 10m0s"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	if err := (Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("without keys: %v", err)
	}
	if _, err := New(Config{HS256KeyFile: filepath.Join(dir, "none"), RevokedFile: filepath.Join(dir, "nil")}); err == nil ||
		!strings.Contains(err.Error(), "hs256-key-file") || !strings.Contains(err.Error(), "revoked-file") {
		t.Errorf("files that are not there: %v", err)
	}
	for url, ok := range map[string]bool{
		"https://idp.example/jwks": true, "http://127.0.0.1:1/x": true, "http://[::1]/x": true, "http://localhost/x": true,
		"http://10.0.0.1/": false, "file:///etc/passwd": false, "https://u:p@idp.example/": false, "jwks.json": false,
		"http://localhost.evil.example/": false, "https://": false, "ftp://127.0.0.1/": false,
	} {
		if err := checkAddress(url); (err == nil) != ok {
			t.Errorf("checkAddress(%s) = %v", url, err)
		}
	}
}
