// Package buckets makes the objects of a bucket a source for package mirror.
package buckets

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"gocloud.dev/blob"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
)

// Opener opens buckets by their URLs, each once. The program imports the drivers of the schemes. The
// zero Opener is ready. It may be used concurrently.
type Opener struct {
	mu   sync.Mutex
	open map[string]*blob.Bucket
}

// Open implements [mirror.Opener]. The path of a URL is a prefix of the keys that ends at a slash,
// except with the scheme file, where it is the bucket.
func (o *Opener) Open(ctx context.Context, src string) (mirror.Source, error) {
	u, err := url.Parse(src)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(src, "?")
	prefix := ""
	if u.Scheme != "file" {
		if prefix = strings.Trim(u.Path, "/"); prefix != "" {
			prefix += "/"
		}
		u.Path, u.RawPath = "", ""
	}
	bucket, err := o.bucket(ctx, u.String())
	if err != nil {
		return nil, fmt.Errorf("open the bucket: %w", err)
	}
	return New(bucket, strings.TrimSuffix(name, "/"), prefix), nil
}

func (o *Opener) bucket(ctx context.Context, at string) (*blob.Bucket, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if b, ok := o.open[at]; ok {
		return b, nil
	}
	// It is for all tasks, so it must not end with the context of this one.
	b, err := blob.OpenBucket(context.WithoutCancel(ctx), at)
	if err != nil {
		return nil, err
	}
	if o.open == nil {
		o.open = make(map[string]*blob.Bucket)
	}
	o.open[at] = b
	return b, nil
}

// Close closes all buckets.
func (o *Opener) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var problems []error
	for at, b := range o.open {
		problems = append(problems, b.Close())
		delete(o.open, at)
	}
	return errors.Join(problems...)
}
