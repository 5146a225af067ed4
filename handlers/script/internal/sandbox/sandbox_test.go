package sandbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

// Each is the body of a function f. What it returns, or its error, is the same with and without
// prices.
var programs = []string{
	`return 1 + 2 * 3 - 4 // 3 % 2, 7 / 2, -7 // 2, 1 << 10 >> 3, 6 & 3 | 8 ^ 1, ~5, -3`,
	`return "a" + "b" * 3, 2 * "xy", [1] + [2] * 2, (1,) * 2 + (3,), 2 * [0], "x" * -1`,
	`return "%s is %d, %r, %%" % ("a", 1, "b"), "%(a)s" % {"a": 1}, "%s" % 5`,
	`return 1 == 1.0, "a" < "b", [1, 2] <= [1, 3], (1,) != (1, 2), {1: 2} == {1: 2}, 1 != 2, 2 >= 1, 3 > 4`,
	`return 1 in [1], 2 not in (1,), "b" in "abc", "k" in {"k": 1}, 3 in range(5), "x" not in {}`,
	`
  x = [1]
  y = [x][0]
  x += [2]
  x += (3,)
  d = {"n": 1, "l": [0]}
  d["n"] += 4
  d["l"] += [1]
  e = d
  e |= {"m": 2}
  n = 5
  n -= 2
  n *= 3
  n //= 2
  n <<= 2
  z = [1, 2]
  z[-1] += 5
  (n) += 1
  return x, y, d, n, z`,
	`
  def g(a, b = 2 + 3, *c, k = "k" + "w", **d): return a, b, c, k, d
  x, y = [1, 2], {"z": 1}
  return g(*x), g(1, *x, **y), g(b = 1 + 1, a = x[0]), (lambda q = 1 + 1: q)()`,
	`
  s = "A-b-C d"
  return [s.split("-"), s.lower(), s.upper(), s.title(), s.replace("-", "+", 1), ",".join(["a", "b"]),
    s.find("b"), s.startswith("A"), s.endswith(("x", "d")), s.partition("-"), " x ".strip(), "xxax".strip("x"),
    "{} {a} {0}".format(1, a = 2) if False else "{} {a}".format(1, a = 2), s[0], s[-1], s[1:3], s[::-1],
    list("ab".elems()), "a b".split(), "a\nb".splitlines(), "abc".removeprefix("a"), s.count("-"), "ab".capitalize()]`,
	`
  x = [3, 1, 2]
  x.append(5)
  x.insert(0, 9)
  x.extend([7])
  x.remove(1)
  last = x.pop()
  return x, last, x.index(2), sorted(x), sorted(x, reverse = True, key = lambda v: -v), x[1:], x[:-1], min(x), max(x), len(x)`,
	`
  d = {"a": 1, 2: "b", (1, 2): 3}
  d["c"] = 4
  d[2] = d["a"]
  d.update([("x", 1)], y = 2)
  got = d.get("none", 5), d.setdefault("n", 6), d.pop("a"), d.keys(), d.values(), d.items(), d[(1, 2)]
  return got, d, {k: v for k, v in d.items() if v != 1}, [k for k in d], dict(a = 1), dict([(1, 2)])`,
	`
  out = []
  for i, c in enumerate("abc".elems()):
    if i == 1: continue
    elif c == "z": break
    out.append((i, c))
  else_ = [a * b for a in range(3) if a for b in (1, 2)]
  [p, (q, r)] = 1, (2, 3)
  return out, else_, p + q + r, zip([1, 2], [3, 4]), any([0, 1]), all([]), bool([]), reversed([1, 2]), tuple([1]), list((2,))`,
	`return str([1, "a"]), repr("a"), type(1), int("12"), float("1.5"), abs(-2), chr(97), ord("b"), "a" if not None else "b"`,
	`return True and 1 or 2, not [], None == None, (1 if [] else 2)`,
	`return 1 + "a"`, `return "a" - "b"`, `return {}["k"]`, `return [1][5]`, `return {[]: 1}`, `return [1] < ["a"]`,
	`return None.x()` + "", `fail("a", 1)`, `return int("x")`, `x = 1; x[0] = 2`, `x = (1,); x[0] = 2`, `a, b = [1]`,
	`return undefined_at_run_time if False else (1)(2)`, `return "%d" % "a"`, `return 1 // 0`, `return 1 << 600`,
	`x = [1]; x += 1`, `return "{}".format()`, `return 5 in 5`, `return [].pop()`, `return "".join([1])`,
	`for x in [1]: pass` + "\n  return x", `x = {1: 1}; x[2] += 1`, `x = [1]; x[7] += 1`, `x = [1]; x["a"] += 1`,
}

