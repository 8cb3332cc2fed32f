package runner

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Limits of a classification's files; a folder with more of them, or a larger
// one, is refused.
const (
	maxClassifications       = 1000
	maxClassificationBytes   = 2 << 30 // of one file in a bucket, which is copied to disk to be read
	maxListed                = 10_000  // objects of a folder, of whatever kind
	classificationSuffix     = ".parquet"
	lookAtFilesEvery         = 2 * time.Second
	lookAtBucketEvery        = 15 * time.Second
	bucketAnswersWithin      = time.Minute
	bucketFileArrivesWithin  = 10 * time.Minute
	classificationURLAllowed = "allowed: file:///path, s3://bucket/path or gs://bucket/path of a Parquet file or of a folder of such files"
)

// shelf is where the files of a classification lie.
type shelf interface {
	// look lists the files in the order of their names, and a text that changes when
	// one of them does.
	look(ctx context.Context) (names []string, version string, err error)
	// read calls do with the contents of a file.
	read(ctx context.Context, name string, do func(r io.ReaderAt, size int64) error) error
	// every is how often to look.
	every() time.Duration
}

// openShelf returns the shelf at an address, without looking at it.
func openShelf(ctx context.Context, address string) (shelf, error) {
	u, err := checkShelf(address)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "file" {
		return folder(u.Path), nil
	}
	b := &bucket{key: strings.TrimPrefix(u.Path, "/")}
	if u.Scheme == "s3" {
		b.store, err = openS3(u.Host, u.Query())
	} else {
		b.store, err = openGCS(ctx, u.Host, u.Query())
	}
	if err != nil {
		return nil, fmt.Errorf("classification %s: %w", address, err)
	}
	return b, nil
}

// checkShelf reports whether an address can be one.
func checkShelf(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
	case u.Scheme == "file" && u.Host == "" && u.Path != "":
		return u, nil
	case (u.Scheme == "s3" || u.Scheme == "gs") && u.Host != "":
		return u, nil
	}
	return nil, fmt.Errorf("classification %q: %s", address, classificationURLAllowed)
}

// validateShelf reports what is wrong with an address as far as that shows without
// asking anybody.
func validateShelf(address string) error {
	u, err := checkShelf(address)
	if err == nil && u.Scheme == "file" {
		if _, _, err = folder(u.Path).look(context.Background()); err != nil {
			err = fmt.Errorf("classification %q: %w", address, err)
		}
	}
	return err
}

// folder is a file, or a folder of files, of this machine.
type folder string

func (f folder) every() time.Duration { return lookAtFilesEvery }

func (f folder) look(context.Context) (names []string, version string, err error) {
	info, err := os.Stat(string(f))
	if err != nil {
		return nil, "", err
	}
	names = []string{string(f)}
	if info.IsDir() {
		if names, err = filepath.Glob(filepath.Join(string(f), "*"+classificationSuffix)); err != nil {
			return nil, "", err
		}
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return nil, "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	return names, b.String(), checkNumber(len(names))
}

func checkNumber(files int) error {
	if files == 0 || files > maxClassifications {
		return fmt.Errorf("%d files named *%s; allowed: 1 to %d", files, classificationSuffix, maxClassifications)
	}
	return nil
}

func (f folder) read(_ context.Context, name string, do func(io.ReaderAt, int64) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return do(file, info.Size())
}

// object is a file of an object store in one of its versions.
type object struct {
	key     string
	size    int64
	version string // changes with the contents
}

// store is a bucket of an object store.
type store interface {
	// list returns the objects whose keys begin with prefix and have no further
	// slash, at most most of them.
	list(ctx context.Context, prefix string, most int) ([]object, error)
	// get opens an object in the version listed, and no other.
	get(ctx context.Context, o object) (io.ReadCloser, error)
}

// bucket is an object, or those with a common beginning, of an object store.
type bucket struct {
	store store
	key   string // of an object, or the path of a folder

	seen map[string]object // by key, as looked at last
}

func (b *bucket) every() time.Duration { return lookAtBucketEvery }

func (b *bucket) look(ctx context.Context) (names []string, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, bucketAnswersWithin)
	defer cancel()
	single := strings.HasSuffix(b.key, classificationSuffix)
	prefix := b.key
	if !single && prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/") + "/"
	}
	list, err := b.store.list(ctx, prefix, maxListed)
	if err != nil {
		return nil, "", err
	}
	b.seen = map[string]object{}
	var said strings.Builder
	for _, o := range list {
		if strings.HasSuffix(o.key, classificationSuffix) && (!single || o.key == b.key) {
			names = append(names, o.key)
			b.seen[o.key] = o
			fmt.Fprintf(&said, "%s %d %s\n", o.key, o.size, o.version)
		}
	}
	if single && len(names) == 0 {
		return nil, "", fmt.Errorf("object %s: %w", b.key, fs.ErrNotExist)
	}
	slices.Sort(names)
	return names, said.String(), checkNumber(len(names))
}

// read copies an object to disk first: who reads Parquet goes back and forth.
func (b *bucket) read(ctx context.Context, name string, do func(io.ReaderAt, int64) error) error {
	ctx, cancel := context.WithTimeout(ctx, bucketFileArrivesWithin)
	defer cancel()
	o := b.seen[name]
	if o.size > maxClassificationBytes {
		return fmt.Errorf("has %d bytes; allowed: %d", o.size, int64(maxClassificationBytes))
	}
	r, err := b.store.get(ctx, o)
	if err != nil {
		return err
	}
	defer r.Close()
	file, err := os.CreateTemp("", "livemap-classification-*")
	if err != nil {
		return err
	}
	defer func() {
		_ = file.Close()
		_ = os.Remove(file.Name())
	}()
	n, err := io.Copy(file, io.LimitReader(r, o.size+1))
	if err == nil && n != o.size {
		err = fmt.Errorf("%d of %d bytes arrived", n, o.size)
	}
	if err != nil {
		return err
	}
	return do(file, n)
}
