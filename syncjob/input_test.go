package syncjob_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
)

// fields collects the names of the fields that an error complains about.
func fields(err error) []string {
	var list []string
	var walk func(error)
	walk = func(err error) {
		switch e := any(err).(type) {
		case *syncjob.FieldError:
			list = append(list, e.Field)
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		}
	}
	walk(err)
	return list
}

// sealed is a store on which nothing may be written.
type sealed struct {
	store.Store
	t testing.TB
}

func (s sealed) StartRun(context.Context, store.StartParams) (store.StartReply, error) {
	s.t.Error("StartRun was called")
	return store.StartReply{}, errors.New("sealed")
}

func (s sealed) EnsureJob(context.Context, store.EnsureParams) (verdicts.Ensure, error) {
	s.t.Error("EnsureJob was called")
	return "", errors.New("sealed")
}

func (s sealed) Enqueue(context.Context, store.EnqueueParams) (store.EnqueueReply, error) {
	s.t.Error("Enqueue was called")
	return store.EnqueueReply{}, errors.New("sealed")
}

func (s sealed) Run(_ context.Context, id store.RunID) (store.RunRecord, error) {
	return store.RunRecord{ID: id, Set: "tree", Status: statuses.Running}, nil
}

type stranger struct{}

func (stranger) Kind() string { return "stranger" }

type badKind struct{}

func (badKind) Kind() string { return "{a}" }

type unencodable struct{ F func() }

func (unencodable) Kind() string { return "leaf" }

type big struct{ Text string }

func (big) Kind() string { return "leaf" }

