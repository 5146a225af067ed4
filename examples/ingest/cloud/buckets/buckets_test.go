package buckets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	_ "gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob"
	_ "gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"github.com/rollcall-go/rollcall/examples/ingest/command"
	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
)

// backend is a bucket to test with.
type backend struct {
	t      *testing.T
	opener *Opener
	src    string // the URL of the source
	bucket *blob.Bucket
	memory *s3mem.Backend // of the S3 server
	prefix string
	dst    string
}

// backends runs a test with an S3 server of its own, and with the file driver.
func backends(t *testing.T, test func(b *backend)) {
	var memory *s3mem.Backend
	server := func(t *testing.T) string {
		t.Setenv("AWS_ACCESS_KEY_ID", "id")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		memory = s3mem.New()
		require.NoError(t, memory.CreateBucket("bucket"))
		s := httptest.NewServer(gofakes3.New(memory).Server())
		t.Cleanup(s.Close)
		return "region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(s.URL)
	}
	for name, open := range map[string]func(t *testing.T) (src, bucket, prefix string){
		"S3": func(t *testing.T) (string, string, string) {
			query := server(t)
			return "s3://bucket?" + query, "s3://bucket?" + query, ""
		},
		"S3 with a prefix": func(t *testing.T) (string, string, string) {
			query := server(t)
			return "s3://bucket/some/prefix/?" + query, "s3://bucket?" + query, "some/prefix/"
		},
		"files": func(t *testing.T) (string, string, string) {
			at := "file://" + t.TempDir() + "?no_tmp_dir=true&metadata=skip"
			return at, at, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			src, at, prefix := open(t)
			bucket, err := blob.OpenBucket(t.Context(), at)
			require.NoError(t, err)
			b := &backend{
				t: t, opener: new(Opener), src: src, bucket: bucket, memory: memory, prefix: prefix,
				dst: filepath.Join(t.TempDir(), "dst"),
			}
			t.Cleanup(func() { require.NoError(t, errors.Join(bucket.Close(), b.opener.Close())) })
			test(b)
		})
	}
}

func (b *backend) write(key, content string) {
	b.t.Helper()
	require.NoError(b.t, b.bucket.WriteAll(b.t.Context(), b.prefix+key, []byte(content), nil))
}

// ingest runs the program and returns what it printed.
func (b *backend) ingest(args ...string) (status int, printed string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"start", "-src", b.src, "-dst", b.dst}, args...)
	status = command.Run(b.t.Context(), args, &out, &errs, mirror.Config{Open: b.opener.Open})
	return status, out.String() + errs.String()
}

// copied reads the destination.
func (b *backend) copied() map[string]string {
	b.t.Helper()
	found := make(map[string]string)
	require.NoError(b.t, filepath.WalkDir(b.dst, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(b.dst, path)
		found[rel] = string(content)
		return err
	}))
	return found
}

func TestABucketIsCopiedAndWhatVanishedIsDeleted(t *testing.T) {
	backends(t, func(b *backend) {
		large := strings.Repeat("0123456789", 100_000)
		want := map[string]string{"file": "x", "empty": "", "dir/large": large, "dir/sub/file": "y", "dir/ü %?&": "z"}
		for key, content := range want {
			b.write(key, content)
		}
		status, printed := b.ingest("-delete", "delete")
		require.Zero(t, status, printed)
		require.Contains(t, printed, "files: 5 copied (1000003 bytes), 0 unchanged (0 with a new mode), 0 failed")
		require.Equal(t, want, b.copied())
		_, printed = b.ingest("-delete", "delete")
		require.Contains(t, printed, "0 copied (0 bytes), 5 unchanged")

		require.NoError(t, b.bucket.Delete(t.Context(), b.prefix+"dir/large"))
		require.NoError(t, b.bucket.Delete(t.Context(), b.prefix+"dir/sub/file"))
		b.write("file", "longer")
		foreign := filepath.Join(b.dst, "dir/foreign")
		require.NoError(t, os.WriteFile(foreign, nil, 0o600))
		_, printed = b.ingest("-delete", "delete")
		require.Contains(t, printed, "1 copied (6 bytes), 2 unchanged")
		require.Contains(t, printed, "2 deleted")
		delete(want, "dir/large")
		delete(want, "dir/sub/file")
		want["file"], want["dir/foreign"] = "longer", ""
		require.Equal(t, want, b.copied())
		require.NoDirExists(t, filepath.Join(b.dst, "dir/sub"))

		require.NoError(t, b.bucket.Delete(t.Context(), b.prefix+"file"))
		b.write("file/is a directory", "x")
		status, printed = b.ingest("-delete", "delete")
		require.Zero(t, status, printed)
		delete(want, "file")
		want["file/is a directory"] = "x"
		require.Equal(t, want, b.copied())
	})
}

