package syncjob_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// public are the packages whose functions and types take functions of users.
var public = []string{
	"syncjob",
	"syncjob/observe",
	"syncjob/cron",
	"handlers",
	"enqueue",
	"store",
	"store/values",
	"store/semaphore",
	"store/memstore",
	"store/redisstore",
}

// rows say for each callback of the public API which row of the tables called and onCall, or which
// test, has it return, panic, end its goroutine and block. A test is named with its package.
var rows = map[string]string{
	"enqueue.Config.Logger":              "Logger",
	"enqueue.Config.Propagator":          "Inject",
	"enqueue.Config.Router":              none,
	"enqueue.Enqueuer.EnqueueAll(items)": "EnqueueAll",

	"handlers.Attempt.EnqueueAll(items)": "handler",
	"handlers.Attempt.Event(fn)":         "handler",
	"handlers.Attributes.BackoffFor":     "BackoffFor",
	"handlers.Attributes.MaxRetriesFor":  "MaxRetriesFor",
	"handlers.Attributes.TimeoutFor":     "TimeoutFor",
	"handlers.EventHooks.After":          "After",
	"handlers.EventHooks.Before":         "Before",
	"handlers.Handle(handler)":           "handler",
	"handlers.HandleRaw(handler)":        "handler",
	"handlers.Hooks.PostJob":             "PostJob",
	"handlers.Hooks.PreJob":              "PreJob",
	"handlers.Hooks.Validate":            "Validate",
	"handlers.KindOptions.Middleware":    "Middleware of the kind",
	"handlers.Registry.With(middleware)": "Middleware of the set",
	"handlers.SetConfig.Middleware":      "Middleware of the set",
	"handlers.Set.OnPostJob(fn)":         "PostJob",
	"handlers.Set.OnPreJob(fn)":          "PreJob",
	"handlers.Set.OnValidate(fn)":        "Validate",

	"memstore.Options.Logger":        "Logger",
	"store.Signals.Subscribe(fn)":    "Subscribe",
	"redisstore.Config.Logger":       "Logger",
	"redisstore.Store.Subscribe(fn)": "redisstore.TestASubscriberThatBlocksHoldsUpNobody",

	"semaphore.Gate.CanRun":       "CanRun",
	"semaphore.Gate.OnError":      "OnError",
	"semaphore.Gate.OnHeartbeat":  "OnHeartbeat",
	"semaphore.Gate.Run(fn)":      "semaphore.TestAGateReleasesItsLeaseHoweverItsFunctionEnds",
	"semaphore.Lease.Keep(fn)":    "semaphore.TestLeasesAreReleasedHoweverTheirFunctionEnds",
	"semaphore.Leases.Keep(fn)":   "semaphore.TestLeasesAreReleasedHoweverTheirFunctionEnds",
	"semaphore.Options.OnBlocked": "OnBlocked",

	"store.RenameFields(rename)":   none,
	"store.Repeat(call)":           "OnRetry",
	"store.RetryOptions.OnRetry":   "OnRetry",
	"syncjob.BulkOptions.Progress": "Progress",

	"syncjob.Config.Logger":     "Logger",
	"syncjob.Config.Propagator": "Inject",

	"syncjob.Manager.Configure(edit)":   "Configure",
	"syncjob.Manager.EnqueueAll(items)": "EnqueueAll",
	"observe.Observer.AttemptDone":      "AttemptDone",
	"observe.Observer.AttemptStarted":   "AttemptStarted",
	"observe.Observer.Enqueued":         "Enqueued",
	"observe.Observer.Fetched":          "Fetched",
	"observe.Observer.Reclaimed":        "syncjob.TestAnObserverIsToldOfWhatIsReclaimed",
	"observe.Observer.RunDone":          "RunDone",
	"observe.Observer.RunHeld":          "syncjob.TestAnObserverOfHeldRunsEndsNothing",
	"observe.Observer.RunStarted":       "RunStarted",
	"observe.Observer.Settled":          "Settled",
	"observe.Observer.StoreRetry":       "StoreRetry",
	"syncjob.Run.EnqueueAll(items)":     "EnqueueAll",
	"syncjob.WorkerConfig.CanRun":       "syncjob.TestAGateThatEndsBadlyIsClosed",
	"cron.Runner.Run":                   "cron.TestWhateverEndsARunnerItIsCalledAgain",
	"cron.Config.OnError":               "OnError of a scheduler",
}

