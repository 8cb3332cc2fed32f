package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// preflightAge is for how long a browser may keep what a preflight said, in seconds.
const preflightAge = "600"

// corsHeaders are the header fields by which a page of another origin may read
// an answer.
var corsHeaders = []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Vary"}

// cors lets pages of the allowed origins, compared exactly, read the answer.
// Others get nothing: their browsers keep the answer from them. It reports
// whether the request was a preflight, and answered.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	if len(s.config.Door.Options.Origins) == 0 {
		return false
	}
	h := w.Header()
	h.Set("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if !slices.Contains(s.config.Door.Options.Origins, origin) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Authorization, Last-Event-ID, Cache-Control")
	h.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkAncestor checks one of the sites that may show /embed inside their pages.
func checkAncestor(a string) error {
	if a == "*" || a == "'self'" || a == "'none'" {
		return nil
	}
	u, err := url.Parse(a)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != a || !plainHost(u.Host) {
		return fmt.Errorf("frame-ancestors %q: must be *, 'self', 'none', or scheme and host as in https://shop.example", a)
	}
	return nil
}

// plainHost says whether a host can stand in a Content-Security-Policy and be
// nothing but a host there.
func plainHost(host string) bool {
	for _, c := range []byte(host) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == ':' || c == '*') {
			return false
		}
	}
	return true
}
