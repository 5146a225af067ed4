package memstore

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/signals"
)

// document is a configuration with its last changes, newest first.
type document struct {
	version int64
	body    []byte
	changes []change
}

type change struct {
	store.ConfigurationChange
	token string
}

// PublishSet stores the description of a set.
func (s *backend) PublishSet(ctx context.Context, r store.SetRecord) error {
	part, err := s.of(ctx, r.Name)
	if err != nil {
		return err
	}
	defer part.unlock()
	if was, ok := part.sets[r.Name]; !ok || !bytes.Equal(was, r.Description) {
		part.sets[r.Name] = append([]byte{}, r.Description...)
		part.signal(store.Signal{Type: signals.Configuration})
	}
	return nil
}

// Sets lists the published descriptions.
func (s *backend) Sets(ctx context.Context, partition int) ([]store.SetRecord, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	var all []store.SetRecord
	for name, description := range part.sets {
		all = append(all, store.SetRecord{Name: name, Description: bytes.Clone(description)})
	}
	slices.SortFunc(all, func(a, b store.SetRecord) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// Configuration reads a document.
func (s *backend) Configuration(ctx context.Context, id store.ConfigurationID) (store.ConfigurationRecord, error) {
	part, doc, err := s.document(ctx, id)
	if err != nil {
		return store.ConfigurationRecord{}, err
	}
	defer part.unlock()
	return doc.record(), nil
}

// WatchConfigurations reads the documents of sets.
func (s *backend) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	records := make([]store.ConfigurationRecord, len(sets))
	for i, set := range sets {
		var err error
		if records[i], err = s.Configuration(ctx, store.ConfigurationID{Set: set}); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// ConfigurationHistory reads the last changes of a document.
func (s *backend) ConfigurationHistory(
	ctx context.Context, id store.ConfigurationID,
) ([]store.ConfigurationChange, error) {
	part, doc, err := s.document(ctx, id)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	changes := make([]store.ConfigurationChange, 0, len(doc.changes))
	for _, c := range doc.changes {
		c.Before = bytes.Clone(c.Before)
		changes = append(changes, c.ConfigurationChange)
	}
	return changes, nil
}

// document finds a document; if there is none, it returns an empty one. Unless it fails, it locks
// the partition.
func (s *backend) document(ctx context.Context, id store.ConfigurationID) (*partition, *document, error) {
	name := id.Set
	if name == "" {
		name = id.Run.Job
	}
	part, err := s.of(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if id.Set != "" {
		doc := part.configurations[id.Set]
		if doc == nil {
			doc = &document{}
		}
		return part, doc, nil
	}
	r, err := part.run(id.Run)
	if err != nil {
		part.unlock()
		return nil, nil, err
	}
	return part, &r.configuration, nil
}

func (d *document) record() store.ConfigurationRecord {
	return store.ConfigurationRecord{Version: d.version, Document: bytes.Clone(d.body)}
}

// WriteConfiguration replaces or removes a document.
func (s *backend) WriteConfiguration(ctx context.Context, p store.ConfigurationWrite) (int64, error) {
	part, doc, err := s.document(ctx, p.ID)
	if err != nil {
		return 0, err
	}
	defer part.unlock()
	for _, c := range doc.changes {
		if c.token == p.Token {
			return c.Version, nil
		}
	}
	if r := part.runs[p.ID.Run.Number]; r != nil {
		if r.rec.Status.Final() {
			return 0, store.ErrRunFinished
		}
		defer part.moved(r)
	}
	if p.IfVersion != store.AnyVersion && p.IfVersion != doc.version {
		return 0, fmt.Errorf("%w: the %s has version %d", store.ErrConflict, p.ID, doc.version)
	}
	if p.ID.Set != "" {
		part.configurations[p.ID.Set] = doc
		part.signal(store.Signal{Type: signals.Configuration})
	}
	doc.write(p, part)
	part.note(ctx, actions.Configure, p.ID.Run, p.ID.Set, p.Reason)
	return doc.version, nil
}

func (d *document) write(p store.ConfigurationWrite, part *partition) {
	d.version++
	d.changes = slices.Insert(d.changes, 0, change{
		ConfigurationChange: store.ConfigurationChange{
			Version: d.version,
			By:      p.By,
			Reason:  p.Reason,
			At:      part.now(),
			Before:  d.body,
		},
		token: p.Token,
	})
	d.changes = d.changes[:min(len(d.changes), store.ConfigurationChanges)]
	if d.body = nil; p.Document != nil {
		d.body = append([]byte{}, p.Document...)
	}
}
