package mirror

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
	"github.com/rollcall-go/rollcall/store"
)

// windows replaces what names may not have there.
func windows(a *Args) {
	a.CharacterMap = []Replacement{{From: `<>:"|?*\`, To: "_"}, {From: "\ufffd", To: "%"}, {From: "~", To: ""}}
}

// destination lists the names there.
func (tr *trees) destination() (names []string) {
	for name := range treetest.Snapshot(tr.T, tr.Dst) {
		if name != "." {
			names = append(names, name)
		}
	}
	return names
}

func TestCharactersAreReplacedInAllNames(t *testing.T) {
	tr := newTrees(t)
	set := func(a *Args) { windows(a); a.Delete = DeleteDelete }
	tr.Write("a:b/c?d/what*", "x", 0o644)
	tr.Write("a:b/plain", "x", 0o644)
	tr.Write("not\xffutf8~", "x", 0o644)
	require.NoError(t, os.Symlink("a:b", filepath.Join(tr.Src, "li|nk")))
	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "a:b/c?d"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(tr.Dst, "a_b/c_d"), 0o755) })
	want := []string{"a_b", "a_b/c_d", "a_b/c_d/what_", "a_b/plain", "not%utf8", "li_nk"}
	require.Equal(t, Figures{Copied: 4, Bytes: 3}, tr.mustSync(set))
	require.ElementsMatch(t, want, tr.destination())
	info, err := os.Stat(filepath.Join(tr.Dst, "a_b/c_d"))
	require.NoError(t, err)
	require.EqualValues(t, 0o555, info.Mode().Perm())
	require.Equal(t, Figures{Unchanged: 4}, tr.mustSync(set))
	require.ElementsMatch(t, want, tr.destination())

	require.NoError(t, os.Chmod(filepath.Join(tr.Src, "a:b/c?d"), 0o755))
	tr.remove("a:b/c?d", "li|nk")
	tr.Write("a:b/plain", "longer", 0o644)
	require.Equal(t, Figures{Copied: 1, Unchanged: 1, Deleted: 2, Bytes: 6}, tr.mustSync(set))
	require.ElementsMatch(t, []string{"a_b", "a_b/plain", "not%utf8"}, tr.destination())
	tr.remove("a:b")
	tr.Write("a:b", "a file now", 0o644)
	require.Equal(t, Figures{Copied: 1, Unchanged: 1, Deleted: 1, Bytes: 10}, tr.mustSync(set))
	require.ElementsMatch(t, []string{"a_b", "not%utf8"}, tr.destination())

	other := func(a *Args) { a.Delete, a.CharacterMap = DeleteDelete, []Replacement{{From: ":~", To: "-"}} }
	require.EqualValues(t, 2, tr.mustSync(other).Deleted, "the copies under the names of before")
	require.ElementsMatch(t, []string{"a-b", "not\xffutf8-"}, tr.destination())
}

func TestNamesThatBecomeOneAreListed(t *testing.T) {
	tr := newTrees(t)
	for _, name := range []string{"a:b", "a?b", "a_b", "c:d", "c?d", "e:f", "~", "~.", "dir:/x", "dir?/y", "ok"} {
		tr.Write(name, name, 0o644)
	}
	for range 2 {
		f := tr.mustSync(windows)
		require.EqualValues(t, 8, f.Failed)
		reasons := make(map[string]string)
		for _, file := range f.List {
			reasons[filepath.Base(string(file.Path))] = file.Reason
		}
		require.Equal(t, map[string]string{
			"a:b": errSameName.Error(), "a?b": errSameName.Error(), "c:d": errSameName.Error(), "c?d": errSameName.Error(),
			"dir:": errSameName.Error(), "dir?": errSameName.Error(), "~": errNoName.Error(), "~.": errNoName.Error(),
		}, reasons)
		require.ElementsMatch(t, []string{"a_b", "e_f", "ok"}, tr.destination())
		require.Equal(t, "a_b", tr.read("a_b"), "it has the name in the source")
	}
	f := tr.mustSync(func(a *Args) { windows(a); a.Exclude.Names = []string{`c\?d`} })
	require.EqualValues(t, 1, f.Copied, "nothing has its name any more")
	require.Equal(t, "c:d", tr.read("c_d"))
}

func TestReplacementsThatContradictEachOtherAreRefused(t *testing.T) {
	for name, list := range map[string][]Replacement{
		"none":          {{From: "", To: "x"}},
		"twice":         {{From: "aba", To: "x"}},
		"in two":        {{From: "a", To: "x"}, {From: "a", To: "y"}},
		"by itself":     {{From: "a", To: "aa"}},
		"by another":    {{From: "a", To: "b"}, {From: "b", To: "c"}},
		"slash":         {{From: "/", To: "_"}},
		"by a slash":    {{From: "_", To: "/"}},
		"NUL":           {{From: "a", To: "\x00"}},
		"invalid UTF-8": {{From: "\xff", To: "_"}},
	} {
		o := Options{FilesPerTask: 1, PathQueue: PathQueue, FileQueue: FileQueue, CharacterMap: list}
		var fe *store.FieldError
		require.ErrorAs(t, o.Validate(), &fe, name)
		require.Contains(t, fe.Field, "CharacterMap[")
	}
}