func TestBadJobsAreRefusedByFieldBeforeAnythingIsWritten(t *testing.T) {
	good := syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}
	with := func(change func(*syncjob.Job)) syncjob.Job {
		j := good
		change(&j)
		return j
	}
	m := managerOn(t, sealed{memstore.New(nil), t}, set(t, handlers.SetConfig{}, noop))
	for name, c := range map[string]struct {
		job  syncjob.Job
		want []string
	}{
		"no name":           {with(func(j *syncjob.Job) { j.Name = "" }), []string{"Name"}},
		"long name":         {with(func(j *syncjob.Job) { j.Name = strings.Repeat("x", 201) }), []string{"Name"}},
		"10 kB name":        {with(func(j *syncjob.Job) { j.Name = strings.Repeat("x", 10_000) }), []string{"Name"}},
		"newline in name":   {with(func(j *syncjob.Job) { j.Name = "a\nb" }), []string{"Name"}},
		"NUL in name":       {with(func(j *syncjob.Job) { j.Name = "a\x00b" }), []string{"Name"}},
		"name not UTF-8":    {with(func(j *syncjob.Job) { j.Name = "a\xffb" }), []string{"Name"}},
		"no set":            {with(func(j *syncjob.Job) { j.Set = "" }), []string{"Set"}},
		"hostile set":       {with(func(j *syncjob.Job) { j.Set = "{x}" }), []string{"Set"}},
		"unknown set":       {with(func(j *syncjob.Job) { j.Set = "bush" }), []string{"Set"}},
		"no root":           {with(func(j *syncjob.Job) { j.Root = nil }), []string{"Root"}},
		"unknown kind":      {with(func(j *syncjob.Job) { j.Root = stranger{} }), []string{"Root.Kind"}},
		"hostile kind":      {with(func(j *syncjob.Job) { j.Root = badKind{} }), []string{"Root.Kind"}},
		"hostile queue":     {with(func(j *syncjob.Job) { j.RootOptions = &enqueue.Options{Queue: "{q}"} }), []string{"RootOptions.Queue"}},
		"negative delay":    {with(func(j *syncjob.Job) { j.RootOptions = &enqueue.Options{Delay: -1} }), []string{"RootOptions.Delay"}},
		"negative weight":   {with(func(j *syncjob.Job) { j.Weight = -1 }), []string{"Weight"}},
		"weight NaN":        {with(func(j *syncjob.Job) { j.Weight = math.NaN() }), []string{"Weight"}},
		"infinite weight":   {with(func(j *syncjob.Job) { j.Weight = math.Inf(1) }), []string{"Weight"}},
		"negative seal":     {with(func(j *syncjob.Job) { j.SealAfter = -1 }), []string{"SealAfter"}},
		"negative stop":     {with(func(j *syncjob.Job) { j.StopAfter = -1 }), []string{"StopAfter"}},
		"negative deadline": {with(func(j *syncjob.Job) { j.Deadline = -1 }), []string{"Deadline"}},
		"stop of a closed":  {with(func(j *syncjob.Job) { j.StopAfter = time.Hour }), []string{"StopAfter"}},
		"stop and seal":     {with(func(j *syncjob.Job) { j.Open, j.StopAfter, j.SealAfter = true, 1, 1 }), []string{"StopAfter"}},
		"stop, seal, weight": {
			with(func(j *syncjob.Job) { j.Open, j.StopAfter, j.SealAfter, j.Weight = true, 1, 1, -1 }), []string{"StopAfter", "Weight"},
		},
		"root options only": {
			with(func(j *syncjob.Job) { j.Open, j.Root, j.RootOptions = true, nil, &enqueue.Options{} }), []string{"RootOptions"},
		},
		"set of no root":    {with(func(j *syncjob.Job) { j.Open, j.Root, j.Set, j.Weight = true, nil, "bush", -1 }), []string{"Set", "Weight"}},
		"seal of a closed":  {with(func(j *syncjob.Job) { j.SealAfter = time.Hour }), []string{"SealAfter"}},
		"negative keep":     {with(func(j *syncjob.Job) { j.Retention = -1 }), []string{"Retention"}},
		"negative revision": {with(func(j *syncjob.Job) { j.Revision = -1 }), []string{"Revision"}},
		"all at once":       {syncjob.Job{Weight: -1, Retention: -1}, []string{"Name", "Set", "Root", "Weight", "Retention"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Start(t.Context(), c.job, nil)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
			require.Subset(t, fields(err), c.want)
			c.job.Open = true
			if name == "no root" || name == "seal of a closed" {
				return // fine for an open job
			}
			_, err = m.Ensure(t.Context(), c.job)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
		})
	}
	for name, job := range map[string]syncjob.Job{
		"unencodable":       with(func(j *syncjob.Job) { j.Root = unencodable{} }),
		"nil pointer":       with(func(j *syncjob.Job) { j.Root = (*leaf)(nil) }),
		"too large":         with(func(j *syncjob.Job) { j.Root = big{strings.Repeat("x", bounds.DefaultMaxPayload)} }),
		"headers too large": with(func(j *syncjob.Job) { j.Headers = map[string]string{"k": strings.Repeat("x", encode.MaxHeaderBytes)} }),
		"empty header":      with(func(j *syncjob.Job) { j.Headers = map[string]string{"": "x"} }),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Start(t.Context(), job, nil)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
		})
	}
	_, err := m.Start(t.Context(), with(func(j *syncjob.Job) { j.Root = big{strings.Repeat("x", bounds.DefaultMaxPayload)} }), nil)
	require.ErrorIs(t, err, syncjob.ErrPayloadTooLarge)
	_, err = m.Ensure(t.Context(), good)
	require.Equal(t, []string{"Open"}, fields(err))
	_, err = m.Ensure(t.Context(), with(func(j *syncjob.Job) { j.Open, j.SealAfter = true, 1 }))
	require.Equal(t, []string{"SealAfter"}, fields(err))
	_, err = m.Ensure(t.Context(), with(func(j *syncjob.Job) { j.Open, j.StopAfter = true, 1 }))
	require.Equal(t, []string{"StopAfter"}, fields(err))
	_, err = m.Start(t.Context(), good, &syncjob.StartOptions{Key: "a\nb", IfActive: 9})
	require.Equal(t, []string{"Key", "IfActive"}, fields(err))
}

