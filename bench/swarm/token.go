package swarm

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// tokenLife is longer than any measurement.
const tokenLife = 24 * time.Hour

// token returns a JSON Web Token (RFC 7519, HS256) of a subject, which permits
// one topic.
func token(secret []byte, subject, topic string, now time.Time) string {
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
		encode(fmt.Appendf(nil, `{"sub":%q,"exp":%d,"livemap":{"topics":[%q]}}`, subject, now.Add(tokenLife).Unix(), topic))
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte(signed))
	return signed + "." + encode(sum.Sum(nil))
}
