package auth

import (
	"testing"
	"time"
)

// A token is never given the permit of another, wherever both are looked for.
func TestCacheTellsTokensOfOnePlaceApart(t *testing.T) {
	c := newCache(1 << 20)
	var one, other tokenHash
	one[31], other[31] = 1, 2
	if one.place() != other.place() {
		t.Fatal("two places")
	}
	first, second := &cached{token: one, permit: Permit{Subject: "one"}}, &cached{token: other, permit: Permit{Subject: "other"}}
	c.put(first, 1)
	if p := c.get(other, 1, time.Now()); p != nil {
		t.Fatalf("a token that nobody showed has the permit of %q", p.Subject)
	}
	c.put(second, 1)
	if p := c.get(one, 1, time.Now()); p != nil {
		t.Errorf("the token that was replaced has the permit of %q", p.Subject)
	}
	if p := c.get(other, 1, time.Now()); p != &second.permit {
		t.Errorf("the later one has %v", p)
	}
	if n, bytes := c.size(); n != 1 || bytes != second.size() {
		t.Errorf("%d entries of %d bytes", n, bytes)
	}
}
