package mirror

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// The environment makes the test longer: how many seeds, with more deaths, and a tree to begin with.
const (
	seedsEnv = "ROLLCALL_SYNC_SEEDS"
	treeEnv  = "ROLLCALL_SYNC_TREE"
)

// A source changes between runs, in all ways that there are, while workers die and directories
// cannot be read. At each quiet moment its copy is like it, what somebody else put into the
// destination is as it was, and a hook was called after each change.
func TestADayOfChanges(t *testing.T) {
	seeds, ends, large := 2, int64(1), os.Getenv(treeEnv) != ""
	if text := os.Getenv(seedsEnv); text != "" {
		var err error
		seeds, err = strconv.Atoi(text)
		require.NoError(t, err)
		ends = 5
	}
	server := redistest.Start(t, nil)
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			newDay(t, server.URL(), uint64(seed), ends, large).pass()
		})
	}
}

// day is the source, the copy and the workers of one seed.
type day struct {
	*trees
	rand    *rand.Rand
	manager *syncjob.Manager
	job     syncjob.Job
	faults  string // the file with what cannot be read
	hooks   string // the file with the hooks that were called
	changes int    // so far
	lists   map[string]*listing
	theirs  map[string]treetest.Entry
	ends    int64 // of workers that are left; each takes as long as others need to hear of it
	deleted int64
	workers []*worker
}

// What a day has.
const (
	rounds         = 4
	changesInRound = 40
)

func newDay(t *testing.T, url string, seed uint64, ends int64, large bool) *day {
	d := &day{trees: newTrees(t), rand: rand.New(rand.NewPCG(seed, 0)), theirs: make(map[string]treetest.Entry)}
	d.faults, d.hooks = filepath.Join(filepath.Dir(d.Src), "faults"), filepath.Join(filepath.Dir(d.Src), "hooks")
	require.NoError(t, os.WriteFile(d.faults, nil, 0o600))
	set := deleting
	if seed%2 == 1 {
		set = d.toTrash
	}
	namespace := fmt.Sprintf("day-%d", seed)
	registry, err := NewRegistry(Config{})
	require.NoError(t, err)
	d.manager, err = open(t.Context(), url, syncjob.Config{Registry: registry, Namespace: namespace})
	require.NoError(t, err)
	d.job = syncjob.Job{Name: "day", Set: SetName, Root: d.args(set)}
	d.ends = ends
	mortal := rand.New(rand.NewPCG(seed, 1))
	healthy := order{URL: url, Namespace: namespace, Faults: d.faults, Hooks: d.hooks}
	d.workers = []*worker{
		startWorker(t, func() order {
			o := healthy
			if d.ends--; d.ends < 0 {
				return o
			}
			moments := int64(400)
			if large {
				moments <<= mortal.IntN(7)
			}
			at := 1 + mortal.Int64N(moments)
			if (int64(seed)+d.ends)%2 == 0 {
				o.DieAt = at
			} else {
				o.PauseAt = at
			}
			return o
		}),
		startWorker(t, func() order { return healthy }),
	}
	t.Cleanup(func() { require.NoError(t, d.manager.Close()) })
	return d
}

func (d *day) pass() {
	if tree := os.Getenv(treeEnv); tree != "" {
		require.NoError(d.T, os.CopyFS(d.Src, os.DirFS(tree)))
	}
	for range 100 {
		d.create(d.path())
	}
	for range rounds {
		d.lists = make(map[string]*listing)
		for range changesInRound {
			d.change()
		}
		d.sync(d.makeUnreadable())
	}
	for path := range d.theirs {
		require.NoError(d.T, os.Remove(filepath.Join(d.Dst, path)))
		delete(d.theirs, path)
	}
	d.sync(nil)
	died := 0
	for _, w := range d.workers {
		died += w.end()
	}
	d.T.Logf("%d deaths, %d files deleted", died, d.deleted)
	require.Positive(d.T, d.deleted)
	out, err := exec.Command("diff", "-r", "--no-dereference", d.Src, d.Dst).CombinedOutput()
	require.NoError(d.T, err, string(out))
}

