package syncjob

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// definition is a job in the form that starts a run: everything that the registry
// decides is resolved. It is what Ensure stores, as JSON, so that any process can start
// the declared job, also one that does not have its Go types. Fields are only ever
// added.
type definition struct {
	Version   int               `json:"v"`
	Set       string            `json:"set"`
	Root      *rootTask         `json:"root,omitempty"`
	HookQueue string            `json:"hook_queue,omitempty"`
	PreJob    bool              `json:"pre_job,omitempty"`
	PostJob   bool              `json:"post_job,omitempty"`
	Open      bool              `json:"open,omitempty"`
	SealAfter time.Duration     `json:"seal_after,omitempty"`
	Weight    float64           `json:"weight"`
	Headers   map[string]string `json:"headers,omitempty"`
	Retention time.Duration     `json:"retention"`
	Failures  int               `json:"failures"`
	// Configuration of each run, as it is stored with it.
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Schedule      *recurrence     `json:"schedule,omitempty"`
}

// rootTask is the stored form of a definition's root task.
type rootTask struct {
	Kind       string            `json:"kind"`
	Queue      string            `json:"queue"`
	ID         string            `json:"id,omitempty"` // chosen by the caller
	Keep       time.Duration     `json:"keep,omitempty"`
	Payload    json.RawMessage   `json:"payload"`
	Headers    map[string]string `json:"headers,omitempty"`
	Attributes []byte            `json:"attributes,omitempty"`
	Delay      time.Duration     `json:"delay,omitempty"`
	At         time.Time         `json:"at,omitzero"`
}

const (
	definitionVersion = 1
	// rootID is the ID of root tasks for which the caller chose none. It is not random,
	// so that the same job always has the same definition.
	rootID = "root"
)

// define validates the job and resolves it. The error reports every problem.
func (m *Manager) define(j Job) (definition, error) {
	d := definition{
		Version:   definitionVersion,
		Set:       j.Set,
		HookQueue: enqueue.DefaultQueue,
		// Without a registry nobody here knows whether the set has hooks: a worker
		// answers at once for one that has not.
		PreJob:    true,
		PostJob:   true,
		Open:      j.Open,
		SealAfter: j.SealAfter,
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
	if reg := m.cfg.Registry; reg != nil && j.Set != "" {
		set, ok := reg.Set(j.Set)
		if !ok {
			problems = append(problems, &FieldError{Field: "Set", Reason: fmt.Sprintf("%q is not in the registry", j.Set)})
			return definition{}, errors.Join(problems...)
		}
		d.PreJob, d.PostJob = reg.Hooks(j.Set)
		d.HookQueue = m.hookQueue(set)
		if attrs, err := m.live.Attributes(j.Set, ""); err == nil && d.Weight == 0 {
			d.Weight = attrs.Weight
		}
	}
	if d.Weight == 0 {
		d.Weight = handlers.DefaultWeight
	}
	if j.Configuration != nil {
		b, err := j.Configuration.Encode()
		d.Configuration = b
		problems = append(problems, err, m.knownKinds(j))
	}
	if j.Root != nil {
		it, err := m.encoder.Encode(j.Set, enqueue.Task(j.Root, j.RootOptions))
		if err != nil {
			problems = append(problems, store.RenameFields(err, rootField))
		}
		d.Root = newRootTask(it)
		// A hook waits where the root task does, so that whoever works for the run can
		// run it.
		d.HookQueue = it.Route.Queue
	}
	return d, errors.Join(problems...)
}

// knownKinds refuses configured kinds that the registry, if there is one, does not know.
func (m *Manager) knownKinds(j Job) error {
	if m.cfg.Registry == nil {
		return nil
	}
	known, err := m.cfg.Registry.Describe(j.Set)
	if err != nil {
		return err
	}
	return unknownKinds("Configuration.", slices.Sorted(maps.Keys(j.Configuration.Kinds)), known)
}

// rootField is what a job calls a field of its root task.
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

// hookQueue is the queue in which hooks of a run without a root task wait: that of the
// set's first kind.
func (m *Manager) hookQueue(s *handlers.Set) string {
	for _, kind := range s.Kinds() {
		if queue, err := m.live.Queue(s.Name(), kind); err == nil {
			return queue
		}
	}
	return enqueue.DefaultQueue
}

func newRootTask(it store.Item) *rootTask {
	r := &rootTask{
		Kind:       it.Route.Kind,
		Queue:      it.Route.Queue,
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

func (d definition) encode() ([]byte, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode definition: %w", err)
	}
	return b, nil
}

func decodeDefinition(b []byte) (definition, error) {
	var d definition
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("%w: definition: %w", store.ErrCorrupt, err)
	}
	if d.Version != definitionVersion {
		return d, fmt.Errorf("%w: definition of version %d", store.ErrCorrupt, d.Version)
	}
	return d, nil
}

// start is the definition as parameters of a run.
func (d definition) start(job, token string) store.StartParams {
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
	}
	if d.Root != nil {
		p.Root = d.Root.item(d.Set)
		p.Args = d.Root.Payload
	}
	if d.PreJob {
		p.PreJob = d.hook(store.KindPreJob)
	}
	if d.PostJob {
		p.PostJob = d.hook(store.KindPostJob)
	}
	return p
}

func (d definition) hook(kind string) *store.Item {
	return &store.Item{
		Route: store.Route{Queue: d.HookQueue, Set: d.Set, Kind: kind},
		Task:  store.Task{ID: kind, Enqueued: time.Now()},
	}
}
