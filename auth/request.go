package auth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// QueryParameter is the name of a token in the query (RFC 6750 section 2.3).
const QueryParameter = "access_token"

// DefaultCookie is the cookie's name unless [Options] has another. The prefix
// makes browsers refuse it from other hosts of the same domain, over plain HTTP,
// and for part of a site.
const DefaultCookie = "__Host-livemap"

// Options says where a request may carry its token, besides the header
// Authorization. The zero value takes the cookie from this server's own pages,
// and nothing from the query.
type Options struct {
	// Cookie is the cookie's name; empty: [DefaultCookie].
	Cookie string
	// Origins are those whose pages may use the cookie, besides the server's own:
	// scheme, host and port as browsers write them, https://shop.example.
	Origins []string
	// Query switches on the parameter access_token. Addresses get into logs and
	// histories: only for tokens that live for minutes.
	Query bool
}

// Validate checks the options and reports everything that is wrong.
func (o Options) Validate() error {
	var errs []error
	if o.Cookie != "" && (&http.Cookie{Name: o.Cookie}).Valid() != nil {
		errs = append(errs, fmt.Errorf("cookie %s: is not a cookie's name", quote(o.Cookie)))
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+strings.ToLower(u.Host) != origin {
			errs = append(errs, fmt.Errorf("origin %s: must be scheme and host only, as in https://shop.example, without a wildcard or a slash at the end", quote(origin)))
		}
	}
	return errors.Join(errs...)
}

// FromRequest returns the token that a request carries. It must carry exactly
// one, in one place. The error is a [*Refusal]: [ProblemMissing] when there is
// none, which a server that serves some topics to everybody may pass over; no
// other may be passed over, or a bad token would be better than a good one.
func FromRequest(r *http.Request, o Options) (string, error) {
	bearer, err := fromHeader(r.Header)
	if err != nil {
		return "", err
	}
	cookie, err := fromCookie(r, o)
	if err != nil {
		return "", err
	}
	query, inQuery, err := fromQuery(r.URL)
	if err != nil {
		return "", err
	}
	switch {
	case inQuery && !o.Query:
		return "", refuse(ProblemQueryOff, "", nil)
	case bearer != "" && (cookie != "" || inQuery), cookie != "" && inQuery:
		return "", refuse(ProblemSeveral, "", nil)
	case bearer != "":
		return bearer, nil
	case inQuery:
		return query, nil
	case cookie == "":
		return "", refuse(ProblemMissing, "", nil)
	}
	if err := checkOrigin(r, o.Origins); err != nil {
		return "", err
	}
	return cookie, nil
}

// fromHeader reads Authorization. Other schemes than Bearer are somebody else's,
// a proxy's for instance, and count as nothing.
func fromHeader(h http.Header) (string, error) {
	values := h.Values("Authorization")
	if len(values) > 1 {
		return "", refuse(ProblemSeveral, "the header Authorization stands there more than once", nil)
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	if token = strings.Trim(token, " "); token == "" {
		return "", refuse(ProblemMalformed, "the header Authorization names Bearer and has no token", nil)
	}
	return token, nil
}

// fromCookie reads the cookie. Two of one name mean that somebody, another host
// of the domain perhaps, put one beside ours.
func fromCookie(r *http.Request, o Options) (string, error) {
	name := o.Cookie
	if name == "" {
		name = DefaultCookie
	}
	found := r.CookiesNamed(name)
	if len(found) > 1 {
		return "", refuse(ProblemSeveral, "the cookie "+name+" stands there more than once", nil)
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0].Value, nil
}

// fromQuery reads the parameter access_token.
func fromQuery(u *url.URL) (token string, found bool, err error) {
	if !strings.Contains(u.RawQuery, "=") { // most requests: no need to parse
		return "", false, nil
	}
	values := u.Query()[QueryParameter]
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		if values[0] == "" {
			return "", true, refuse(ProblemMalformed, QueryParameter+" is empty", nil)
		}
		return values[0], true, nil
	}
	return "", true, refuse(ProblemSeveral, QueryParameter+" stands in the query more than once", nil)
}

// checkOrigin lets a cookie count only for pages of this server and of the
// allowed origins. Browsers send cookies along with what any page asks for; what
// page that is stands in Origin, which they put on every request whose answer
// another origin could read, and in Sec-Fetch-Site. A request with neither is
// from no browser that could be misled, or from an old one for its own origin.
func checkOrigin(r *http.Request, allowed []string) error {
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return refuse(ProblemOrigin, "the header Origin stands there more than once", nil)
	}
	if len(origins) == 1 {
		for _, a := range allowed {
			if origins[0] == a {
				return nil
			}
		}
		// The scheme cannot be compared, for TLS may have ended at a proxy; a
		// page on this host over plain HTTP has lost anyway.
		u, err := url.Parse(origins[0])
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
			return nil
		}
		return refuse(ProblemOrigin, "", fmt.Errorf("origin %s, host %s", quote(origins[0]), quote(r.Host)))
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
		return nil
	default:
		return refuse(ProblemOrigin, "", fmt.Errorf("sec-fetch-site %s without an origin", quote(site)))
	}
}

// SessionCookie makes the cookie for a token: not readable by scripts, over
// HTTPS only, not sent along from other sites. Pages of other sites (Options.Origins)
// cannot use it; they need SameSite=None, which their browsers may well block:
// better to give them a token for the header.
func SessionCookie(o Options, token string, expires time.Time) *http.Cookie {
	name := o.Cookie
	if name == "" {
		name = DefaultCookie
	}
	return &http.Cookie{
		Name:     name,
		Value:    token,
		Path:     "/",
		Expires:  expires,
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
	}
}
