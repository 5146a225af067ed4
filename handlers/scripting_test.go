package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
)

// seconds is a language whose scripts are one number: the timeout of every task. 0 inherits.
type seconds struct{ compiled atomic.Int64 }

type timeout int

func (s *seconds) Compile(source string) (handlers.Script, error) {
	s.compiled.Add(1)
	var n timeout
	if _, err := fmt.Sscan(source, &n); err != nil {
		return nil, errors.New("1:1: not a number")
	}
	return n, nil
}

func (n timeout) Attributes() handlers.Attributes {
	return handlers.Attributes{
		TimeoutFor: func(*handlers.Attempt) time.Duration { return time.Duration(n) * time.Second },
		MaxRunning: 1, // has no effect
	}
}

// silent is a language whose scripts say nothing.
type silent struct{}

func (silent) Compile(string) (handlers.Script, error) { return nil, nil }

func scripted(script string) handlers.Configuration {
	return handlers.Configuration{Set: handlers.Attributes{Script: script}}
}

func TestAScriptStandsBetweenWhatIsConfiguredAndTheCode(t *testing.T) {
	code := handlers.SetConfig{Scripting: new(seconds), Attributes: handlers.Attributes{Timeout: time.Hour, Script: "5"}}
	var limit time.Duration
	var script handlers.Script
	set := handlers.NewSet("ingest", code)
	handlers.Handle(set, func(ctx context.Context, a *handlers.Task[scanArgs]) error {
		at, _ := ctx.Deadline()
		limit, script = time.Until(at).Round(time.Second), a.Script()
		return nil
	}, &handlers.KindOptions{Attributes: handlers.Attributes{Timeout: 2 * time.Hour}})
	for _, c := range []struct {
		name       string
		configured handlers.Configuration
		want       time.Duration
	}{
		{"the script in code", handlers.Configuration{}, 5 * time.Second},
		{"a configured script", scripted("9"), 9 * time.Second},
		{"a script that inherits", scripted("0"), 2 * time.Hour},
		{"a configured value", handlers.Configuration{Set: handlers.Attributes{Script: "9", Timeout: time.Minute}}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			res := handlerstest.Do(t, set, scanArgs{}, &handlerstest.Options{Configuration: c.configured})
			require.NoError(t, res.Err)
			require.Equal(t, c.want, limit)
			require.NotNil(t, script)
		})
	}
}

func TestAScriptOfARunGoesBeforeThatOfTheSet(t *testing.T) {
	language := new(seconds)
	r := registry(t, handlers.SetConfig{Scripting: language}, returning(nil), nil)
	live := handlers.NewLive(r)
	inForce := func(l *handlers.Live) string {
		a, err := l.Attributes("ingest", "scan")
		require.NoError(t, err)
		return a.Script
	}
	require.NoError(t, live.Configure("ingest", scripted("5")))
	run, err := live.ForRun("ingest", scripted("7"))
	require.NoError(t, err)
	require.Equal(t, []string{"5", "7"}, []string{inForce(live), inForce(run)})
	require.NoError(t, live.Configure("ingest", scripted("6")))
	require.Equal(t, []string{"6", "7"}, []string{inForce(live), inForce(run)})
	for range 10 {
		require.NoError(t, live.Configure("ingest", scripted("6")))
	}
	require.EqualValues(t, 3, language.compiled.Load(), "each script is compiled once")
}

func TestAScriptThatDoesNotCompileChangesNothing(t *testing.T) {
	r := registry(t, handlers.SetConfig{Scripting: new(seconds)}, returning(nil), nil)
	live := handlers.NewLive(r)
	require.NoError(t, live.Configure("ingest", scripted("5")))
	want := &store.FieldError{Field: "Set.Script", Reason: "does not compile: 1:1: not a number"}
	require.Equal(t, want, live.Configure("ingest", scripted("five")))
	_, err := live.ForRun("ingest", scripted("five"))
	require.Equal(t, want, err)
	require.Equal(t, want, r.CheckConfiguration("ingest", scripted("five")))
	a, err := live.Attributes("ingest", "scan")
	require.NoError(t, err)
	require.Equal(t, "5", a.Script)
	require.ErrorContains(t, r.CheckConfiguration("none", scripted("5")), `Set "none" is not registered`)
}

func TestScriptsAreRefusedWhereTheyWouldHaveNoEffect(t *testing.T) {
	plain := registry(t, handlers.SetConfig{}, returning(nil), nil)
	require.ErrorContains(t, plain.CheckConfiguration("ingest", scripted("5")), `Set.Script is not taken by the set "ingest"`)
	require.NoError(t, plain.CheckConfiguration("ingest", handlers.Configuration{}))
	_, err := handlers.NewRegistry(handlers.NewSet("a", handlers.SetConfig{Attributes: handlers.Attributes{Script: "5"}}))
	require.ErrorContains(t, err, `Sets[0].Attributes.Script is not taken by the set "a"`)
	_, err = handlers.NewRegistry(handlers.NewSet("a", handlers.SetConfig{
		Scripting: new(seconds), Attributes: handlers.Attributes{Script: "x"},
	}))
	require.ErrorContains(t, err, `Sets[0].Attributes.Script does not compile: 1:1: not a number`)
	for script, reason := range map[string]string{
		strings.Repeat("1", handlers.MaxScript+1): "Set.Script takes 65537 bytes, which is more than 65536",
		"\xff": "Set.Script is not valid UTF-8",
	} {
		c := scripted(script)
		require.ErrorContains(t, c.Validate(), reason)
	}
	var c handlers.Configuration
	c.Kind("scan").Script = "5"
	require.ErrorContains(t, c.Validate(), `Kinds["scan"].Script is an attribute of sets`)
	require.ErrorContains(t, c.UnmarshalJSON([]byte(`{"set":{"script":""}}`)), "Set.Script is empty")
}

func TestMiddlewareReadsArgumentsOfAnyType(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{Middleware: []handlers.Middleware{
		func(handlers.Handler) handlers.Handler {
			return func(_ context.Context, a *handlers.Attempt) error {
				var args map[string]any
				if err := a.DecodeArgs(&args); err != nil {
					return err
				}
				if err := a.DecodeArgs(new(int)); err == nil {
					return errors.New("decoded an object into a number")
				}
				return fmt.Errorf("dir %v", args["dir"])
			}
		},
	}})
	handlers.Handle(set, returning(nil), nil)
	require.EqualError(t, handlerstest.Do(t, set, scanArgs{Dir: "/a"}, nil).Err, "dir /a")
}
