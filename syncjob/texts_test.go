package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// misspelt reports what is wrong with the text of an error.
func misspelt(err error) (faults []string) {
	text := err.Error()
	bad := func(is bool, why string) {
		if is {
			faults = append(faults, why)
		}
	}
	bad(strings.Contains(text, "\n"), "more than one line")
	bad(printable.Text(text) != text, "characters that are not seen as themselves")
	bad(len(text) > 1000, fmt.Sprintf("%d bytes", len(text)))
	bad(strings.Contains(text, "after 0 attempts"), "an attempt that was none")
	for _, s := range []string{"%!", "<nil>", "&{", "(0x", "  ", "::", ": ;"} {
		bad(strings.Contains(text, s), "holds "+s)
	}
	bad(text == "" || text[0] < 'a' || text[0] > 'z', "does not begin with what was tried")
	bad(text == "" || strings.HasSuffix(text, ": ") || strings.HasSuffix(text, ":"), "ends in nothing")
	for _, sep := range []string{": ", "; "} {
		parts := strings.Split(text, sep)
		for i, part := range parts {
			bad(part != "" && slices.Contains(parts[i+1:], part), fmt.Sprintf("says %q twice", part))
		}
	}
	return faults
}

// badInput makes arguments of a kind for whatever type a method takes.
type badInput struct {
	name string
	text string
	n    int64
}

var badInputs = []badInput{
	{"empty", "", 0},
	{"negative", "-", -1},
	{"control characters", "a\x1b[31m\nb\u202e", -1 << 63},
	{"no UTF-8", "\xff\xfe", 1<<63 - 1},
	{"long", strings.Repeat("long", 100_000), 1 << 40},
}

func (b badInput) value(ctx context.Context, t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	if t == reflect.TypeFor[context.Context]() {
		v.Set(reflect.ValueOf(ctx))
		return v
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(b.text)
	case reflect.Int, reflect.Int64, reflect.Int32:
		v.SetInt(b.n)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := v.Field(i); f.CanSet() && f.Type() != reflect.TypeFor[time.Time]() {
				f.Set(b.value(ctx, f.Type()))
			}
		}
	case reflect.Pointer:
		if b.text != "" && t.Elem().Kind() == reflect.Struct && strings.HasSuffix(t.Elem().Name(), "Options") {
			v.Set(reflect.New(t.Elem()))
			v.Elem().Set(b.value(ctx, t.Elem()))
		}
	}
	return v
}

// errorsOf calls a method with bad input, and returns what it says.
func (b badInput) errorsOf(ctx context.Context, m reflect.Value) (errs []error) {
	args := make([]reflect.Value, 0, m.Type().NumIn())
	for i := range m.Type().NumIn() {
		if m.Type().IsVariadic() && i == m.Type().NumIn()-1 {
			args = append(args, b.value(ctx, m.Type().In(i).Elem()))
			continue
		}
		args = append(args, b.value(ctx, m.Type().In(i)))
	}
	for _, out := range m.Call(args) {
		switch {
		case out.Type() == reflect.TypeFor[error]():
			if err, ok := out.Interface().(error); ok {
				errs = append(errs, err)
			}
		case out.Kind() == reflect.Func && out.Type().CanSeq2():
			for _, e := range out.Seq2() {
				if err, ok := e.Interface().(error); ok {
					errs = append(errs, err)
				}
			}
		}
	}
	return errs
}

// Every method that takes input says what is wrong with it in one line that can be read.
func TestEveryErrorOfBadInputCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		bare, err := syncjob.New(memstore.New(nil), syncjob.Config{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, bare.Close()) })
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		worker, err := m.NewWorker(syncjob.WorkerConfig{})
		require.NoError(t, err)
		things := map[string]any{
			"Manager": m, "bare Manager": bare, "Run": run, "Run that is not there": m.Run("nobody", 7), "Worker": worker,
			"Semaphores": semaphore.New(memstore.New(nil)), "Enqueuer": m.Enqueuer(), "bare Enqueuer": bare.Enqueuer(),
			"Counter": values.NewCounter(
				m.Values(), store.JobScope("a"), "c",
			), "Float": values.NewFloat(m.Values(), store.JobScope("a"), "f"),
			"bad Counter": values.NewCounter(m.Values(), store.JobScope("\n"), "\x1b"),
			"List":        values.NewList[string](m.Values(), store.RunScope(run.ID()), "l"),
			"bad List":    values.NewList[string](m.Values(), store.RunScope(store.RunID{}), strings.Repeat("long", 10_000)),
			"Map":         values.NewMap[string](m.Values(), store.JobScope("a"), "m"),
			"bad Map":     values.NewMap[string](m.Values(), store.NamespaceScope(-1), ""),
			"Value": values.NewValue[string](
				m.Values(), store.JobScope("a"), "v",
			), "Time": values.NewTime(m.Values(), store.JobScope("a"), "t"),
		}
		called, ended := 0, 0
		try := func(name string, ctx context.Context, method reflect.Value) {
			for _, b := range badInputs {
				name := name + ", " + b.name
				func() {
					defer func() {
						if p := recover(); p != nil {
							t.Errorf("%s: panic: %v", name, p)
						}
					}()
					for _, err := range b.errorsOf(ctx, method) {
						if errors.Is(err, context.Canceled) {
							ended++
							require.Equal(t, 1, strings.Count(err.Error(), "context canceled"), name)
						}
						text := err
						if strings.HasPrefix(name, "redisstore.") {
							text = fmt.Errorf("open: %w", err) // as syncjob.Open has it
						}
						if faults := misspelt(text); faults != nil {
							t.Errorf("%s: %s: %.300q", name, strings.Join(faults, ", "), err.Error())
						}
						if testing.Verbose() && len(err.Error()) < 400 {
							t.Logf("%s: %v", name, err)
						}
						called++
					}
				}()
			}
		}
		for name, f := range map[string]any{
			"syncjob.New": syncjob.New, "syncjob.Open": syncjob.Open, "enqueue.New": enqueue.New,
			"handlers.NewRegistry": handlers.NewRegistry, "redisstore.Open": redisstore.Open, "redisstore.ParseURL": redisstore.ParseURL,
		} {
			try(name, t.Context(), reflect.ValueOf(f))
		}
		for _, name := range slices.Sorted(maps.Keys(things)) {
			v := reflect.ValueOf(things[name])
			for i := range v.NumMethod() {
				method, sort := v.Type().Method(i).Name, v.Method(i).Type()
				if method == "Close" || method == "Listen" || sort.NumIn() == 0 { // Listen is of the tests
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				try(name+"."+method, ctx, v.Method(i))
				cancel()
				gone, cancel := context.WithCancel(t.Context())
				cancel()
				try(name+"."+method+" of a context that has ended", gone, v.Method(i))
			}
		}
		t.Logf("%d errors", called)
		require.Greater(t, called, 300)
		require.Greater(t, ended, 50, "contexts that have ended are said to have")
	})
}
