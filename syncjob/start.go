package syncjob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
)

// IfActive says what [Manager.Start] does while a run of the job is active.
type IfActive uint8

// What Start does while a run of the job is active. For a declared job it is always IfActiveRefuse.
const (
	IfActiveRefuse  IfActive = iota // return [ErrJobExists] and the active run
	IfActiveJoin                    // return the active run
	IfActiveReplace                 // stop the active run, wait until its handlers have returned, and start
)

// StartOptions says how to start.
type StartOptions struct {
	// Key makes Start repeatable across processes: the same key gives the same run of the job, also
	// a finished one, as long as its summary is kept. Only the key is compared, not the arguments.
	// A key belongs to the job's name. A Start that joins an active run does not give the run its
	// key. Empty means a new run with every call.
	Key string
	// IfActive is what to do while a run of the job is active. Defaults to IfActiveRefuse.
	IfActive IfActive
}

func (o *StartOptions) validate() error {
	var errs []error
	if o.Key != "" {
		errs = append(errs, checkText("Key", o.Key))
	}
	if o.IfActive > IfActiveReplace {
		errs = append(
			errs, &FieldError{Field: "IfActive", Reason: "is not one of IfActiveRefuse, IfActiveJoin and IfActiveReplace"},
		)
	}
	return store.JoinFields(errs...)
}

// Start starts a run of a single-pass job. It checks the input, then calls the set's Validate hook,
// and only then writes. Lost replies are repeated within the call and never start a second run. To
// repeat the call itself, for example after a crash, set StartOptions.Key.
//
// With [ErrJobExists] it also returns the active run. With [IfActiveReplace] it stops the active
// run and waits until its handlers have returned. If ctx ends meanwhile, that run is stopped and no
// new one is started.
//
// The name of a declared job always gives [ErrJobExists], whatever IfActive is, also while the job
// is stopped. Nothing is stopped or written. The active run is returned; it is nil if there is
// none. Use [Manager.TriggerNow] to start a run of a periodic job, and [Manager.Ensure] or
// [Manager.Enable] for that of a standing job. There is one exception: a Key that was used before
// the job was declared still returns its run.
func (m *Manager) Start(ctx context.Context, j Job, opts *StartOptions) (*Run, error) {
	var o StartOptions
	if opts != nil {
		o = *opts
	}
	m.sets.Fresh(ctx, j.Set)
	d, err := m.define(ctx, j)
	if j.Schedule != nil {
		err = store.JoinFields(err, &FieldError{Field: "Schedule", Reason: "is for jobs that Ensure declares"})
	}
	if err := store.JoinFields(err, o.validate()); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	p := m.params(d, j.Name, startToken(o.Key))
	if err := m.allow(ctx, p); err != nil {
		return nil, fmt.Errorf("start job %q: %w", j.Name, err)
	}
	p.Headers = encode.Inject(ctx, m.cfg.Propagator, p.Headers)
	if p.Root != nil {
		p.Root.Task.Headers = encode.Inject(ctx, m.cfg.Propagator, p.Root.Task.Headers)
	}
	for {
		run, err := m.startRun(ctx, p)
		var exists *JobExistsError
		if !errors.As(err, &exists) {
			return run, err
		}
		active := m.incumbent(exists)
		switch {
		case exists.Declared != "": // its runs are begun in another way, and ended in another way
			return active, err
		case o.IfActive == IfActiveJoin:
			return active, nil
		case o.IfActive == IfActiveReplace:
			if err := active.drain(ctx); err != nil {
				return nil, fmt.Errorf("replace: %w", err)
			}
		default:
			return active, err
		}
	}
}

// incumbent returns the active run that prevented the start; nil if none is active. It may be of
// another set.
func (m *Manager) incumbent(exists *JobExistsError) *Run {
	if exists.Active.Number == 0 {
		return nil
	}
	run := m.known(exists.Active, "")
	run.existing = true
	return run
}

// startToken makes the token of a start from the caller's key; without a key it makes a random one.
// Different prefixes keep the two apart.
func startToken(key string) string {
	if key != "" {
		return "k/" + key
	}
	return madeUp + rand.Text()
}

// madeUp is the prefix of random tokens.
const madeUp = "r/"

func (m *Manager) startRun(ctx context.Context, p store.StartParams) (*Run, error) {
	reply, err := m.store.StartRun(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("start job %q: %w", p.Job, err)
	}
	// No other call has this random token. If it finds a run, this call started that run, and the
	// reply was lost.
	existing := reply.Existing && !strings.HasPrefix(p.Token, madeUp)
	set := p.Set
	if existing {
		set = "" // it may have been started with another
	} else {
		m.journal.runStarted(ctx, reply.Run, &p)
	}
	run := m.known(reply.Run, set)
	run.existing = existing
	return run, nil
}

// allow calls the set's Validate hook, if the registry has it, with the run that would start.
func (m *Manager) allow(ctx context.Context, p store.StartParams) error {
	if m.cfg.Registry == nil {
		return nil
	}
	return m.cfg.Registry.Validate(ctx, store.RunRecord{
		ID: store.RunID{
			Job: p.Job,
		}, Set: p.Set, Args: p.Args, Headers: p.Headers, Weight: p.Weight, RedriveOf: p.RedriveOf,
	})
}

// drain stops the run and waits for its end.
func (r *Run) drain(ctx context.Context) error {
	err := r.Stop(ctx, &StopOptions{Reason: replacedReason})
	if errors.Is(err, ErrRunFinished) || errors.Is(err, ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.Wait(ctx)
	return err
}