// sync runs the job and compares the trees.
func (d *day) sync(unreadable []string) {
	d.T.Helper()
	before := map[string]treetest.Entry{}
	if _, err := os.Stat(d.Dst); err == nil {
		before = treetest.Snapshot(d.T, d.Dst)
	}
	list := strings.Join(unreadable, "\n")
	if list != "" {
		list += "\n"
	}
	require.NoError(d.T, os.WriteFile(d.faults, []byte(list), 0o600))
	require.NoError(d.T, os.WriteFile(d.hooks, nil, 0o600))
	run, err := d.manager.Start(d.T.Context(), d.job, nil)
	require.NoError(d.T, err)
	final, err := run.Wait(d.T.Context())
	require.NoError(d.T, err)
	require.Equal(d.T, states.Succeeded, final.Status, final.LastError)
	require.Empty(d.T, final.HookErr)
	for _, w := range d.workers {
		w.quiet()
	}
	d.deleted += Counted(final.Counters).Deleted

	want := treetest.Snapshot(d.T, d.Src)
	for path := range want {
		if below(unreadable, path) {
			delete(want, path)
		}
	}
	for path, e := range before {
		if below(unreadable, path) {
			want[path] = e
		}
	}
	got := treetest.Snapshot(d.T, d.Dst)
	d.requireHooks(before, got)
	stay := make(map[string]bool) // directories without a source, for what somebody else put there
	for path, e := range d.theirs {
		require.Equal(d.T, e, got[path], "%s, which somebody else put there", path)
		delete(got, path)
		delete(want, path)
		for dir := filepath.Dir(path); dir != "."; dir = filepath.Dir(dir) {
			if w, ok := want[dir]; !ok || !w.Mode.IsDir() {
				require.True(d.T, got[dir].Mode.IsDir())
				stay[dir] = true
			}
		}
	}
	for dir := range stay {
		delete(got, dir)
		delete(want, dir)
	}
	for path, e := range want {
		require.Equal(d.T, e, got[path], path)
		delete(got, path)
	}
	require.Empty(d.T, got, "nothing else is in the destination")
}

// requireHooks requires that a hook was called after each change of the destination, even if the
// worker that made the change died before it called the hook. What somebody else put there is none
// of them, nor are the directories of that.
func (d *day) requireHooks(before, after map[string]treetest.Entry) {
	d.T.Helper()
	called := make(map[string]bool)
	text, err := os.ReadFile(d.hooks)
	require.NoError(d.T, err)
	for line := range strings.Lines(string(text)) {
		called[strings.TrimSuffix(line, "\n")] = true
	}
	theirs := make(map[string]bool)
	for path := range d.theirs {
		for ; path != "."; path = filepath.Dir(path) {
			theirs[path] = true
		}
	}
	need := func(path string, events ...string) {
		found := theirs[path]
		for _, event := range events {
			found = found || called[fmt.Sprintf("%s %q", event, filepath.Join(d.Dst, path))]
		}
		require.True(d.T, found, "no hook after %s of %s", events, path)
	}
	for path, old := range before {
		switch now, ok := after[path]; {
		case ok && now.Mode.IsDir() == old.Mode.IsDir():
			switch {
			case old == now:
			case old.Mode.IsDir():
				need(path, DirectoryModify)
			default:
				need(path, FileModify, FileCreate)
			}
		case old.Mode.IsDir():
			need(path, DirectoryDelete)
		default:
			need(path, FileDelete)
		}
	}
	for path, now := range after {
		switch old, ok := before[path]; {
		case ok && old.Mode.IsDir() == now.Mode.IsDir():
		case now.Mode.IsDir():
			need(path, DirectoryCreate)
		default:
			need(path, FileCreate)
		}
	}
}

// makeUnreadable chooses directories of the source.
func (d *day) makeUnreadable() (chosen []string) {
	dirs, _ := walk(d.T, d.Src)
	for range d.rand.IntN(3) {
		if len(dirs) > 0 {
			chosen = append(chosen, dirs[d.rand.IntN(len(dirs))])
		}
	}
	return chosen
}

// path makes up a path of the source, most of them new.
func (d *day) path() string {
	path := fmt.Sprintf("f%d", d.rand.IntN(1000))
	for range d.rand.IntN(4) {
		path = filepath.Join(fmt.Sprintf("d%d", d.rand.IntN(4)), path)
	}
	return path
}

