package syncjob

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// define validates the job and makes its definition. The error reports every problem.
func (m *Manager) define(ctx context.Context, j Job) (definition, error) {
	d := definition{
		Version:   definitionVersion,
		Set:       j.Set,
		Open:      j.Open,
		SealAfter: j.SealAfter,
		StopAfter: j.StopAfter,
		OnFailure: j.OnFailure,
		Deadline:  j.Deadline,
		Weight:    j.Weight,
		Headers:   maps.Clone(j.Headers),
		Labels:    maps.Clone(j.Labels),
		Retention: j.Retention,
		Failures:  m.cfg.FailureCap,
		Schedule:  newRecurrence(j.Schedule),
	}
	if d.Retention == 0 {
		d.Retention = m.cfg.Retention
	}
	problems := []error{j.validate()}
	if reg := m.cfg.Registry; reg != nil && store.ValidateName("Set", j.Set) == nil {
		if _, ok := reg.Set(j.Set); !ok {
			problems = append(
				problems, &FieldError{Field: "Set", Reason: fmt.Sprintf("%q is not in the registry", j.Set)},
			)
			return definition{}, store.JoinFields(problems...)
		}
	}
	if j.Configuration != nil {
		b, err := j.Configuration.Encode()
		d.Configuration = b
		problems = append(problems, err)
		problems = append(problems, m.checkConfigured(ctx, j))
	}
	if j.Root != nil {
		plain := m.encoding
		plain.Propagator = nil // each start adds headers from its context
		it, err := enqueue.Encode(context.Background(), &plain, j.Set, enqueue.Task(j.Root, j.RootOptions))
		if err != nil {
			problems = append(problems, store.RenameFields(err, rootField))
		}
		if d.Root = newRootTask(it); j.RootOptions != nil {
			d.Root.Queue = j.RootOptions.Queue
		}
	}
	return d, store.JoinFields(problems...)
}

// checkConfigured refuses a script that does not compile, and unknown kinds, in the job's
// configuration. If the set itself is unknown,
// it accepts all: a worker may publish the set later.
func (m *Manager) checkConfigured(ctx context.Context, j Job) error {
	script := store.RenameFields(
		m.checkScript(j.Set, *j.Configuration), func(field string) string { return "Configuration." + field },
	)
	if script != nil || len(j.Configuration.Kinds) == 0 {
		return script
	}
	unknown, known, err := m.sets.Unknown(ctx, j.Set, slices.Sorted(maps.Keys(j.Configuration.Kinds)))
	if err != nil || !known {
		return err
	}
	return unknownKinds("Configuration.", unknown)
}

// rootField returns the name of a root task's field in errors about a job.
func rootField(field string) string {
	switch field {
	case "Set":
		return field
	case "Kind":
		return "Root.Kind"
	case "Args", "Payload":
		return "Root"
	}
	return "RootOptions." + field
}

// params returns the parameters to start a run of the definition. Settings that the definition
// takes from its set are those in force now.
func (m *Manager) params(d definition, job, token string) store.StartParams {
	p := store.StartParams{
		Job:           job,
		Token:         token,
		Set:           d.Set,
		Headers:       d.Headers,
		Labels:        d.Labels,
		Open:          d.Open,
		Weight:        d.Weight,
		Retention:     d.Retention,
		FailureCap:    d.Failures,
		Configuration: d.Configuration,
		SealAfter:     d.SealAfter,
		StopAfter:     d.StopAfter,
		OnFailure:     d.OnFailure,
		Deadline:      d.Deadline,
	}
	if p.Weight == 0 {
		p.Weight = m.sets.InForce(d.Set, "").Weight
	}
	var hookQueue string
	if d.Root != nil {
		p.Root = d.Root.item(d.Set)
		p.Args = d.Root.Payload
		if p.Root.Route.Queue == "" {
			p.Root.Route.Queue = m.sets.InForce(d.Set, d.Root.Kind).Queue
		}
		hookQueue = p.Root.Route.Queue // a worker that can run tasks of the set can run them
	} else {
		hookQueue = m.sets.InForce(d.Set, m.firstKind(d.Set)).Queue
	}
	p.PreJob, p.PostJob = m.hooks(d.Set, hookQueue)
	return p
}

// firstKind returns the kind whose queue the hooks of a run without a root task use. It is empty if
// no kind of the set is known.
func (m *Manager) firstKind(set string) string {
	d, ok := m.sets.Describe(set)
	if !ok || len(d.Kinds) == 0 {
		return ""
	}
	return d.Kinds[0].Name
}

// runsInReadOnly reports whether the set's tasks start in read-only mode.
func (m *Manager) runsInReadOnly(set string) bool {
	d, ok := m.sets.Describe(set)
	return ok && d.RunsInReadOnly
}

// hooks returns the hook tasks of a run of the set, as the registry or the workers know them. If no
// worker has published the set yet, it assumes both hooks: for a hook that does not exist, a worker
// settles the hook task at once.
func (m *Manager) hooks(set, queue string) (pre, post *store.Item) {
	hasPre, hasPost := true, true
	if d, ok := m.sets.Describe(set); ok {
		hasPre, hasPost = d.PreJob, d.PostJob
	}
	if hasPre {
		pre = hook(set, queue, store.KindPreJob)
	}
	if hasPost {
		post = hook(set, queue, store.KindPostJob)
	}
	return pre, post
}

func hook(set, queue, kind string) *store.Item {
	return &store.Item{
		Route: store.Route{Queue: queue, Set: set, Kind: kind},
		Task:  store.Task{ID: kind, Enqueued: time.Now()},
	}
}
