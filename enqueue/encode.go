package enqueue

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Router says in which queue the tasks of a kind wait. A handlers.Registry is one. For an unknown
// set or kind it returns a [*store.FieldError] of the field "Set" or "Kind".
type Router interface {
	Queue(set, kind string) (string, error)
}

// Encode encodes an item for a run of the given handler set, as an [Enqueuer] with this
// configuration does. It checks the item, finds its queue, and adds the propagator's headers for
// ctx. An item without an ID gets a new one: 20 lower-case characters. Store and
// Logger of the configuration are not used; nil means all defaults. It reports all problems at
// once, as [*store.FieldError]s. If the payload is too large, the error also matches
// [store.ErrPayloadTooLarge]. It makes no call.
func Encode(ctx context.Context, cfg *Config, set string, it Item) (store.Item, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	kind, payload, badArgs := cfg.payload(it)
	queue, badRoute := cfg.queue(set, kind, it.opts.Queue)
	if badArgs != nil && kind == "" {
		badRoute = store.ValidateName("Set", set) // an item without arguments cannot return its kind
	}
	if err := store.JoinFields(badArgs, it.opts.validate(), badRoute); err != nil {
		return store.Item{}, err
	}
	opts := &it.opts
	item := store.Item{
		Route: store.Route{Queue: queue, Set: set, Kind: kind},
		Task: store.Task{
			ID:         opts.ID,
			Payload:    payload,
			Headers:    maps.Clone(opts.Headers),
			Claimed:    opts.ID != "",
			Keep:       opts.IDFor,
			Attributes: opts.overrides().Encode(),
			Enqueued:   time.Now(),
			Expires:    opts.expires(),
		},
		Delay: opts.Delay,
		At:    opts.At,
	}
	if !item.Task.Claimed {
		item.Task.ID = taskid.New(item.Task.Enqueued)
	}
	item.Task.Headers = encode.Inject(ctx, cfg.Propagator, item.Task.Headers)
	return item, nil
}

// payload returns the kind and the JSON of an item.
func (cfg *Config) payload(it Item) (string, []byte, error) {
	payload := []byte(it.payload)
	switch {
	case it.args == nil && payload == nil:
		return "", nil, invalid("Args", "is nil")
	case it.args == nil:
		if !json.Valid(payload) {
			return it.kind, nil, invalid("Payload", "is not JSON")
		}
	default:
		if v := reflect.ValueOf(it.args); v.Kind() == reflect.Pointer && v.IsNil() {
			return "", nil, invalid("Args", "is a nil pointer")
		}
		var err error
		if payload, err = json.Marshal(it.args); err != nil {
			return it.args.Kind(), nil, fmt.Errorf("%w: %w", invalid("Args", "does not encode as JSON"), err)
		}
	}
	limit := cfg.MaxPayload
	if limit <= 0 {
		limit = bounds.DefaultMaxPayload
	}
	if len(payload) > limit {
		reason := fmt.Sprintf("is %d bytes, over the limit of %d", len(payload), limit)
		return it.Kind(), nil, fmt.Errorf("%w: %w", invalid("Payload", reason), store.ErrPayloadTooLarge)
	}
	return it.Kind(), payload, nil
}

// queue checks the names and returns where a task of the kind waits.
func (cfg *Config) queue(set, kind, override string) (string, error) {
	if err := store.JoinFields(store.ValidateName("Set", set), store.ValidateName("Kind", kind)); err != nil {
		return "", err
	}
	queue := DefaultQueue
	if cfg.Router != nil {
		var err error
		if queue, err = cfg.Router.Queue(set, kind); err != nil {
			return "", err
		}
	}
	if override != "" {
		queue = override
	}
	return queue, nil
}
