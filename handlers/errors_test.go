package handlers_test

import (
	"context"
	goruntime "runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// rudeError ends in one of its methods.
type rudeError struct{ text, is, as, unwrap func() }

func (e *rudeError) Error() string { e.text(); return "rude" }
func (e *rudeError) Is(error) bool { e.is(); return false }
func (e *rudeError) As(any) bool   { e.as(); return false }
func (e *rudeError) Unwrap() error { e.unwrap(); return nil }

// rudeErrors are errors of which each ends in another way in another method.
func rudeErrors() map[string]error {
	fine := func() {}
	all := map[string]error{"nil pointer": (*wordError)(nil)}
	for way, end := range map[string]func(){"panic": func() { panic("boom") }, "Goexit": goruntime.Goexit} {
		all["Error, "+way] = &rudeError{end, fine, fine, fine}
		all["Is, "+way] = &rudeError{fine, end, fine, fine}
		all["As, "+way] = &rudeError{fine, fine, end, fine}
		all["Unwrap, "+way] = &rudeError{fine, fine, fine, end}
	}
	return all
}

type wordError struct{ word string }

func (e *wordError) Error() string { return e.word }

func TestAnErrorThatEndsBadlyIsAFailedAttempt(t *testing.T) {
	for name, bad := range rudeErrors() {
		for when, wait := range map[string]func(context.Context){
			"in time": func(context.Context) {}, "after its time": func(ctx context.Context) { <-ctx.Done() },
		} {
			t.Run(name+"/"+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					attrs := handlers.Attributes{Timeout: time.Second}
					r := registry(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[scanArgs]) error {
						wait(ctx)
						return bad
					}, &handlers.KindOptions{Attributes: attrs})
					requireDecided(t, func(out *store.Outcome) {
						d := delivery("scan", store.Task{})
						r.Executor(execute.Config{Runtime: &runtime{}}).ExecuteTimed(t.Context(), &d, out, nil)
					})
					hook := func(ctx context.Context, _ *handlers.Run) error { wait(ctx); return bad }
					for _, kind := range []string{store.KindPreJob, store.KindPostJob} {
						cfg := handlers.SetConfig{Attributes: attrs, Hooks: handlers.Hooks{PreJob: hook, PostJob: hook}}
						r := registry(t, cfg, returning(nil), nil)
						requireDecided(t, func(out *store.Outcome) {
							d := delivery(kind, store.Task{})
							r.Executor(execute.Config{Runtime: &runtime{}}).ExecuteTimed(t.Context(), &d, out, nil)
						})
					}
				})
			})
		}
	}
}

// requireDecided requires that an attempt has an outcome, though it may end its goroutine.
func requireDecided(t *testing.T, attempt func(out *store.Outcome)) {
	t.Helper()
	var out store.Outcome
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		attempt(&out)
	}()
	<-ended
	require.NotZero(t, out.Verdict, "nobody says what became of it")
	require.NotEqual(t, verdicts.Success, out.Verdict)
	require.NotEmpty(t, out.Error)
}
