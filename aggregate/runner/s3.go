package runner

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3 is a bucket of Amazon S3 or of another server that speaks its protocol.
type s3 struct {
	client *minio.Client
	bucket string
}

// openS3 returns a bucket. Options are region, endpoint (a URL; default Amazon's),
// use_path_style and anonymous. Credentials are found as Amazon's own tools do: the
// environment, then the file of profiles, then the role of the machine.
func openS3(name string, options url.Values) (*s3, error) {
	at := &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}
	if e := options.Get("endpoint"); e != "" {
		var err error
		if at, err = url.Parse(e); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
			return nil, fmt.Errorf("endpoint %q: must be a URL such as https://host:port", e)
		}
	}
	o := &minio.Options{
		Secure: at.Scheme == "https", Region: options.Get("region"),
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		}),
	}
	if options.Get("use_path_style") == "true" {
		o.BucketLookup = minio.BucketLookupPath
	}
	if options.Get("anonymous") == "true" {
		o.Creds = credentials.NewStaticV4("", "", "")
	}
	client, err := minio.New(at.Host, o)
	if err != nil {
		return nil, err
	}
	return &s3{client: client, bucket: name}, nil
}

func (s *s3) list(ctx context.Context, prefix string, most int) ([]object, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listing that is not read to its end
	var list []object
	for o := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", s.bucket, o.Err)
		}
		if strings.HasSuffix(o.Key, "/") {
			continue
		}
		if list = append(list, object{key: o.Key, size: o.Size, version: o.ETag}); len(list) > most {
			return nil, fmt.Errorf("bucket %s has more than %d objects there", s.bucket, most)
		}
	}
	return list, nil
}

func (s *s3) get(ctx context.Context, o object) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if err := options.SetMatchETag(o.version); err != nil {
		return nil, err
	}
	return s.client.GetObject(ctx, s.bucket, o.key, options)
}