func TestASourceSaysThatAnEntryIsMissingOnlyIfItIs(t *testing.T) {
	backends(t, func(b *backend) {
		b.write("dir/sub/file", "content")
		source, err := b.opener.Open(t.Context(), b.src)
		require.NoError(t, err)
		for path, dir := range map[string]bool{"": true, "dir": true, "dir/sub": true, "dir/sub/file": false} {
			info, err := source.Stat(t.Context(), path)
			require.NoError(t, err, path)
			require.Equal(t, dir, info.IsDir(), path)
			require.Equal(t, dir, info.ModTime().IsZero())
		}
		for _, path := range []string{"di", "dir/", "dir/su", "dir/sub/file/x", "other"} {
			_, err = source.Stat(t.Context(), path)
			if path == "dir/" {
				continue // not a path
			}
			require.ErrorIs(t, err, fs.ErrNotExist, path)
		}
		f, err := source.Open(t.Context(), "dir/sub/file")
		require.NoError(t, err)
		for _, at := range []int64{0, 3, 6, 0} {
			p := make([]byte, 3)
			n, err := f.ReadAt(p, at)
			require.Equal(t, "content"[at:min(at+3, 7)], string(p[:n]))
			if at == 6 {
				require.ErrorIs(t, err, io.EOF)
			}
		}
		_, err = f.ReadAt(make([]byte, 1), 7)
		require.ErrorIs(t, err, io.EOF)
		require.NoError(t, f.Close())
	})
}

func TestABucketOrPrefixThatIsNotThereIsNoEmptySource(t *testing.T) {
	backends(t, func(b *backend) {
		b.write("file", "x")
		_, printed := b.ingest("-delete", "delete")
		require.Contains(t, printed, "1 copied")
		if !strings.HasPrefix(b.src, "s3:") {
			return
		}
		for _, src := range []string{
			strings.Replace(b.src, "s3://bucket", "s3://other", 1), strings.Replace(b.src, "?", "/no/such/prefix?", 1),
		} {
			before := b.copied()
			src, b.src = b.src, src
			status, printed := b.ingest("-delete", "delete")
			require.Equal(t, 1, status, printed)
			require.Equal(t, before, b.copied())
			b.src = src
		}
		source, err := b.opener.Open(t.Context(), strings.Replace(b.src, "s3://bucket", "s3://other", 1))
		require.NoError(t, err)
		_, err = source.Stat(t.Context(), "file")
		require.Error(t, err)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	})
}

// keys is a bucket that has only a listing: many objects, made up page by page.
type keys struct {
	driver.Bucket
	list  []string // or
	count int
	pages int
}

func (k *keys) ListPaged(_ context.Context, opts *driver.ListOptions) (*driver.ListPage, error) {
	k.pages++
	page := &driver.ListPage{}
	if k.list != nil {
		for _, key := range k.list {
			page.Objects = append(page.Objects, &driver.ListObject{Key: key, IsDir: strings.HasSuffix(key, "/")})
		}
		return page, nil
	}
	first := 0
	if len(opts.PageToken) > 0 {
		if _, err := fmt.Sscan(string(opts.PageToken), &first); err != nil {
			return nil, err
		}
	}
	last := min(k.count, first+1000)
	for n := first; n < last; n++ {
		page.Objects = append(page.Objects, &driver.ListObject{Key: fmt.Sprintf("object-%09d", n), Size: 1, ModTime: time.Unix(1, 0)})
	}
	if last < k.count {
		page.NextPageToken = []byte(fmt.Sprint(last))
	}
	return page, nil
}

func (*keys) Close() error                       { return nil }
func (*keys) ErrorCode(error) gcerrors.ErrorCode { return gcerrors.Unknown }

func TestAMillionKeysAreListedInBoundedMemory(t *testing.T) {
	k := &keys{count: 1_000_000}
	bucket := blob.NewBucket(k)
	defer func() { require.NoError(t, bucket.Close()) }()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, n := heap(), uint64(0), 0
	for e, err := range New(bucket, "", "").List(t.Context(), "") {
		require.NoError(t, err)
		if n++; n%100_000 == 0 {
			require.True(t, e.Type().IsRegular())
			most = max(most, heap())
		}
	}
	require.Equal(t, k.count, n)
	require.Equal(t, k.count/1000, k.pages)
	require.Less(t, most, before+4<<20)
}

func TestKeysThatAreNoPathsHaveNoPlace(t *testing.T) {
	b := blob.NewBucket(&keys{list: []string{".", "..", "../", "./", "/", "a", "a!", "a!/", "a-/", "a/", "b/", "b0"}})
	defer func() { require.NoError(t, b.Close()) }()
	types := make(map[string][]fs.FileMode)
	for e, err := range New(b, "", "").List(t.Context(), "") {
		require.NoError(t, err)
		types[e.Name()] = append(types[e.Name()], e.Type())
	}
	irregular := fs.ModeIrregular
	require.Equal(t, map[string][]fs.FileMode{
		".": {irregular, irregular}, "..": {irregular, irregular}, "": {irregular}, "a": {0, irregular}, "a!": {0, irregular},
		"a-": {fs.ModeDir}, "b": {fs.ModeDir}, "b0": {0},
	}, types)
}

func TestNoKeyLeavesTheDestination(t *testing.T) {
	backends(t, func(b *backend) {
		if !strings.HasPrefix(b.src, "s3:") {
			return
		}
		for _, key := range []string{"ok", "../escape", "dir/../../escape", "dir//empty", "./dot", "a", "a/below", "marked/"} {
			_, err := b.memory.PutObject("bucket", b.prefix+key, nil, strings.NewReader("x"), 1, nil)
			require.NoError(t, err)
		}
		status, printed := b.ingest()
		require.Zero(t, status, printed)
		require.Contains(t, printed, `failed: "s3://bucket/`+b.prefix+`dir/.."`)
		require.Equal(t, map[string]string{"ok": "x", "a": "x"}, b.copied())
		require.DirExists(t, filepath.Join(b.dst, "marked"), printed)
		left, err := os.ReadDir(filepath.Dir(b.dst))
		require.NoError(t, err)
		require.Len(t, left, 1)
	})
}
