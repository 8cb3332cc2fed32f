//go:build ignore

// A host server in Go: whoever is logged in to the shop gets a token for the
// map. Run with:
//
//	LISTEN=127.0.0.1:3000 LIVEMAP_HS256_KEY_FILE=map.key go run docs/examples/host.go
//	livemap serve --hs256-key-file map.key --issuer https://shop.example --audience livemap …
//
// It shows the whole of what a shop's own server has to do, and nothing of how
// it knows its users; docs/tokens.md says what the claims mean.
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func main() {
	secret, err := os.ReadFile(os.Getenv("LIVEMAP_HS256_KEY_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /map-token", func(w http.ResponseWriter, r *http.Request) {
		user := r.Header.Get("X-User") // in truth: from the session of your shop
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": "https://shop.example", "aud": "livemap", "sub": user, "exp": time.Now().Add(15 * time.Minute).Unix(),
			"livemap": map[string]any{"topics": []string{"metrics", "shipments"}, "keys": []string{"world", "shop/{sub}"}},
		}).SignedString(bytes.TrimSpace(secret))
		if err != nil || user == "" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Write([]byte(token))
	})
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}
