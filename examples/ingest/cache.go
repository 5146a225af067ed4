package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// The sync-time cache
//
// A scan that finds a file like its source writes down what the source was like then, and the
// next run of the job need not look at the copy while the source stays the same. What
// is known of a directory is packed in one field of one map of the job: 8 bytes a file,
// never a key per file.
//
// The cache knows nothing of who else writes to the destination. A directory of which the time or
// mode was touched is forgotten before it is put right, so a file that was added or removed there
// is noticed; one whose content was changed in place is not, which is what -ignore-cache is for.

// maxCached bounds what is kept of one directory; of a larger one nothing is.
const maxCached = 30_000

// cacheName is the job's map.
const cacheName = "synced"

// cache is the part of a job's cache that is about one pair of trees. A nil cache knows nothing.
type cache struct {
	known *values.Map[[]byte]
	trees string
}

// openCache returns the cache of the job that a task belongs to; nil if the run does not
// want it, or there is no manager, as in tests of one handler.
func openCache(ctx context.Context, job string, t *tree) *cache {
	m, ok := syncjob.FromContext(ctx)
	if !ok || t.IgnoreCache || t.DryRun {
		return nil
	}
	pair := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len(t.src), t.src, t.dst))
	return &cache{
		known: values.NewMap[[]byte](m.Values(), store.JobScope(job), cacheName),
		trees: hex.EncodeToString(pair[:8]),
	}
}

func (c *cache) field(rel string) string { return c.trees + "/" + rel }

// forget drops what is known of a directory.
func (c *cache) forget(ctx context.Context, rel string) error {
	if c == nil {
		return nil
	}
	return c.known.Remove(ctx, c.field(rel))
}

// directory reads what is known of a directory.
func (c *cache) directory(ctx context.Context, rel string) (*cachedDir, error) {
	d := &cachedDir{cache: c, rel: rel}
	if c == nil {
		return d, nil
	}
	packed, _, err := c.known.Get(ctx, c.field(rel))
	if err != nil && !errors.Is(err, store.ErrCorrupt) { // what cannot be read is not known
		return nil, err
	}
	d.known = make(map[uint64]bool, len(packed)/8)
	for ; len(packed) >= 8; packed = packed[8:] {
		d.known[binary.BigEndian.Uint64(packed)] = true
	}
	return d, nil
}

// cachedDir collects what a scan finds of one directory.
type cachedDir struct {
	cache *cache
	rel   string
	known map[uint64]bool
	found []byte
	news  bool // something was found that was not known
}

// mark is what is remembered of a file: it changes with all that a sync looks at.
func mark(name string, src fs.FileInfo) uint64 {
	sum := sha256.Sum256(
		fmt.Appendf(
			nil, "%d %d %d %d %s", src.Size(), src.ModTime().Unix(), src.ModTime().Nanosecond(), src.Mode(), name,
		),
	)
	return binary.BigEndian.Uint64(sum[:8])
}

// has reports whether the copy of a file was found like it, as it is now, before. Links are always
// looked at.
func (d *cachedDir) has(name string, src fs.FileInfo) bool {
	return d.known != nil && src.Mode().IsRegular() && d.known[mark(name, src)]
}

// add notes that the copy of a file is like it.
func (d *cachedDir) add(name string, src fs.FileInfo) {
	if d.cache == nil || !src.Mode().IsRegular() || len(d.found) >= 8*maxCached {
		return
	}
	m := mark(name, src)
	d.found = binary.BigEndian.AppendUint64(d.found, m)
	d.news = d.news || !d.known[m]
}

// save keeps what was found for the next run, with the success of the scan, unless that is what was
// known.
func (d *cachedDir) save(a *handlers.Attempt, synced handlers.Map[[]byte]) error {
	switch n := len(d.found) / 8; {
	case d.cache == nil || n >= maxCached:
		return nil
	case !d.news && n == len(d.known):
		return nil
	case n == 0:
		return synced.Remove(a, d.cache.field(d.rel))
	}
	return synced.Set(a, d.cache.field(d.rel), d.found)
}
