package script

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	comments = regexp.MustCompile(`--[^\n]*`)
	strs     = regexp.MustCompile(`'[^'\n]*'`)
	declares = regexp.MustCompile(`(?m)^local (?:function (\w+)|([\w, ]+?)(?: =|$))`)
	words    = regexp.MustCompile(`[.:]?\b[A-Za-z_]\w*\b(?:\s*=[^=])?`)
	uses     = regexp.MustCompile(`(?m)^ *-- (?:Uses|Here): (.*)\.\n`)
)

// file is a Lua file by what it declares at its top, by what it mentions, and by the parts that it
// says it uses.
type file struct {
	declared, used []string
	mentions       map[string]bool
}

func readFile(t *testing.T, name string) *file {
	t.Helper()
	b, err := luaFiles.ReadFile(name)
	require.NoError(t, err)
	f := &file{mentions: make(map[string]bool)}
	for _, line := range uses.FindAllSubmatch(b, -1) {
		f.used = append(f.used, strings.Split(string(line[1]), ", ")...)
	}
	slices.Sort(f.used)
	code := strs.ReplaceAllString(comments.ReplaceAllString(string(b), ""), "''")
	for _, found := range declares.FindAllStringSubmatch(code, -1) {
		for name := range strings.SplitSeq(found[1]+found[2], ",") {
			f.declared = append(f.declared, strings.TrimSpace(name))
		}
	}
	for _, word := range words.FindAllString(code, -1) {
		if word[0] != '.' && word[0] != ':' && !strings.Contains(word, "=") {
			f.mentions[word] = true
		}
	}
	return f
}

func TestAScriptUsesThePartsThatItNamesAndNoOther(t *testing.T) {
	names, err := fs.Glob(luaFiles, "lua/*.lua")
	require.NoError(t, err)
	parts, err := fs.Glob(luaFiles, "lua/parts/*.lua")
	require.NoError(t, err)
	require.Len(t, scripts, len(names), "each file is a script")

	owner := make(map[string]string) // of a name that a part declares
	for _, name := range parts {
		part := strings.TrimSuffix(path.Base(name), ".lua")
		for _, declared := range readFile(t, name).declared {
			if declared != "redis" {
				require.Empty(t, owner[declared], "%s of the part %s", declared, part)
				owner[declared] = part
			}
		}
	}
	for _, name := range slices.Concat(names, parts) {
		f := readFile(t, name)
		for _, declared := range f.declared {
			require.NotContains(t, f.used, owner[declared], "%s declares %s anew", name, declared)
		}
		var needed []string
		for mention := range f.mentions {
			if part, ok := owner[mention]; ok && !slices.Contains(f.declared, mention) && part != "commands" {
				needed = append(needed, part)
			}
		}
		slices.Sort(needed)
		require.Equal(t, slices.Compact(needed), f.used, name)
	}
}

func TestNoFunctionIsLong(t *testing.T) {
	const most = 60 // lines
	names, err := fs.Glob(luaFiles, "lua/*.lua")
	require.NoError(t, err)
	parts, err := fs.Glob(luaFiles, "lua/parts/*.lua")
	require.NoError(t, err)
	for _, name := range slices.Concat(names, parts) {
		b, err := luaFiles.ReadFile(name)
		require.NoError(t, err)
		begin, what := 0, ""
		for i, line := range strings.Split(string(b), "\n") {
			switch {
			case strings.HasPrefix(line, "local function "), strings.HasPrefix(line, "function "):
				begin, what = i, line
			case line == "end" && what != "":
				require.LessOrEqual(t, i-begin+1, most, "%s: %s", name, what)
				what = ""
			}
		}
	}
}
