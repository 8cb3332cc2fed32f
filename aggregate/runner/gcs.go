package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// gcs is a bucket of Google Cloud Storage, by its JSON interface:
// https://cloud.google.com/storage/docs/json_api/v1/objects
type gcs struct {
	client *http.Client
	base   string
	bucket string
}

const (
	gcsBase  = "https://storage.googleapis.com"
	gcsScope = "https://www.googleapis.com/auth/devstorage.read_only"
	// gcsEmulator names the variable by which Google's own libraries are led to
	// another server, which asks for no credentials.
	gcsEmulator    = "STORAGE_EMULATOR_HOST"
	maxErrorBytes  = 4 << 10
	maxListedBytes = 8 << 20 // of one page of a listing
)

// openGCS returns a bucket. The option anonymous is for public ones; otherwise
// credentials are Google's application default ones.
func openGCS(ctx context.Context, name string, options url.Values) (*gcs, error) {
	g := &gcs{client: http.DefaultClient, base: gcsBase, bucket: name}
	if host := os.Getenv(gcsEmulator); host != "" {
		if g.base = strings.TrimSuffix(host, "/"); !strings.Contains(host, "://") {
			g.base = "http://" + g.base
		}
		return g, nil
	}
	if options.Get("anonymous") == "true" {
		return g, nil
	}
	tokens, err := google.DefaultTokenSource(ctx, gcsScope)
	if err != nil {
		return nil, err
	}
	g.client = oauth2.NewClient(ctx, tokens)
	return g, nil
}

func (g *gcs) list(ctx context.Context, prefix string, most int) ([]object, error) {
	var list []object
	for page := ""; ; {
		q := url.Values{
			"prefix": {prefix}, "delimiter": {"/"}, "pageToken": {page},
			"fields": {"nextPageToken,items(name,size,generation)"},
		}
		body, err := g.ask(ctx, "/storage/v1/b/"+url.PathEscape(g.bucket)+"/o?"+q.Encode())
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", g.bucket, err)
		}
		var answer struct {
			Next  string `json:"nextPageToken"`
			Items []struct {
				Name       string `json:"name"`
				Size       int64  `json:"size,string"`
				Generation string `json:"generation"`
			} `json:"items"`
		}
		err = json.NewDecoder(io.LimitReader(body, maxListedBytes)).Decode(&answer)
		_ = body.Close()
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", g.bucket, err)
		}
		for _, o := range answer.Items {
			list = append(list, object{key: o.Name, size: o.Size, version: o.Generation})
		}
		if len(list) > most {
			return nil, fmt.Errorf("bucket %s has more than %d objects there", g.bucket, most)
		}
		if page = answer.Next; page == "" {
			return list, nil
		}
	}
}

func (g *gcs) get(ctx context.Context, o object) (io.ReadCloser, error) {
	return g.ask(ctx, "/storage/v1/b/"+url.PathEscape(g.bucket)+"/o/"+url.PathEscape(o.key)+"?alt=media&generation="+url.QueryEscape(o.version))
}

// ask returns the body of a good answer.
func (g *gcs) ask(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes)) // for the message only
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: %s", resp.Status, said)
	}
	return resp.Body, nil
}
