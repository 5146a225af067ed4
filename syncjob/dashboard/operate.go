package dashboard

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// queuesBody is all queues with tasks.
type queuesBody struct {
	Queues []states.Queue
	Paused pauseList
	Done   charts // within the last hour
	err    error
}

func (b *queuesBody) missing() error { return b.err }

// IsPaused reports whether exactly this scope is paused.
func (b *queuesBody) IsPaused(queue, set, kind string) bool {
	return slices.ContainsFunc(b.Paused.Pauses, func(p states.Pause) bool {
		return p.Scope == syncjob.Scope{Queue: queue, Set: set, Kind: kind}
	})
}

func (d *source) queuesPage(ctx context.Context, _ url.Values) (any, error) {
	queues, err := d.queues.get(ctx)
	if err != nil && !partly(err) {
		return nil, err
	}
	pauses, pausesErr := d.pauses.get(ctx)
	if pausesErr != nil && !partly(pausesErr) {
		return nil, pausesErr
	}
	done, doneErr := d.done.get(ctx)
	if doneErr != nil && !partly(doneErr) {
		return nil, doneErr
	}
	return &queuesBody{
		Queues: queues, Paused: pauses, Done: queueCharts(done), err: errors.Join(err, pausesErr, doneErr),
	}, nil
}

// workersBody is the workers that are alive, and those that were lost.
type workersBody struct {
	Workers  []states.Worker
	Lost     []states.LostWorker
	Versions int // how many versions of programs are alive
	err      error
}

func (b *workersBody) missing() error { return b.err }

func (d *source) workersPage(ctx context.Context, _ url.Values) (any, error) {
	workers, err := d.workers.get(ctx)
	if err != nil && !partly(err) {
		return nil, err
	}
	lost, lostErr := d.lost.get(ctx)
	if lostErr != nil && !partly(lostErr) {
		return nil, lostErr
	}
	versions := make(map[string]bool)
	for _, w := range workers {
		versions[w.Version] = true
	}
	return &workersBody{Workers: workers, Lost: lost, Versions: len(versions), err: errors.Join(err, lostErr)}, nil
}

func (d *source) pausesPage(ctx context.Context, _ url.Values) (any, error) {
	return d.readPauses(ctx)
}

func (d *source) sets(ctx context.Context, _ url.Values) (any, error) {
	return d.m.Sets(ctx)
}

// setBody is one handler set with its configuration.
type setBody struct {
	Set        handlers.SetDescription
	Kinds      []kindRow
	Configured syncjob.SetConfiguration
	Document   string
	Unreadable string // why the configuration cannot be read
	History    []change
	Alive      int             // workers with the set
	Behind     []states.Worker // those that have another version in force
}

func (b *setBody) title() string { return "Handler set " + b.Set.Name }

// kindRow is a kind with the attributes that hold for it now.
type kindRow struct {
	Name       string
	Attributes handlers.Attributes
}

// change is one change of the configuration, with the document before it.
type change struct {
	syncjob.ConfigurationChange
	Was string
}

func (d *source) set(ctx context.Context, q url.Values) (any, error) {
	name := q.Get("set")
	sets, err := d.m.Sets(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(sets, func(s handlers.SetDescription) bool { return s.Name == name })
	if at < 0 {
		return nil, &statusError{404, "No worker has published a handler set of this name.", nil}
	}
	b := &setBody{Set: sets[at]}
	b.Configured, err = d.m.Configuration(ctx, name, nil)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		b.Unreadable = err.Error()
	}
	if b.Document, err = document(b.Configured.Configuration); err != nil {
		return nil, err
	}
	for _, k := range b.Set.Kinds {
		a, err := b.Set.Effective(k.Name, b.Configured.Configuration)
		if err != nil {
			return nil, err
		}
		b.Kinds = append(b.Kinds, kindRow{k.Name, a})
	}
	workers, err := d.workers.get(ctx)
	if err != nil && !partly(err) {
		return nil, err
	}
	for _, w := range workers {
		if !slices.ContainsFunc(w.Kinds, func(kind string) bool { return strings.HasPrefix(kind, name+"/") }) {
			continue
		}
		if b.Alive++; w.Configurations[name] != b.Configured.Version {
			b.Behind = append(b.Behind, w)
		}
	}
	history, err := d.m.History(ctx, name, nil)
	if err != nil && b.Unreadable == "" {
		return nil, err
	}
	for _, c := range history {
		was, err := document(c.Before)
		if err != nil || c.Err != nil {
			was = "cannot be read"
		}
		b.History = append(b.History, change{c, was})
	}
	return b, nil
}
