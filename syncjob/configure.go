package syncjob

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// Configuration holds attributes of a set and its kinds that were changed at run time; see
// [handlers.Configuration].
type Configuration = handlers.Configuration

// NotConfigured is for ConfigureOptions.IfVersion. With it, a change is made only if the set or run
// was never configured.
const NotConfigured = -1

// ConfigureOptions configure one change of a configuration.
type ConfigureOptions struct {
	// By is who makes the change, for the history; up to 1 KiB. Defaults to the
	// actor of the context (see [WithActor]), or else to host and process ID.
	By string
	// Reason is why it is made, for the history and the audit; up to 1 KiB. Defaults to that of
	// [WithReason].
	Reason string
	// IfVersion is the version that the change is based on, or [NotConfigured]. If another version
	// is stored, nothing is changed. Defaults to any version.
	IfVersion int64
	// Run limits the change to one run that has not ended. The change is deleted with the run.
	// Defaults to all runs.
	Run *Run
}

// ConfigurationOptions select which configuration of a set to read.
type ConfigurationOptions struct {
	// Run selects what is configured for this run only. Defaults to what is configured for all
	// runs.
	Run *Run
}

// SetConfiguration is what is configured for a set, for all runs or for one.
type SetConfiguration struct {
	Set           string        `json:"set"`
	Version       int64         `json:"version"` // grows with each change; 0 if there was none
	Configuration Configuration `json:"configuration"`
}

// ConfigurationChange is one change of a configuration.
type ConfigurationChange struct {
	Version int64         `json:"version"` // after the change
	By      string        `json:"by"`
	Reason  string        `json:"reason"`
	At      time.Time     `json:"at"`     // by the store's clock
	Before  Configuration `json:"before"` // what it replaced
	// Err is why Before cannot be read; it matches [store.ErrCorrupt].
	Err error `json:"-"`
}

// Sets lists the handler sets that workers have published, sorted by name. It is for processes that
// have no registry. A worker publishes when it starts, and when it reaches the store again. If
// workers publish different versions of a set, the last one is listed. Errors, with those sets that
// could be read: a [*PartialError] if partitions did not answer; [store.ErrCorrupt] names a
// description that cannot be read.
func (m *Manager) Sets(ctx context.Context) ([]handlers.SetDescription, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("list sets: %w", err)
	}
	p := m.poll()
	sets, err := m.publishedSets(ctx, p)
	if err = store.JoinFields(p.err(), err); err != nil {
		return sets, fmt.Errorf("list sets: %w", err)
	}
	return sets, nil
}

// publishedSets lists the sets of the partitions that answer, by name. The error names those that
// cannot be read.
func (m *Manager) publishedSets(ctx context.Context, p *poll) ([]handlers.SetDescription, error) {
	read := make([][]handlers.SetDescription, p.of)
	corrupt := make([]error, p.of)
	p.ask(ctx, p.open(), func(ctx context.Context, partition int) (err error) {
		read[partition], err = m.sets.Published(ctx, partition)
		if errors.Is(err, store.ErrCorrupt) {
			corrupt[partition], err = err, nil
		}
		return err
	})
	sets := slices.Concat(read...)
	slices.SortFunc(sets, func(a, b handlers.SetDescription) int { return cmp.Compare(a.Name, b.Name) })
	return sets, store.JoinFields(corrupt...)
}

