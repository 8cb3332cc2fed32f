package auth

import (
	"net/url"
	"strings"
)

// redacted stands in logs where a token stood.
const redacted = "REDACTED"

// Redact makes an address, or the path and query of a request, fit for logs: the
// value of every parameter named access_token, however it is written, and of any
// that looks like a JSON Web Token is replaced, and so is a password before the
// host.
//
// It works on the text, not on a parsed URL: what does not parse must not leak
// either.
func Redact(address string) string {
	rest, fragment, hasFragment := strings.Cut(address, "#")
	path, query, hasQuery := strings.Cut(rest, "?")
	out := redactPath(redactUser(path))
	if hasQuery {
		out += "?" + redactPairs(query)
	}
	if hasFragment {
		out += "#" + redactPairs(fragment)
	}
	return out
}

// redactUser replaces what stands between // and the last @ of the host.
func redactUser(s string) string {
	start := strings.Index(s, "//")
	if start < 0 {
		return s
	}
	host, _, _ := strings.Cut(s[start+2:], "/")
	at := strings.LastIndexByte(host, '@')
	if at < 0 {
		return s
	}
	return s[:start+2] + redacted + s[start+2+at:]
}

func redactPath(s string) string {
	parts := strings.Split(s, "/")
	for i, p := range parts {
		if looksLikeToken(p) {
			parts[i] = redacted
		}
	}
	return strings.Join(parts, "/")
}

// redactPairs takes & and ; as separators: browsers and servers differ.
func redactPairs(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		pair, separator := s, ""
		if i := strings.IndexAny(s, "&;"); i >= 0 {
			pair, separator = s[:i], s[i:i+1]
		}
		s = s[len(pair)+len(separator):]
		name, value, has := strings.Cut(pair, "=")
		if has && (isTokenName(name) || looksLikeToken(value)) {
			value = redacted
		}
		if looksLikeToken(name) {
			name = redacted
		}
		b.WriteString(name)
		if has {
			b.WriteString("=" + value)
		}
		b.WriteString(separator)
	}
	return b.String()
}

// isTokenName compares a parameter's name, escapes undone, with access_token. A
// name whose escapes are broken is taken for it.
func isTokenName(name string) bool {
	plain, err := url.QueryUnescape(name)
	return err != nil || strings.EqualFold(strings.TrimSpace(plain), QueryParameter)
}

// looksLikeToken finds {" in base64url, which every JSON Web Token begins with,
// as it stands or with escapes undone.
func looksLikeToken(s string) bool {
	const begins = "eyJ"
	if strings.Contains(s, begins) { // an escape before it may take its first letter: %0eyJ
		return true
	}
	plain, err := url.QueryUnescape(s)
	return err == nil && strings.Contains(plain, begins)
}
