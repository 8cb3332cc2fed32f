package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// minGzip is the size below which compression is not worth its header.
const minGzip = 512

// page serves the files of the web page from memory, where each lies ready
// twice: as it is and compressed.
type page struct {
	files  map[string]*asset // by URL path
	policy string            // Content-Security-Policy
	framed string            // its frame-ancestors for what may be inside other pages
}

// asset is one file of the page.
type asset struct {
	body    []byte
	gzipped []byte // nil: not smaller
	etag    string
	kind    string // media type
	// hashed says that the name changes with the content.
	hashed bool
	frames bool // may be shown inside other pages
}

// newPage reads all files. index.html is also the page at /, embed.html that at
// /embed; the branding adds its own.
func newPage(files fs.FS, policy string, ancestors []string, branding Branding) (*page, error) {
	own, err := branding.assets()
	if err != nil {
		return nil, fmt.Errorf("the page's branding: %w", err)
	}
	p := &page{files: own, policy: policy, framed: strings.Join(ancestors, " ")}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		a, err := newAsset(name, body)
		if err != nil {
			return err
		}
		switch name {
		case "index.html":
			p.files["/"] = a
		case "embed.html":
			a.frames = true
			p.files["/embed"] = a
		default:
			p.files["/"+name] = a
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	return p, nil
}

func newAsset(name string, body []byte) (*asset, error) {
	a := &asset{body: body, etag: etagOf(body), kind: mediaType(name), hashed: strings.HasPrefix(name, "assets/")}
	if len(body) < minGzip || !compressible(a.kind) {
		return a, nil
	}
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if b.Len() < len(body) {
		a.gzipped = b.Bytes()
	}
	return a, nil
}

// mediaType does not ask the machine's own table, which differs from one to the
// next, for the types that matter.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json", ".map":
		return "application/json"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}

func compressible(kind string) bool {
	return strings.HasPrefix(kind, "text/") || kind == "image/svg+xml" || kind == "application/json"
}

// etagOf returns a strong validator: the same content has the same on every pod.
func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`
}

// serve answers with a file.
func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	a := p.files[r.URL.Path]
	if a == nil {
		refuse(http.StatusNotFound, "there is nothing at this path").write(w)
		return
	}
	h := w.Header()
	ancestors := "'none'"
	if a.frames {
		ancestors = p.framed
	}
	h.Set("Content-Security-Policy", p.policy+"; frame-ancestors "+ancestors)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	if a.hashed {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if path.Base(r.URL.Path) == "livemap.js" || a.hashed {
		h.Set("Access-Control-Allow-Origin", "*") // a module of another site's page; it holds nothing of anyone
	}
	etag := a.etag
	body := a.body
	if a.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			body = a.gzipped
			etag = strings.TrimSuffix(etag, `"`) + `-gzip"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", etag)
	if matchesETag(r.Header.Values("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) //nolint:errcheck // the client is gone: there is nobody to tell
}

// acceptsGzip says whether Accept-Encoding names gzip with a weight above zero.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !refused(params)
		}
	}
	return false
}