// clear makes room for an entry: everything in the way is removed, and directories can be written.
func (d *day) clear(rel string) string {
	path := filepath.Join(d.Src, rel)
	for dir := filepath.Dir(rel); dir != "."; dir = filepath.Dir(dir) {
		if info, err := os.Lstat(filepath.Join(d.Src, dir)); err == nil && !info.IsDir() {
			require.NoError(d.T, os.Remove(filepath.Join(d.Src, dir)))
		}
	}
	require.NoError(d.T, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(d.T, os.RemoveAll(path))
	return path
}

// create makes a file. No two have the same time.
func (d *day) create(rel string) {
	path := d.clear(rel)
	require.NoError(d.T, os.WriteFile(path, []byte(strings.Repeat("x", d.rand.IntN(3000))), 0o600))
	require.NoError(d.T, os.Chmod(path, []os.FileMode{0o644, 0o600, 0o755, 0o444}[d.rand.IntN(4)]))
	d.touch(path)
}

func (d *day) touch(path string) {
	d.changes++
	require.NoError(d.T, os.Chtimes(path, time.Time{}, treetest.LongAgo.Add(time.Duration(d.changes)*time.Second)))
}

// change changes one thing.
func (d *day) change() {
	list := d.list(d.Src)
	if len(list.dirs) == 0 || len(list.files) < 20 {
		for range 20 {
			d.create(filepath.Join("d0", d.path()))
		}
		list = d.list(d.Src)
	}
	dir, file := d.pick(d.Src, list.dirs, true), d.pick(d.Src, list.files, false)
	from := filepath.Join(d.Src, file)
	info, err := os.Lstat(from)
	require.NoError(d.T, err)
	switch d.rand.IntN(13) {
	case 0, 1:
		d.create(d.path())
	case 2:
		if info.Mode().IsRegular() {
			d.touch(from)
		}
	case 3:
		d.create(file)
	case 4:
		require.NoError(d.T, os.Remove(from))
	case 5:
		require.NoError(d.T, os.RemoveAll(filepath.Join(d.Src, dir)))
	case 6:
		if info.Mode().IsRegular() {
			require.NoError(d.T, os.Chmod(from, []os.FileMode{0o640, 0o700}[d.rand.IntN(2)]))
		}
	case 7:
		require.NoError(d.T, os.Chmod(filepath.Join(d.Src, dir), []os.FileMode{0o700, 0o750, 0o775}[d.rand.IntN(3)]))
	case 8: // a file gets a new name
		if to := d.path(); to != file && !strings.HasPrefix(file, to+"/") {
			if to := d.clear(to); exists(from) {
				require.NoError(d.T, os.Rename(from, to))
			}
		}
	case 9: // a directory gets one
		to := filepath.Join(filepath.Dir(dir), fmt.Sprintf("d%d", d.rand.IntN(8)))
		if !exists(filepath.Join(d.Src, to)) {
			require.NoError(d.T, os.Rename(filepath.Join(d.Src, dir), filepath.Join(d.Src, to)))
		}
	case 10: // a file becomes a directory, or a directory a file
		if d.rand.IntN(2) == 0 {
			dir = filepath.Join(file, "f")
		}
		d.create(dir)
	case 11: // a link, in the place of something
		if d.rand.IntN(2) == 0 {
			dir = file
		}
		require.NoError(d.T, os.Symlink(fmt.Sprint("to", d.rand.IntN(9)), d.clear(dir)))
	case 12:
		d.intrude()
	}
}

// listing has the entries of a tree.
type listing struct{ dirs, files []string }

// list lists a tree. It lists a large one once in a round, as that takes long.
func (d *day) list(root string) *listing {
	l := d.lists[root]
	if l == nil || len(l.dirs)+len(l.files) < 2000 {
		l = &listing{}
		l.dirs, l.files = walk(d.T, root)
		d.lists[root] = l
	}
	return l
}

// pick returns one of the directories or files of a tree that still is one.
func (d *day) pick(root string, paths []string, isDir bool) string {
	for {
		path := paths[d.rand.IntN(len(paths))]
		if info, err := os.Lstat(filepath.Join(root, path)); err == nil && info.IsDir() == isDir {
			return path
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// intrude puts a file into the destination, as somebody else.
func (d *day) intrude() {
	if !exists(d.Dst) {
		return
	}
	dirs := d.list(d.Dst).dirs
	rel := fmt.Sprintf("theirs%d", len(d.theirs))
	if len(dirs) > 0 {
		rel = filepath.Join(d.pick(d.Dst, dirs, true), rel)
	}
	d.foreign(rel)
	d.theirs[rel] = treetest.Snapshot(d.T, d.Dst)[rel]
}
