package syncjob

import (
	"encoding/json"
	"fmt"
	"time"

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
	OnFailure OnFailure         `json:"on_failure,omitempty"`
	Deadline  time.Duration     `json:"deadline,omitempty"`
	Weight    float64           `json:"weight,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
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
	Expires    time.Time         `json:"expires,omitzero"`
}

const (
	definitionVersion = 1
	// rootID is the ID of a root task if the caller chose none. It is not random, so the same job
	// always has the same definition.
	rootID = "root"
)

func newRootTask(it store.Item) *rootTask {
	r := &rootTask{
		Kind:       it.Route.Kind,
		Keep:       it.Task.Keep,
		Payload:    it.Task.Payload,
		Headers:    it.Task.Headers,
		Attributes: it.Task.Attributes,
		Delay:      it.Delay,
		At:         it.At,
		Expires:    it.Task.Expires,
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
			Expires:    r.Expires,
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
