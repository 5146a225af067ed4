package walls

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the present figures to maxima.txt")

const module = "github.com/rollcall-go/rollcall"

// figures are what maxima.txt has a line for: those of a package, by its name in the module.
type figures struct{ exported, cycle, longest, complex, wide int }

func (f figures) String() string {
	return fmt.Sprintf("%4d %4d %4d %4d %4d", f.exported, f.cycle, f.longest, f.complex, f.wide)
}

const head = `# What no package may exceed: exported names, files in the largest cycle of references, lines of the
# longest file, ways through the most complex function, lines that are too wide (code 120, comments and
# Markdown 100, tests 140). A figure may fall, or rise in a commit that says why:
#	go test ./internal/walls -update
`

func TestTheWallsStand(t *testing.T) {
	root := filepath.Join("..", "..")
	packages, err := Measure(t.Context(), root, "./...")
	require.NoError(t, err)
	require.NotEmpty(t, packages)
	now := make(map[string]figures)
	var names []string
	for _, p := range packages {
		name := "." + strings.TrimPrefix(p.Path, module)
		names = append(names, name)
		now[name] = figures{p.Exported, len(p.Cycle), p.Longest, p.Complex, p.Wide}
	}
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	require.NoError(t, err)
	wide := 0
	for _, page := range pages {
		n, err := wideLines(page)
		require.NoError(t, err)
		wide += n
	}
	names = append(names, "*.md")
	now["*.md"] = figures{wide: wide}

	if *update {
		var b strings.Builder
		b.WriteString(head)
		for _, name := range names {
			fmt.Fprintf(&b, "%-44s %v\n", name, now[name])
		}
		require.NoError(t, os.WriteFile("maxima.txt", []byte(b.String()), 0o600))
	}
	maxima := readMaxima(t)
	for _, p := range packages {
		name := "." + strings.TrimPrefix(p.Path, module)
		got, most := now[name], maxima[name]
		require.LessOrEqual(t, got.cycle, most.cycle, "%s: files in a cycle: %v", name, p.Cycle)
	}
	for _, name := range names {
		got, most := now[name], maxima[name]
		require.LessOrEqual(t, got.exported, most.exported, "%s: exported names", name)
		require.LessOrEqual(t, got.longest, most.longest, "%s: lines of the longest file", name)
		require.LessOrEqual(t, got.complex, most.complex, "%s: ways through a function", name)
		require.LessOrEqual(t, got.wide, most.wide, "%s: lines that are too wide", name)
	}
}

func readMaxima(t *testing.T) map[string]figures {
	t.Helper()
	text, err := os.ReadFile("maxima.txt")
	require.NoError(t, err)
	all := make(map[string]figures)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var name string
		var f figures
		_, err := fmt.Sscan(line, &name, &f.exported, &f.cycle, &f.longest, &f.complex, &f.wide)
		require.NoError(t, err, line)
		all[name] = f
	}
	return all
}

func TestTheLargestCycleIsFound(t *testing.T) {
	edges := map[string]map[string]bool{
		"a": {"b": true}, "b": {"c": true}, "c": {"a": true, "d": true},
		"d": {"e": true}, "e": {"d": true}, "f": {"a": true},
	}
	require.Equal(t, []string{"a", "b", "c"}, largestCycle(edges))
	require.Empty(t, largestCycle(map[string]map[string]bool{"a": {"b": true}, "b": {}}))
}
