package server

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// problem is an answer of RFC 9457. Its detail is written for whoever built the
// request and holds nothing of the server's inside.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Code is the auth.Problem of a refusal at the door: docs/tokens.md.
	Code string `json:"code,omitempty"`

	allow string // of 405
}

// refuse makes a problem. The title is the status's own, as RFC 9457 asks for
// where the type is about:blank.
func refuse(status int, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

// Error implements error.
func (p *problem) Error() string { return strconv.Itoa(p.Status) + " " + p.Detail }

// body returns the problem as JSON.
func (p *problem) body() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("server: encoding a problem: " + err.Error()) // strings and a number
	}
	return append(b, '\n')
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	b := p.body()
	head := w.Header()
	head.Set("Content-Type", "application/problem+json")
	head.Set("Content-Length", strconv.Itoa(len(b)))
	head.Set("Cache-Control", "no-store")
	if p.allow != "" {
		head.Set("Allow", p.allow)
	}
	if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests {
		head.Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	w.Write(b) //nolint:errcheck // the client is gone: there is nobody to tell
}
