package mirror

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
// If a scan finds that a copy is equal to its source, it stores a mark of the source. If the source
// is the same in the next run of the job, that run need not look at the copy. The marks of a
// directory are one field of one map of the job: 8 bytes for each file, not a key for each file.
//
// The cache does not see other writers to the destination. If the time or mode of a directory was
// changed, its marks are removed before it is corrected. So added and removed files are noticed. A
// file that was changed in place is not: use -ignore-cache for that.

// maxCached is the largest directory that is cached.
const maxCached = 30_000

// cacheName is the job's map.
const cacheName = "synced"

// cache is the part of a job's cache for one pair of trees. A nil cache is empty.
type cache struct {
	known *values.Map[[]byte]
	trees string
}

// openCache returns the cache of the task's job. It is nil if the run does not use it, or if there
// is no manager, as in tests of one handler.
func openCache(ctx context.Context, job string, t *tree) *cache {
	m, ok := syncjob.FromContext(ctx)
	if !ok || t.IgnoreCache || t.Initial || t.changesNothing() || t.operation() == OperationPut {
		return nil
	}
	pair := sha256.Sum256(fmt.Appendf(nil, "%d %s %d %s %q", len(t.src), t.src, len(t.dst), t.dst, t.CharacterMap))
	return &cache{
		known: values.NewMap[[]byte](m.Values(), store.JobScope(job), cacheName),
		trees: hex.EncodeToString(pair[:8]),
	}
}

// field returns the field of a directory of the destination.
func (c *cache) field(at string) string { return c.trees + "/" + at }

// forget removes the marks of a directory.
func (c *cache) forget(ctx context.Context, at string) error {
	if c == nil {
		return nil
	}
	return c.known.Remove(ctx, c.field(at))
}

// directory reads the marks of a directory.
func (c *cache) directory(ctx context.Context, at string) (*cachedDir, error) {
	d := &cachedDir{cache: c, at: at}
	if c == nil {
		return d, nil
	}
	packed, _, err := c.known.Get(ctx, c.field(at))
	if err != nil && !errors.Is(err, store.ErrCorrupt) { // marks that cannot be read count as unknown
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
	at    string
	known map[uint64]bool
	found []byte
	news  bool // a new mark was found
}

// sourceMark returns the mark of a file of the source with its name in the destination. It changes
// with everything that a sync compares.
func sourceMark(name, to string, src fs.FileInfo) uint64 {
	if to != name {
		name += "/" + to
	}
	sum := sha256.Sum256(
		fmt.Appendf(
			nil, "%d %d %d %d %s", src.Size(), src.ModTime().Unix(), src.ModTime().Nanosecond(), src.Mode(), name,
		),
	)
	return binary.BigEndian.Uint64(sum[:8])
}

// has reports whether an earlier scan found that the copy is equal to the file as it is now. Links
// are always compared.
func (d *cachedDir) has(name, to string, src fs.FileInfo) bool {
	return d.known != nil && src.Mode().IsRegular() && d.known[sourceMark(name, to, src)]
}

// add records that the copy of a file is equal to it.
func (d *cachedDir) add(name, to string, src fs.FileInfo) {
	if d.cache == nil || !src.Mode().IsRegular() || len(d.found) >= 8*maxCached {
		return
	}
	m := sourceMark(name, to, src)
	d.found = binary.BigEndian.AppendUint64(d.found, m)
	d.news = d.news || !d.known[m]
}

// save stores the marks for the next run, with the success of the scan, unless they are already
// known.
func (d *cachedDir) save(a *handlers.Attempt, synced handlers.Map[[]byte]) error {
	switch n := len(d.found) / 8; {
	case d.cache == nil || n >= maxCached:
		return nil
	case !d.news && n == len(d.known):
		return nil
	case n == 0:
		return synced.Remove(a, d.cache.field(d.at))
	}
	return synced.Set(a, d.cache.field(d.at), d.found)
}
