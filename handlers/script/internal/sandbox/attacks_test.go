package sandbox_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

var limits = sandbox.Limits{Steps: 1_000_000, Time: 2 * time.Second}

func compile(t testing.TB, source string) *sandbox.Program {
	t.Helper()
	p, err := sandbox.Compile(source, sandbox.Host{Limits: limits})
	require.NoError(t, err)
	return p
}

// run calls the function f of a script.
func run(t testing.TB, source string) (starlark.Value, error) {
	t.Helper()
	p := compile(t, source)
	return p.Call(context.Background(), nil, p.Functions()["f"])
}

// allocated is how many bytes fn allocates, garbage included.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// doubles makes x twice as long with an expression until it is refused.
func doubles(start, expr string) string {
	return fmt.Sprintf("def f():\n  x = %s\n  for _ in range(10000000): x = %s\n  return len(x)", start, expr)
}

// loops runs statements until they are refused.
func loops(lines ...string) string {
	head, body := lines[0], lines[1:]
	return "def f():\n  " + head + "\n  for i in range(10000000):\n    " + strings.Join(body, "\n    ") + "\n  return x\n"
}

const dag = "  for _ in range(40): x = (x, x)\n"

var attacks = map[string]string{
	"an endless loop":              "def f():\n  for i in range(1 << 60): pass",
	"nested loops":                 "def f():\n  for a in range(1 << 20):\n    for b in range(1 << 20): a = b",
	"an endless comprehension":     "def f():\n  return [i for i in range(1 << 60)]",
	"a repeated string":            `def f(): return "x" * (1 << 30)`,
	"a repeated list":              "def f(): return [0] * (1 << 30)",
	"a list repeated from before":  "def f(): return (1 << 30) * [0]",
	"a repeated tuple":             "def f(): return (0,) * (1 << 30)",
	"a repetition that assigns":    "def f():\n  x = [0]\n  x *= 1 << 30",
	"one in a dict":                "def f():\n  x = {1: [0]}\n  x[1] *= 1 << 30",
	"a doubled string":             doubles(`"x"`, "x + x"),
	"a string that doubles itself": loops(`x = "x"`, "x += x"),
	"a doubled list":               doubles("[0]", "x + x"),
	"a list that extends itself":   loops("x = [0]", "x += x"),
	"the same by its method":       loops("x = [0]", "x.extend(x)"),
	"the same in a list":           loops("x = [[0]]", "x[0] += x[0]"),
	"a string of itself twice":     doubles(`"x"`, `"%s%s" % (x, x)`),
	"of itself by name":            doubles(`"x"`, `"%(a)s%(a)s" % {"a": x}`),
	"one that is formatted":        doubles(`"x"`, `"{0}{0}".format(x)`),
	"formatted by name":            doubles(`"x"`, `"{a}{a}".format(a = x)`),
	"one that is joined":           doubles(`"x"`, `x.join([x, x, x])`),
	"one that is replaced":         doubles(`"xx"`, `x.replace("x", "xx")`),
	"nothing that is replaced":     doubles(`"xx"`, `x.replace("", x)`),
	"escapes of escapes":           doubles(`"\0"`, "repr(x)"),
	"a sum of slices":              loops("x = [[0] * 10000]", "x.append(x[0][:])"),
	"copies of a list":             loops("x = [[0] * 10000]", "x.append(list(x[0]))"),
	"copies of a dict":             loops("x = [{i: i for i in range(1000)}]", "x.append(dict(x[0]))"),
	"unions of dicts":              loops("x = [{i: i for i in range(1000)}]", "x.append(x[0] | x[0])"),
	"many dicts":                   loops("x = []", "x.append({})"),
	"many comprehensions":          loops("x = []", "x.append({a: a for a in [1]})"),
	"many arguments":               "def g(*a): return a\ndef f():\n  x = [0] * 100000\n  return [g(*x) for _ in range(1 << 30)]",
	"many named arguments":         "def g(**a): return a\ndef f():\n  x = {str(i): i for i in range(1000)}\n  return [g(**x) for _ in range(1 << 30)]",
	"items of a dict":              loops("x = {i: i for i in range(1000)}", "x[-i - 1] = x.items()"),
	"parts of a string":            loops("x = [\"a \" * 10000]", "x.append(x[0].split())"),
	"parts between letters":        loops("x = [\"a\" * 10000]", "x.append(x[0].split(\"a\"))"),
	"pairs":                        loops("x = [range(10000)]", "x.append(zip(x[0], x[0]))"),
	"numbered pairs":               loops("x = [range(10000)]", "x.append(enumerate(x[0]))"),
	"a list of a range":            "def f(): return list(range(1 << 40))",
	"a sorted range":               "def f(): return sorted(range(1 << 40))",
	"the text of a shared list":    "def f():\n  x = [0]\n  for _ in range(40): x = [x, x]\n  return str(x)",
	"the hash of a shared tuple":   "def f():\n  x = (0,)\n" + dag + "  return {x: 1}",
	"a key of shared tuples":       "def f():\n  x, d = (0,), {}\n" + dag + "  d[x] = 1",
	"a lookup of shared tuples":    "def f():\n  x, d = (0,), {0: 0}\n" + dag + "  return d[x]",
	"a get of shared tuples":       "def f():\n  x, d = (0,), {0: 0}\n" + dag + "  return d.get(x)",
	"a search for shared tuples":   "def f():\n  x, d = (0,), {0: 0}\n" + dag + "  return x in d",
	"a dict of pairs of them":      "def f():\n  x = (0,)\n" + dag + "  return dict([(x, 1)])",
	"an equality of shared lists":  "def f():\n  x, y = 0, 0\n  for _ in range(9): x, y = [x] * 1000, [y] * 1000\n  return x == y",
	"an order of shared lists":     "def f():\n  x, y = 0, 0\n  for _ in range(9): x, y = [x] * 1000, [y] * 1000\n  return x < y",
	"an index of shared lists":     "def f():\n  x, y = 0, 1\n  for _ in range(9): x, y = [x] * 1000, [y] * 1000\n  return [x].index(y)",
	"the greatest of shared lists": "def f():\n  x, y = 0, 0\n  for _ in range(9): x, y = [x] * 1000, [y] * 1000\n  return max(x, y)",
	"a list in itself":             "def f():\n  x = []\n  x.append(x)\n  for _ in range(1 << 40): y = str(x)",
	"a number that grows":          doubles("3", "x * x"),
	"a number that is shifted":     doubles("3", "x << 500"),
	"a number of many digits":      `def f(): return int("9" * 100000)`,
	"a set of characters":          "def f():\n  x = \"é\" * 100000\n  for _ in range(1000): y = x.strip(x)\n  return y",
	"keys of the same hash":        "def f():\n  return len({i << 32: 0 for i in range(1 << 30)})",
	"a failure with a long text":   `def f(): fail("x" * 10000000)`,
	"a failure with a shared list": "def f():\n  x = [0]\n  for _ in range(40): x = [x, x]\n  fail(x)",
	"recursion":                    "def f(): return f()",
	"recursion by a parameter":     "def g(h): return h(h)\ndef f(): return g(g)",
	"nested values":                "def f():\n  x = []\n  for _ in range(1 << 40): x = [x]",
	"upper case":                   loops("x = [\"a\" * 10000]", "x.append(x[0].upper() + str(i))"),
	"values of a dict":             loops("x = {i: i for i in range(1000)}", "x[-i - 1] = x.values()"),
}

// A call allocates at most so much, garbage included. What is alive at a time is less.
const mostAllocated = 256 << 20

func TestNoScriptTakesMuchTimeOrMemory(t *testing.T) {
	for name, source := range attacks {
		t.Run(name, func(t *testing.T) {
			p := compile(t, source)
			var err error
			start := time.Now()
			bytes := allocated(func() { _, err = p.Call(t.Context(), nil, p.Functions()["f"]) })
			took := time.Since(start)
			require.Error(t, err)
			t.Logf("%d MB, %v: %v", bytes>>20, took.Round(time.Millisecond), err)
			require.Less(t, bytes, uint64(mostAllocated))
			var f *sandbox.Failure
			require.ErrorAs(t, err, &f)
			require.NotEmpty(t, f.Traceback)
			require.Less(t, len(f.Message), 2000)
		})
	}
}
