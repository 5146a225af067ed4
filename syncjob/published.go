package syncjob

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// knows reports whether the registry has the set.
func (m *Manager) knows(set string) bool {
	if m.cfg.Registry == nil {
		return false
	}
	_, ok := m.cfg.Registry.Set(set)
	return ok
}

// fresh makes what inForce says of the set no older than freshFor.
func (m *Manager) fresh(ctx context.Context, set string) {
	if m.knows(set) {
		m.configs.fresh(ctx)
	} else {
		m.published.fresh(ctx)
	}
}

// describe tells what the set is: by the registry, or else as workers have published it. It reports false of one that is in neither.
func (m *Manager) describe(set string) (handlers.SetDescription, bool) {
	if !m.knows(set) {
		s := m.published.set(set)
		return s.description, s.attrs != nil
	}
	d, err := m.cfg.Registry.Describe(set)
	return d, err == nil
}

// attributes are those in force of a kind, or with no kind of the set itself, if they are known.
func (m *Manager) attributes(set, kind string) (attrs handlers.Attributes, ok bool) {
	if !m.knows(set) {
		attrs, ok = m.published.set(set).attrs[kind]
		return attrs, ok
	}
	attrs, err := m.live.Attributes(set, kind)
	return attrs, err == nil
}

// inForce are the attributes in force as far as they are known, and the defaults otherwise.
func (m *Manager) inForce(set, kind string) handlers.Attributes {
	if attrs, ok := m.attributes(set, kind); ok {
		return attrs
	}
	return handlers.Attributes{Queue: enqueue.DefaultQueue, Weight: handlers.DefaultWeight}
}

// firstKind is the kind in whose queue the hooks of a run without a root task wait; empty if the set has none that is known.
func (m *Manager) firstKind(set string) string {
	d, ok := m.describe(set)
	if !ok || len(d.Kinds) == 0 {
		return ""
	}
	return d.Kinds[0].Name
}

// runsInReadOnly reports whether the set's tasks start in read-only mode.
func (m *Manager) runsInReadOnly(set string) bool {
	d, ok := m.describe(set)
	return ok && d.RunsInReadOnly
}

// published is what is known of the sets that the registry does not have: as their workers have published them, and as they
// are configured, by the last reading. Who has a registry reads it only to fire the jobs of others.
type published struct {
	store store.Configurations
	log   *slog.Logger

	reading sync.Mutex
	looked  atomic.Int64                        // when it was last tried, in ns since 1970
	sets    atomic.Pointer[map[string]knownSet] // by name; never changed
}

// knownSet is what is in force for a set.
type knownSet struct {
	description handlers.SetDescription
	configured  Configuration
	attrs       map[string]handlers.Attributes // by kind and alias, and under no name those of the set
}

// fresh reads it, unless that was just tried. A store that does not answer soon is not waited for.
func (p *published) fresh(ctx context.Context) {
	if !p.stale() {
		return
	}
	if p.looked.Load() == 0 {
		p.reading.Lock() // nobody goes by nothing while the first reading is on its way
	} else if !p.reading.TryLock() {
		return
	}
	defer p.reading.Unlock()
	if !p.stale() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, freshFor)
	defer cancel()
	if err := p.read(ctx); err != nil {
		p.log.WarnContext(ctx, "cannot read what workers published; what was known of sets stays", "error", err)
	}
	p.looked.Store(time.Now().UnixNano())
}

func (p *published) stale() bool { return time.Now().UnixNano()-p.looked.Load() >= int64(freshFor) }

func (p *published) read(ctx context.Context) error {
	records, err := p.store.Sets(ctx)
	if err != nil || len(records) == 0 {
		return err
	}
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = r.Name
	}
	configured, err := p.store.WatchConfigurations(ctx, names)
	if err != nil {
		return err
	}
	sets := make(map[string]knownSet, len(records))
	for i, r := range records {
		if d, err := decodeDescription(r); err == nil { // Manager.Sets tells of others
			sets[r.Name] = newKnownSet(d, p.configuration(r.Name, configured[i]))
		}
	}
	p.sets.Store(&sets)
	return nil
}

// configuration is what is configured of a set; the last good one if it cannot be read.
func (p *published) configuration(set string, r store.ConfigurationRecord) Configuration {
	if r.Err == nil {
		if c, err := handlers.DecodeConfiguration(r.Document); err == nil {
			return c
		}
	}
	return p.set(set).configured
}

func newKnownSet(d handlers.SetDescription, c Configuration) knownSet {
	s := knownSet{description: d, configured: c, attrs: make(map[string]handlers.Attributes)}
	names := []string{""}
	for _, k := range d.Kinds {
		names = append(append(names, k.Name), k.Aliases...)
	}
	for _, name := range names {
		if attrs, err := d.Effective(name, c); err == nil {
			s.attrs[name] = attrs
		}
	}
	return s
}

// set is what is known of a set; the zero value is nothing.
func (p *published) set(name string) knownSet {
	if sets := p.sets.Load(); sets != nil {
		return (*sets)[name]
	}
	return knownSet{}
}

// Queue makes it an [enqueue.Router] for producers without a registry. Nothing is unknown to it: workers may yet come.
func (p *published) Queue(set, kind string) (string, error) {
	if attrs, ok := p.set(set).attrs[kind]; ok {
		return attrs.Queue, nil
	}
	return enqueue.DefaultQueue, nil
}