// Configuration reads what is configured for a set. Nil options mean all runs. Attributes that are
// not in it have their values in code: see [Manager.Sets] and [handlers.SetDescription.Effective].
// Errors: [ErrRunNotFound], and [store.ErrCorrupt] if the stored document cannot be read. Then
// workers keep the last configuration that they could read, and [Manager.ResetConfiguration]
// removes the document.
func (m *Manager) Configuration(ctx context.Context, set string, opts *ConfigurationOptions) (SetConfiguration, error) {
	var run *Run
	if opts != nil {
		run = opts.Run
	}
	id, err := m.configurationOf(ctx, set, run)
	if err != nil {
		return SetConfiguration{}, fmt.Errorf("read the configuration of %.80q: %w", set, err)
	}
	rec, err := m.store.Configuration(ctx, id)
	if err != nil {
		return SetConfiguration{}, fmt.Errorf("read the configuration of %.80q: %w", set, err)
	}
	c, err := handlers.DecodeConfiguration(rec.Document)
	if err != nil {
		return SetConfiguration{}, fmt.Errorf("read the %s, version %d: %w", id, rec.Version, err)
	}
	return SetConfiguration{Set: set, Version: rec.Version, Configuration: c}, nil
}

// Configure changes the configuration of a set, for all runs or, with opts.Run, for one. It returns
// the new configuration. It reads the stored configuration, calls edit to change it, and writes it
// back. If another call changed it meanwhile and opts.IfVersion is not set, it reads and calls edit
// again. Nil options mean all defaults.
//
// Attempts that start more than a second after the change use it, on every worker; running attempts
// keep what they began with. Queue changes only tasks that are enqueued later, and Weight only runs
// that start later.
//
// Errors: an error of edit is returned unchanged. [*FieldError]s name attributes that are not
// valid, attributes that are functions, kinds that neither the registry nor a worker knows, and
// attributes that a single run cannot have (queue, weight and limits). A script that does not
// compile gives one for the field "Set.Script", with line and column. So does any new script in a
// process whose registry does not have the set, because it cannot be checked there. [ErrConflict]
// says that the stored version is not opts.IfVersion. [ErrRunNotFound], [ErrRunFinished]. With an
// error nothing is written, except with [ErrUnavailable]: then the change may be written or not.
func (m *Manager) Configure(
	ctx context.Context, set string, opts *ConfigureOptions, edit func(*Configuration) error,
) (SetConfiguration, error) {
	o := opts.withDefaults(ctx)
	if edit == nil {
		return SetConfiguration{}, fmt.Errorf("configure %.80q: %w", set, &FieldError{Field: "Edit", Reason: "is nil"})
	}
	for {
		is, err := m.Configuration(ctx, set, &ConfigurationOptions{Run: o.Run})
		if err == nil {
			err = o.checkVersion(is.Version)
		}
		if err != nil {
			return SetConfiguration{}, fmt.Errorf("configure: %w", err)
		}
		next := is
		next.Configuration = is.Configuration.Clone()
		if err := edit(&next.Configuration); err != nil {
			return is, err
		}
		next.Version, err = m.configure(ctx, is, next.Configuration, o)
		switch {
		case err == nil:
			return next, nil
		case !errors.Is(err, ErrConflict) || o.IfVersion != 0:
			return is, fmt.Errorf("configure %.80q: %w", set, err)
		}
	}
}

// configure writes the edited configuration, and returns its version. If nothing differs, it writes
// nothing.
func (m *Manager) configure(
	ctx context.Context, is SetConfiguration, next Configuration, o ConfigureOptions,
) (int64, error) {
	err := next.Validate()
	if o.Run != nil {
		err = next.ValidateForRun()
	}
	if next.Set.Script != is.Configuration.Set.Script {
		err = store.JoinFields(err, m.checkScript(is.Set, next))
	}
	if err := store.JoinFields(err, m.checkKinds(ctx, is, next)); err != nil {
		return is.Version, err
	}
	was, err := is.Configuration.Encode()
	if err != nil {
		return is.Version, err
	}
	document, err := next.Encode()
	switch {
	case err != nil:
		return is.Version, err
	case bytes.Equal(was, document):
		return is.Version, m.goesOn(ctx, o.Run)
	}
	return m.store.WriteConfiguration(WithActor(ctx, o.By), o.write(is.Set, is.Version, document))
}

// goesOn refuses a run that has ended, where nothing is written that the store could refuse. A nil
// run is none.
func (m *Manager) goesOn(ctx context.Context, r *Run) error {
	if r == nil {
		return nil
	}
	rec, err := m.store.Run(ctx, r.id)
	if err == nil && rec.Status.Final() {
		return ErrRunFinished
	}
	return err
}