func TestBadTasksAreRefusedByFieldBeforeAnythingIsSent(t *testing.T) {
	m := managerOn(t, sealed{memstore.New(nil), t}, set(t, handlers.SetConfig{}, noop))
	run := m.Run("a", 7)
	for name, c := range map[string]struct {
		args enqueue.Args
		opts *enqueue.Options
	}{
		"nil":             {nil, nil},
		"nil pointer":     {(*leaf)(nil), nil},
		"unknown kind":    {stranger{}, nil},
		"one byte over":   {big{strings.Repeat("x", bounds.DefaultMaxPayload+1-len(`{"Text":""}`))}, nil},
		"empty ID kept":   {leaf{}, &enqueue.Options{IDFor: time.Hour}},
		"negative IDFor":  {leaf{}, &enqueue.Options{ID: "x", IDFor: -1}},
		"negative delay":  {leaf{}, &enqueue.Options{Delay: -1}},
		"hostile ID":      {leaf{}, &enqueue.Options{ID: "\x00"}},
		"hostile queue":   {leaf{}, &enqueue.Options{Queue: "a b"}},
		"negative budget": {leaf{}, &enqueue.Options{MaxRetries: -2}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run.Enqueue(t.Context(), c.args, c.opts)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
			require.NotEmpty(t, fields(err))
			_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
				yield(enqueue.Task(c.args, c.opts), nil)
			}, nil)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
		})
	}
	_, err := run.EnqueueAll(t.Context(), nil, nil)
	require.Equal(t, []string{"Items"}, fields(err))
	require.Equal(t, []string{"Name"}, fields(run.ReleaseHold(t.Context(), "")))
	_, err = m.Configure(t.Context(), "a b", &syncjob.ConfigureOptions{Run: run}, func(*syncjob.Configuration) error { return nil })
	require.Equal(t, []string{"Set"}, fields(err))
}

func TestBadNamesAreRefusedEverywhere(t *testing.T) {
	m := manager(t, nil)
	ctx := t.Context()
	for _, name := range []string{"", "a\nb", strings.Repeat("x", 201), "\xff", " a"} {
		for op, call := range map[string]func() error{
			"State":      func() error { _, err := m.State(ctx, name); return err },
			"Latest":     func() error { _, err := m.Latest(ctx, name); return err },
			"JobRuns":    func() error { _, err := m.JobRuns(ctx, name); return err },
			"Stop":       func() error { return m.Stop(ctx, name, nil) },
			"PauseJob":   func() error { return m.PauseJob(ctx, name) },
			"ResumeJob":  func() error { return m.ResumeJob(ctx, name) },
			"Enable":     func() error { return m.Enable(ctx, name) },
			"Delete":     func() error { return m.Delete(ctx, name) },
			"Enqueue":    func() error { _, err := m.Enqueue(ctx, name, leaf{}, nil); return err },
			"EnqueueAll": func() error { _, err := m.EnqueueAll(ctx, name, leaves(1), nil); return err },
			"Run.State":  func() error { _, err := m.Run(name, 1).State(ctx); return err },
			"Run.Wait":   func() error { _, err := m.Run(name, 1).Wait(ctx); return err },
			"Run.Watch":  func() error { return firstError(m.Run(name, 1).Watch(ctx)) },
			"Run.Stop":   func() error { return m.Run(name, 1).Stop(ctx, nil) },
			"Run.Pause":  func() error { return m.Run(name, 1).Pause(ctx) },
			"Run.Seal":   func() error { return m.Run(name, 1).Seal(ctx) },
			"Run.Delete": func() error { return m.Run(name, 1).Delete(ctx) },
			"Explain":    func() error { _, err := m.Run(name, 1).Explain(ctx); return err },
			"Failures":   func() error { return firstError(m.Run(name, 1).Failures(ctx, nil)) },
			"Run.Enqueue": func() error {
				_, err := m.Run(name, 1).Enqueue(ctx, leaf{}, nil)
				return err
			},
		} {
			require.Equal(t, []string{"Name"}, fields(call()), "%s(%.20q)", op, name)
		}
	}
	require.Equal(t, []string{"Number"}, fields(func() error { _, err := m.Run("a", -1).State(ctx); return err }()))
	require.Equal(t, []string{"Group"}, fields(firstError(m.Jobs(ctx, &syncjob.JobsOptions{Group: "odd"}))))
}