func TestAPricedProgramDoesWhatThePlainOneDoes(t *testing.T) {
	for _, body := range programs {
		source := "def f():\n  " + strings.TrimPrefix(body, "\n  ") + "\n"
		file, err := (&syntax.FileOptions{}).Parse("script", source, 0)
		require.NoError(t, err, source)
		var want starlark.Value
		plain, wantErr := starlark.FileProgram(file, func(string) bool { return false })
		if wantErr == nil {
			thread := new(starlark.Thread)
			globals, err := plain.Init(thread, nil)
			require.NoError(t, err)
			want, wantErr = starlark.Call(thread, globals["f"], nil, nil)
		}
		p, err := sandbox.Compile(source, sandbox.Host{Limits: limits})
		var got starlark.Value
		if err == nil {
			got, err = p.Call(t.Context(), nil, p.Functions()["f"])
		}
		if wantErr != nil {
			require.Error(t, err, "%s: want %v", source, wantErr)
			continue
		}
		require.NoError(t, err, source)
		require.Equal(t, want.String(), got.String(), source)
	}
}

func TestWhatDoesNotCompileIsSaidWithLineAndColumn(t *testing.T) {
	deep := strings.Repeat("[", 190) + "0" + strings.Repeat("]", 190)
	for source, want := range map[string]string{
		"def f(:":                                           `1:8: got ':', want ')'`,
		"x = 1\ny = z":                                      "2:5: undefined: z",
		"def f(a): return a.nothing":                        "1:20: no value has a field or method nothing",
		"load('a', 'b')":                                    "1:1: load is not available",
		"x = print":                                         "1:5: print is not available",
		"x = getattr":                                       "1:5: getattr is not available",
		"x = [hash('a')]":                                   "1:6: hash is not available",
		"x = b'a'":                                          "1:5: bytes are not available",
		"x = 1\nx = 2":                                      "2:1: cannot reassign global x declared at script:1:1",
		"for i in []: pass":                                 "1:1: for loop not within a function",
		"def f():\n  while True: pass":                      "2:3: this statement is not available",
		"def f():\n  return {1}":                            "2:13: got '}', want ':'",
		"def f(x): x.y = 1":                                 "1:11: cannot assign to this",
		"def f(x): x.y += 1":                                "1:15: cannot assign to this",
		"x = " + strings.Repeat("9", 2000):                  "1:5: a number has more than 4096 bits",
		"x = " + deep + " + " + deep:                        "nest",
		"x = " + strings.Repeat("(", 60000):                 "nest",
		"x = " + strings.Repeat("-", 60000) + "1":           "nest",
		"x = " + strings.Repeat("not ", 15000) + "1":        "nest",
		"x = " + strings.Repeat("lambda: ", 7000) + "1":     "nest",
		"x = " + strings.Repeat("1 if 1 else ", 5000) + "1": "nest",
		"x = " + strings.Repeat("1 + ", 15000) + "1":        "nest",
		"x = 1 // 0":                                        "floored division by zero",
		"x = [0] * 1000000000":                              "too many steps: more than 1000000",
	} {
		_, err := sandbox.Compile(source, sandbox.Host{Limits: limits})
		require.ErrorContains(t, err, want, "%.40q", source)
	}
}

func TestAFailureTellsWhereItWas(t *testing.T) {
	_, err := run(t, "def g(x):\n  return 1 // x\n\ndef f():\n  y = 0\n  return g(y) + 1\n")
	var f *sandbox.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, "floored division by zero", f.Message)
	require.Equal(t, []sandbox.Frame{{"f", 6, 11}, {"g", 2, 12}}, f.Traceback)
	_, err = run(t, "def f():\n  for i in range(1 << 50): pass\n")
	require.ErrorIs(t, err, sandbox.ErrSteps)
	require.ErrorAs(t, err, &f)
	require.Equal(t, 2, f.Traceback[0].Line)
}

func TestACallEndsWithItsContextOrItsTime(t *testing.T) {
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	endless := "def f():\n  for i in range(1 << 50): pass\n"
	for _, c := range []struct {
		ctx  context.Context
		time time.Duration
		want error
	}{{ctx, time.Hour, gone}, {t.Context(), 0, sandbox.ErrTime}} {
		p, err := sandbox.Compile(endless, sandbox.Host{Limits: sandbox.Limits{Steps: 1 << 62, Time: time.Hour}})
		require.NoError(t, err)
		p = p.With(sandbox.Limits{Steps: 1 << 62, Time: c.time})
		_, err = p.Call(c.ctx, nil, p.Functions()["f"])
		require.ErrorIs(t, err, c.want)
	}
}

func TestGlobalsAreFrozen(t *testing.T) {
	_, err := run(t, "x = [1]\ndef f(): x.append(2)\n")
	require.ErrorContains(t, err, "cannot append to frozen list")
	_, err = run(t, "def f(x = []):\n  x.append(2)\n")
	require.ErrorContains(t, err, "frozen")
}
