// Package web holds the page: what a browser gets at / and /embed, and the
// client module at /livemap.js. The sources are in src (client, globe and
// panels; see README.md), built by Vite into dist, which is committed so that
// building livemap needs no Node. CI builds it again and compares the bytes.
//
// It serves nothing itself: routes, caching and the content security policy
// belong to package server. Names under assets/ carry a hash of their content
// and may be cached for ever; index.html, embed.html and livemap.js may not.
package web

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// ContentSecurityPolicy is the policy that the page runs under. It needs no
// inline script, no inline style and no other host.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"font-src 'self'; connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'"

// Dist returns the built page: index.html, embed.html, livemap.js,
// licenses.txt and assets/. It is read-only and safe for concurrent use.
func Dist() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil { // the name is constant and embedded: only a wrong build gets here
		panic(fmt.Sprintf("web: embedded dist: %v", err))
	}
	return sub
}