func TestUnknownJobsAreNotFound(t *testing.T) {
	m := manager(t, nil)
	ctx := t.Context()
	for op, call := range map[string]func() error{
		"State":   func() error { _, err := m.State(ctx, "x"); return err },
		"Latest":  func() error { _, err := m.Latest(ctx, "x"); return err },
		"Stop":    func() error { return m.Stop(ctx, "x", nil) },
		"Pause":   func() error { return m.PauseJob(ctx, "x") },
		"Enable":  func() error { return m.Enable(ctx, "x") },
		"Delete":  func() error { return m.Delete(ctx, "x") },
		"Enqueue": func() error { _, err := m.Enqueue(ctx, "x", leaf{}, nil); return err },
	} {
		require.ErrorIs(t, call(), syncjob.ErrJobNotFound, op)
	}
}

func firstError[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		return err
	}
	return nil
}

func TestBadConfigsAreRefusedByField(t *testing.T) {
	_, err := syncjob.New(memstore.New(nil), syncjob.Config{Namespace: "{ns}", MaxPayload: -1, Retention: -1, FailureCap: -1})
	require.Equal(t, []string{"Namespace", "MaxPayload", "Retention", "FailureCap"}, fields(err))
	_, err = syncjob.New(memstore.New(nil), syncjob.Config{MaxPayload: bounds.DefaultMaxPayload + 1})
	require.Equal(t, []string{"MaxPayload"}, fields(err))
	_, err = syncjob.Open(t.Context(), "redis://127.0.0.1:1", syncjob.Config{FailureCap: -1})
	require.Equal(t, []string{"FailureCap"}, fields(err), "no server is asked")
	_, err = syncjob.New(nil, syncjob.Config{})
	require.Equal(t, []string{"Store"}, fields(err))
	for _, url := range []string{"", "redis://%zz", "http://localhost", "localhost:6379", ":", "redis://user:secret@host:port/x"} {
		_, err := syncjob.Open(t.Context(), url, syncjob.Config{})
		require.Equal(t, []string{"URL"}, fields(err), url)
		require.NotContains(t, err.Error(), "secret")
	}

	_, err = manager(t, nil).NewWorker(syncjob.WorkerConfig{})
	require.Equal(t, []string{"Registry"}, fields(err))
	none, err := handlers.NewRegistry(handlers.NewSet("tree", handlers.SetConfig{}))
	require.NoError(t, err)
	_, err = manager(t, none).NewWorker(syncjob.WorkerConfig{})
	require.Equal(t, []string{"Queues"}, fields(err))
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	_, err = m.NewWorker(syncjob.WorkerConfig{Concurrency: syncjob.MaxConcurrency + 1})
	require.Equal(t, []string{"Concurrency"}, fields(err))
	_, err = m.NewWorker(syncjob.WorkerConfig{
		Name: "\n", Concurrency: -1, Grace: -2, Lease: time.Millisecond, Version: strings.Repeat("v", 129),
		Queues: []syncjob.Queue{{Name: "a", Weight: -1}, {Name: "a"}, {Name: ""}},
	})
	require.ElementsMatch(t, []string{
		"Name", "Version", "Concurrency", "Grace", "Lease", "Queues[0].Weight", "Queues[1].Name", "Queues[2].Name",
	}, fields(err))
	_, err = m.NewWorker(syncjob.WorkerConfig{Version: "v1\n"})
	require.Equal(t, []string{"Version"}, fields(err))
}

func TestAServerThatIsNotThereIsUnavailable(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := syncjob.Open(ctx, "redis://127.0.0.1:1", syncjob.Config{})
	require.ErrorIs(t, err, syncjob.ErrUnavailable)
}
