package auth

import (
	"net/http"
	"strings"
)

// Problem is why somebody was refused: a closed set, used in answers, in logs
// and as a metric label.
type Problem string

// The problems. What each means, its status and what to do about it stand in
// the table below and in docs/tokens.md.
const (
	ProblemMissing     Problem = "token_missing"
	ProblemSeveral     Problem = "token_several"
	ProblemQueryOff    Problem = "token_in_query_off"
	ProblemOrigin      Problem = "origin"
	ProblemMalformed   Problem = "token_malformed"
	ProblemSignature   Problem = "token_signature"
	ProblemExpired     Problem = "token_expired"
	ProblemNotYet      Problem = "token_not_yet_valid"
	ProblemIssuer      Problem = "token_issuer"
	ProblemAudience    Problem = "token_audience"
	ProblemClaims      Problem = "token_claims"
	ProblemRevoked     Problem = "token_revoked"
	ProblemGrant       Problem = "token_grants_nothing"
	ProblemTopic       Problem = "topic_forbidden"
	ProblemKey         Problem = "key_forbidden"
	ProblemUnavailable Problem = "keys_unavailable"
)

// problems holds what is said to the outside about each problem: a fixed text
// that helps whoever built the page and holds nothing of keys or of what would
// have been accepted. Everything up to the signature is one problem, for its
// parts (which algorithm, which key) are what an attacker would try out.
var problems = []struct {
	problem Problem
	status  int
	oauth   string // error code of RFC 6750 section 3.1; none where no token was shown
	says    string // in the characters that error_description may hold
}{
	{ProblemMissing, http.StatusUnauthorized, "", "a token is needed: send it as Authorization: Bearer, or in the session cookie"},
	{ProblemSeveral, http.StatusBadRequest, "invalid_request", "send exactly one token, in one place"},
	{ProblemQueryOff, http.StatusBadRequest, "invalid_request", "this server takes no token from the query: send it as Authorization: Bearer, or in the session cookie"},
	{ProblemOrigin, http.StatusForbidden, "", "the session cookie does not count for requests from this origin: add it to the allowed origins of the server, or send Authorization: Bearer"},
	{ProblemMalformed, http.StatusUnauthorized, "invalid_token", "this is not a JSON Web Token that this server can read"},
	{ProblemSignature, http.StatusUnauthorized, "invalid_token", "no key of this server verifies the token: compare key, algorithm and kid with livemap token inspect"},
	{ProblemExpired, http.StatusUnauthorized, "invalid_token", "the token has expired: get a new one"},
	{ProblemNotYet, http.StatusUnauthorized, "invalid_token", "the token is not valid yet: compare the clock of its issuer, nbf"},
	{ProblemIssuer, http.StatusUnauthorized, "invalid_token", "the token is from another issuer, iss, than this server accepts"},
	{ProblemAudience, http.StatusUnauthorized, "invalid_token", "the token is meant for another audience, aud, than this server"},
	{ProblemClaims, http.StatusUnauthorized, "invalid_token", "the claims of the token are not what this server accepts: see livemap token inspect"},
	{ProblemRevoked, http.StatusUnauthorized, "invalid_token", "the token has been revoked"},
	{ProblemGrant, http.StatusForbidden, "insufficient_scope", "the token grants nothing: its claim livemap names no topics"},
	{ProblemTopic, http.StatusForbidden, "insufficient_scope", "the token does not permit a topic that the request names"},
	{ProblemKey, http.StatusForbidden, "insufficient_scope", "the token does not permit a key that the request names"},
	{ProblemUnavailable, http.StatusServiceUnavailable, "", "the server has no keys to verify tokens with yet: try again shortly"},
}

// Problems returns all problems there are.
func Problems() []Problem {
	all := make([]Problem, len(problems))
	for i, p := range problems {
		all[i] = p.problem
	}
	return all
}

// Refusal is the error of everything in this package that says no to a request.
type Refusal struct {
	Problem Problem
	// Detail is for whoever sent the request: what to fix. It holds what they
	// sent, or what a token with a good signature says, and nothing else.
	Detail string
	// Cause is for the log of the server only. It may be nil.
	Cause error
}

// refuse makes a Refusal; without a detail it gets the fixed text of the problem.
func refuse(p Problem, detail string, cause error) *Refusal {
	if detail == "" {
		detail = entry(p).says
	}
	return &Refusal{Problem: p, Detail: detail, Cause: cause}
}

// entry returns the row of a problem.
func entry(p Problem) (e struct {
	problem Problem
	status  int
	oauth   string
	says    string
}) {
	for _, e := range problems {
		if e.problem == p {
			return e
		}
	}
	e.problem, e.status, e.says = p, http.StatusForbidden, "refused"
	return e
}

// Revocation is the refusal of a permit that [Permit.Revoked] says no longer
// counts, for those who ask after they admitted somebody.
func Revocation() *Refusal { return refuse(ProblemRevoked, "", nil) }

// Error implements error, for logs.
func (r *Refusal) Error() string {
	if r.Cause == nil {
		return string(r.Problem) + ": " + r.Detail
	}
	return string(r.Problem) + ": " + r.Cause.Error()
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Status is the HTTP status to answer with: 400, 401, 403, or 503 with
// Retry-After when it is the server that lacks something.
func (r *Refusal) Status() int { return entry(r.Problem).status }

// Challenge is the value of the header WWW-Authenticate (RFC 6750 section 3),
// for every status but 503. Realm must hold no quotation mark.
func (r *Refusal) Challenge(realm string) string {
	e := entry(r.Problem)
	if e.status == http.StatusServiceUnavailable {
		return ""
	}
	var b strings.Builder
	b.WriteString(`Bearer realm="` + realm + `"`)
	if e.oauth != "" {
		b.WriteString(`, error="` + e.oauth + `", error_description="` + e.says + `"`)
	}
	return b.String()
}
