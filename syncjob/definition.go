package syncjob

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
)

// definition is a job in the form that starts a run. Ensure stores it as JSON. So every process can
// start the declared job, even one without its Go types. It does not have settings that the job
// takes from its set (hooks, queue, weight): each run reads them when it begins. Later versions of
// the code may add fields, but never change one.
type definition struct {
	Version   int               `json:"v"`
	Set       string            `json:"set"`
	Root      *rootTask         `json:"root,omitempty"`
	Open      bool              `json:"open,omitempty"`
	SealAfter time.Duration     `json:"seal_after,omitempty"`
	StopAfter time.Duration     `json:"stop_after,omitempty"`
	Weight    float64           `json:"weight,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Retention time.Duration     `json:"retention"`
	Failures  int               `json:"failures"`
	// Configuration of each run, in the stored form.
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Schedule      *recurrence     `json:"schedule,omitempty"`
}

// rootTask is the stored form of a definition's root task.
type rootTask struct {
	Kind       string            `json:"kind"`
	Queue      string            `json:"queue,omitempty"` // chosen by the caller
	ID         string            `json:"id,omitempty"`    // chosen by the caller
	Keep       time.Duration     `json:"keep,omitempty"`
	Payload    json.RawMessage   `json:"payload"`
	Headers    map[string]string `json:"headers,omitempty"`
	Attributes []byte            `json:"attributes,omitempty"`
	Delay      time.Duration     `json:"delay,omitempty"`
	At         time.Time         `json:"at,omitzero"`
}

const (
	definitionVersion = 1
	// rootID is the ID of a root task if the caller chose none. It is not random, so the same job
	// always has the same definition.
	rootID = "root"
)

// define validates the job and makes its definition. The error reports every problem.
func (m *Manager) define(ctx context.Context, j Job) (definition, error) {
	d := definition{
		Version:   definitionVersion,
		Set:       j.Set,
		Open:      j.Open,
		SealAfter: j.SealAfter,
		StopAfter: j.StopAfter,
		Weight:    j.Weight,
		Headers:   maps.Clone(j.Headers),
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

func newRootTask(it store.Item) *rootTask {
	r := &rootTask{
		Kind:       it.Route.Kind,
		Keep:       it.Task.Keep,
		Payload:    it.Task.Payload,
		Headers:    it.Task.Headers,
		Attributes: it.Task.Attributes,
		Delay:      it.Delay,
		At:         it.At,
	}
	if it.Task.Claimed {
		r.ID = it.Task.ID
	}
	return r
}

func (r *rootTask) item(set string) *store.Item {
	it := &store.Item{
		Route: store.Route{Queue: r.Queue, Set: set, Kind: r.Kind},
		Task: store.Task{
			ID:         rootID,
			Payload:    r.Payload,
			Headers:    r.Headers,
			Keep:       r.Keep,
			Attributes: r.Attributes,
			Enqueued:   time.Now(),
		},
		Delay: r.Delay,
		At:    r.At,
	}
	if r.ID != "" {
		it.Task.ID, it.Task.Claimed = r.ID, true
	}
	return it
}

// kinds returns the kinds whose attributes in force the definition needs.
func (d definition) kinds() []string {
	if d.Root == nil {
		return nil
	}
	return []string{d.Root.Kind}
}

func (d definition) encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode definition: %w", err)
	}
	return b, nil
}

func decodeDefinition(b []byte) (definition, error) {
	var d definition
	if err := plain.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("%w: definition: %w", store.ErrCorrupt, err)
	}
	if d.Version != definitionVersion {
		return d, fmt.Errorf("%w: definition of version %d", store.ErrCorrupt, d.Version)
	}
	return d, nil
}

// scheduled decodes the definition of a periodic job.
func scheduled(rec store.JobRecord) (definition, error) {
	d, err := decodeDefinition(rec.Definition)
	if err == nil && d.Schedule == nil {
		err = fmt.Errorf("%w: the definition has no schedule", store.ErrCorrupt)
	}
	return d, err
}

// params returns the parameters to start a run of the definition. Settings that the definition
// takes from its set are those in force now.
func (m *Manager) params(d definition, job, token string) store.StartParams {
	p := store.StartParams{
		Job:           job,
		Token:         token,
		Set:           d.Set,
		Headers:       d.Headers,
		Open:          d.Open,
		Weight:        d.Weight,
		Retention:     d.Retention,
		FailureCap:    d.Failures,
		Configuration: d.Configuration,
		SealAfter:     d.SealAfter,
		StopAfter:     d.StopAfter,
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