// ResetConfiguration removes the configuration of a set, so its values in code apply again. With
// opts.Run it removes that of one run, including what Job.Configuration set. It also removes a
// document that cannot be read. If nothing is configured, nothing changes. The errors are those of
// [Manager.Configure].
func (m *Manager) ResetConfiguration(ctx context.Context, set string, opts *ConfigureOptions) error {
	o := opts.withDefaults(ctx)
	id, err := m.configurationOf(ctx, set, o.Run)
	if err != nil {
		return fmt.Errorf("reset the configuration of %.80q: %w", set, err)
	}
	for {
		rec, err := m.store.Configuration(ctx, id)
		if err == nil {
			err = o.checkVersion(rec.Version)
		}
		switch {
		case err != nil:
		case rec.Document == nil:
			err = m.goesOn(ctx, o.Run)
		default:
			_, err = m.store.WriteConfiguration(WithActor(ctx, o.By), o.write(set, rec.Version, nil))
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrConflict) || o.IfVersion != 0:
			return fmt.Errorf("reset the configuration of %.80q: %w", set, err)
		}
	}
}

// History reads the last changes, up to 20, of the configuration of a set or, with opts.Run, of one
// run. The newest is first. The errors are those of [Manager.Configuration].
func (m *Manager) History(ctx context.Context, set string, opts *ConfigurationOptions) ([]ConfigurationChange, error) {
	var run *Run
	if opts != nil {
		run = opts.Run
	}
	id, err := m.configurationOf(ctx, set, run)
	if err != nil {
		return nil, fmt.Errorf("read the history of %.80q: %w", set, err)
	}
	records, err := m.store.ConfigurationHistory(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read the history of %.80q: %w", set, err)
	}
	changes := make([]ConfigurationChange, len(records))
	for i, r := range records {
		changes[i] = ConfigurationChange{Version: r.Version, By: r.By, Reason: r.Reason, At: r.At}
		changes[i].Before, changes[i].Err = handlers.DecodeConfiguration(r.Before)
	}
	return changes, nil
}

func (o *ConfigureOptions) withDefaults(ctx context.Context) ConfigureOptions {
	var c ConfigureOptions
	if o != nil {
		c = *o
	}
	if c.By == "" {
		c.By = actor(ctx)
	}
	c.Reason = cmp.Or(c.Reason, givenActor(ctx).Reason)
	return c
}

// checkVersion compares the stored version with the version that the change is based on.
func (o *ConfigureOptions) checkVersion(stored int64) error {
	switch o.IfVersion {
	case 0, stored:
		return nil
	case NotConfigured:
		if stored == 0 {
			return nil
		}
	}
	return fmt.Errorf("%w: version %d is stored", ErrConflict, stored)
}

func (o *ConfigureOptions) write(set string, version int64, document []byte) store.ConfigurationWrite {
	id := store.ConfigurationID{Set: set}
	if o.Run != nil {
		id = store.ConfigurationID{Run: o.Run.id}
	}
	return store.ConfigurationWrite{
		ID:        id,
		Token:     rand.Text(),
		IfVersion: version,
		Document:  document,
		By:        o.By,
		Reason:    o.Reason,
	}
}

// configurationOf returns the name of a document. A run must be a run of the set.
func (m *Manager) configurationOf(ctx context.Context, set string, run *Run) (store.ConfigurationID, error) {
	if err := store.ValidateName("Set", set); err != nil {
		return store.ConfigurationID{}, err
	}
	if run == nil {
		return store.ConfigurationID{Set: set}, nil
	}
	rec, err := m.store.Run(ctx, run.id)
	if err == nil && rec.Set != set {
		err = &FieldError{Field: "Run", Reason: fmt.Sprintf("is of the set %q", rec.Set)}
	}
	return store.ConfigurationID{Run: run.id}, err
}
