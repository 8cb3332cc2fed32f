// Package conformance judges servers of Server-Sent Events from outside: any
// server, by its URL. It asks what browsers, proxies and attackers ask, and says
// of each answer whether it is as the standards have it, with the section. Start
// at [Run]; the checks are listed by [Checks]. Package run beside it is the
// program, "go test ./conformance -args -url URL" the same as a test.
//
// It knows no server, ours neither: it shares with livemap only the reader of
// the wire format. What it cannot see from outside (memory, what is logged) it
// does not judge, and it does not measure speed.
package conformance