// none is the row of what only the library itself hands in.
const none = "none"

// TestEveryCallbackHasARow goes through the public API for what users' code may be handed to:
// fields and parameters that are functions, sequences, or of an interface that users implement.
// Methods that encoding/json calls have rows, and no name here.
func TestEveryCallbackHasARow(t *testing.T) {
	found := make(map[string]bool)
	for _, dir := range public {
		for _, name := range callbacksOf(t, dir) {
			found[name] = true
			assert.NotEmpty(t, rows[name], "%s: which row tries how it may end?", name)
		}
	}
	for name, row := range rows {
		assert.True(t, found[name], "%s is no callback any more", name)
		_, byWorker := called[row]
		_, byCaller := onCall[row]
		require.True(t, byWorker || byCaller || row == none || isTest(t, row), "%s has no row %q", name, row)
	}
}

// isTest reports whether a package has the test that is named with it.
func isTest(t *testing.T, name string) bool {
	pkg, test, ok := strings.Cut(name, ".")
	for _, dir := range public {
		if !ok || filepath.Base(dir) != pkg {
			continue
		}
		files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			if strings.Contains(string(text), "\nfunc "+test+"(t *testing.T) {") {
				return true
			}
		}
	}
	return false
}

// callbacksOf names the callbacks that a package takes, as package.Type.Field,
// package.Function(parameter) and package.Type.Method(parameter).
func callbacksOf(t *testing.T, dir string) []string {
	api := &api{pkg: filepath.Base(dir), callable: make(map[string]bool)}
	names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), name, text, 0)
		require.NoError(t, err)
		files = append(files, f)
	}
	for range 2 { // types may be of each other
		for _, f := range files {
			ast.Inspect(f, api.learn)
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			api.declared(d)
		}
	}
	return api.found
}

// api is what was seen of a package.
type api struct {
	pkg      string
	callable map[string]bool // its types that are functions
	found    []string
}

func (a *api) learn(n ast.Node) bool {
	if s, ok := n.(*ast.TypeSpec); ok && a.calls(s.Type) {
		a.callable[s.Name.Name] = true
	}
	return true
}

// calls reports whether a type is, or holds directly, code of a user.
func (a *api) calls(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncType:
		return true
	case *ast.Ident:
		return a.callable[e.Name] || theirs[e.Name]
	case *ast.SelectorExpr:
		return theirs[e.Sel.Name]
	case *ast.StarExpr:
		return a.calls(e.X)
	case *ast.ArrayType:
		return a.calls(e.Elt)
	case *ast.Ellipsis:
		return a.calls(e.Elt)
	case *ast.IndexExpr:
		return a.calls(e.X)
	case *ast.IndexListExpr:
		return a.calls(e.X)
	}
	return false
}

// theirs are types of other packages, and interfaces, that stand for code of users.
var theirs = map[string]bool{"Seq": true, "Seq2": true, "Logger": true, "Propagator": true, "Middleware": true, "Router": true}

func (a *api) declared(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) {
			a.parameters(receiver(d)+d.Name.Name, d.Type)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
				a.fields(s)
			}
		}
	}
}

// fields looks at the fields of a struct, and at the methods of an interface.
func (a *api) fields(s *ast.TypeSpec) {
	switch t := s.Type.(type) {
	case *ast.StructType:
		for _, f := range t.Fields.List {
			for _, name := range f.Names {
				if name.IsExported() && a.calls(f.Type) {
					a.found = append(a.found, a.pkg+"."+s.Name.Name+"."+name.Name)
				}
			}
		}
	case *ast.InterfaceType:
		for _, m := range t.Methods.List {
			if f, ok := m.Type.(*ast.FuncType); ok {
				a.parameters(s.Name.Name+"."+m.Names[0].Name, f)
			}
		}
	}
}

func (a *api) parameters(of string, f *ast.FuncType) {
	for _, p := range f.Params.List {
		for _, name := range p.Names {
			if a.calls(p.Type) {
				a.found = append(a.found, a.pkg+"."+of+"("+name.Name+")")
			}
		}
	}
}

func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return "?."
		}
	}
}

func exportedReceiver(d *ast.FuncDecl) bool {
	r := receiver(d)
	return r == "" || ast.IsExported(r)
}
