package script

import (
	"fmt"
	"slices"

	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/handlers"
)

// fields are those of all objects.
var fields = slices.Concat(taskFields, runFields, eventFields)

// object is a value with fields that cannot change. Those that take work are made once.
type object struct {
	name string
	made map[string]starlark.Value
}

func (o *object) String() string        { return "<" + o.name + ">" }
func (o *object) Type() string          { return o.name }
func (o *object) Freeze()               {}
func (o *object) Truth() starlark.Bool  { return true }
func (o *object) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable type: %s", o.name) }

// once makes a field when it is first asked for.
func (o *object) once(field string, fresh func() (starlark.Value, error)) (starlark.Value, error) {
	if v, ok := o.made[field]; ok {
		return v, nil
	}
	v, err := fresh()
	if err != nil {
		return nil, err
	}
	if o.made == nil {
		o.made = make(map[string]starlark.Value)
	}
	o.made[field] = v
	return v, nil
}

// arguments decodes the arguments of a task or run.
func (o *object) arguments(decode func(any) error) (starlark.Value, error) {
	return o.once("args", func() (starlark.Value, error) {
		var raw rawJSON
		if err := decode(&raw); err != nil {
			return nil, err
		}
		v, err := fromJSON(raw)
		if err != nil {
			return nil, handlers.Permanent(fmt.Errorf("decode arguments: %w", err))
		}
		return v, nil
	})
}

// rawJSON keeps a document as it is.
type rawJSON []byte

// UnmarshalJSON implements json.Unmarshaler.
func (r *rawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

var taskFields = []string{"id", "kind", "queue", "retry", "snoozes", "set", "job", "run", "headers", "args"}

// task is an attempt as a script sees it.
type task struct {
	object
	a *handlers.Attempt
}

func newTask(a *handlers.Attempt) *task { return &task{object{name: "task"}, a} }

// AttrNames implements [starlark.HasAttrs].
func (t *task) AttrNames() []string { return taskFields }

// Attr implements [starlark.HasAttrs].
func (t *task) Attr(name string) (starlark.Value, error) {
	switch name {
	case "id":
		return starlark.String(t.a.ID), nil
	case "kind":
		return starlark.String(t.a.Kind), nil
	case "queue":
		return starlark.String(t.a.Queue), nil
	case "retry":
		return starlark.MakeInt(t.a.Retry), nil
	case "snoozes":
		return starlark.MakeInt(t.a.Snoozes), nil
	case "set":
		return starlark.String(t.a.Run.Set), nil
	case "job":
		return starlark.String(t.a.Run.Job), nil
	case "run":
		return starlark.MakeInt64(t.a.Run.Number), nil
	case "headers":
		return t.once(name, func() (starlark.Value, error) { return toScript(t.a.Headers) })
	case "args":
		return t.arguments(t.a.DecodeArgs)
	}
	return nil, nil
}

var runFields = []string{
	"job", "number", "set", "status", "total", "succeeded", "failed", "cancelled", "retried",
	"counters", "redrive_of", "error", "retry", "headers", "args",
}

// run is the run of a hook as a script sees it.
type run struct {
	object
	r *handlers.Run
}

func newRun(r *handlers.Run) *run { return &run{object{name: "run"}, r} }

// AttrNames implements [starlark.HasAttrs].
func (r *run) AttrNames() []string { return runFields }

// Attr implements [starlark.HasAttrs].
func (r *run) Attr(name string) (starlark.Value, error) {
	switch name {
	case "job":
		return starlark.String(r.r.Job), nil
	case "number":
		return starlark.MakeInt64(r.r.Number), nil
	case "set":
		return starlark.String(r.r.Set), nil
	case "status":
		return starlark.String(r.r.Status), nil
	case "total":
		return starlark.MakeInt64(r.r.Counts.Total), nil
	case "succeeded":
		return starlark.MakeInt64(r.r.Counts.Succeeded), nil
	case "failed":
		return starlark.MakeInt64(r.r.Counts.Failed), nil
	case "cancelled":
		return starlark.MakeInt64(r.r.Counts.Cancelled), nil
	case "retried":
		return starlark.MakeInt64(r.r.Retried), nil
	case "counters":
		return r.once(name, func() (starlark.Value, error) { return toScript(r.r.Counters) })
	case "redrive_of":
		return starlark.MakeInt64(r.r.RedriveOf), nil
	case "error":
		return starlark.String(r.r.Error), nil
	case "retry":
		return starlark.MakeInt(r.r.Retry), nil
	case "headers":
		return r.once(name, func() (starlark.Value, error) { return toScript(r.r.Headers) })
	case "args":
		return r.arguments(r.r.DecodeArgs)
	}
	return nil, nil
}

var eventFields = []string{"name", "task", "data"}

// event is an event as a script sees it.
type event struct {
	object
	e    handlers.Event
	data any
}

func newEvent(e handlers.Event, data any) *event { return &event{object{name: "event"}, e, data} }

// AttrNames implements [starlark.HasAttrs].
func (e *event) AttrNames() []string { return eventFields }

// Attr implements [starlark.HasAttrs].
func (e *event) Attr(name string) (starlark.Value, error) {
	switch name {
	case "name":
		return starlark.String(e.e.Name), nil
	case "task":
		return e.once(name, func() (starlark.Value, error) { return newTask(e.e.Attempt), nil })
	case "data":
		return e.once(name, func() (starlark.Value, error) { return toScript(e.data) })
	}
	return nil, nil
}
