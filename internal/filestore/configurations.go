package filestore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// document finds a document, an empty one if there is none.
func (s *state) document(id store.ConfigurationID) (*document, error) {
	if id.Set == "" {
		r, err := s.run(id.Run)
		if err != nil {
			return nil, err
		}
		return &r.Document, nil
	}
	if d := s.Configurations[id.Set]; d != nil {
		return d, nil
	}
	return &document{}, nil
}

// PublishSet stores the description of a set.
func (b *backend) PublishSet(ctx context.Context, r store.SetRecord) error {
	return do(ctx, b, r, func(s *state, r store.SetRecord) error {
		s.Sets[r.Name] = append([]byte{}, r.Description...)
		return nil
	})
}

// Sets lists what was published.
func (b *backend) Sets(ctx context.Context, partition int) ([]store.SetRecord, error) {
	return read(ctx, b, partition, func(s *state, _ int) (all []store.SetRecord, err error) {
		for _, name := range slices.Sorted(maps.Keys(s.Sets)) {
			all = append(all, store.SetRecord{Name: name, Description: s.Sets[name]})
		}
		return all, nil
	})
}

// Configuration reads a document.
func (b *backend) Configuration(ctx context.Context, id store.ConfigurationID) (store.ConfigurationRecord, error) {
	return read(ctx, b, id, func(s *state, id store.ConfigurationID) (rec store.ConfigurationRecord, err error) {
		d, err := s.document(id)
		if err == nil {
			rec = store.ConfigurationRecord{Version: d.Version, Document: d.Body}
		}
		return rec, err
	})
}

// WatchConfigurations reads the documents of sets.
func (b *backend) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	var all []store.ConfigurationRecord
	for _, set := range sets {
		rec, err := b.Configuration(ctx, store.ConfigurationID{Set: set})
		if err != nil {
			return nil, err
		}
		all = append(all, rec)
	}
	return all, nil
}

// WriteConfiguration replaces or removes a document.
func (b *backend) WriteConfiguration(ctx context.Context, p store.ConfigurationWrite) (int64, error) {
	return change(ctx, b, p, func(s *state, p store.ConfigurationWrite) (int64, error) {
		version, changed, err := s.configure(p)
		if changed {
			s.audits(ctx, actions.Configure, p.ID.Run, p.ID.Set, p.Reason)
		}
		return version, err
	})
}

func (s *state) configure(p store.ConfigurationWrite) (version int64, changed bool, err error) {
	d, err := s.document(p.ID)
	if err != nil {
		return 0, false, err
	}
	for _, c := range d.Changes {
		if c.Token == p.Token {
			return c.Version, false, nil
		}
	}
	if r, err := s.run(p.ID.Run); err == nil && r.Status.Final() {
		return 0, false, store.ErrRunFinished
	}
	if p.IfVersion != store.AnyVersion && p.IfVersion != d.Version {
		return 0, false, fmt.Errorf("%w: the %s has version %d", store.ErrConflict, p.ID, d.Version)
	}
	c := store.ConfigurationChange{Version: d.Version + 1, By: p.By, Reason: p.Reason, At: s.now, Before: d.Body}
	d.Changes = slices.Insert(d.Changes, 0, documentChange{c, p.Token})
	d.Changes = d.Changes[:min(len(d.Changes), store.ConfigurationChanges)]
	d.Version, d.Body = c.Version, p.Document
	if p.ID.Set != "" {
		s.Configurations[p.ID.Set] = d
	}
	return d.Version, true, nil
}

// ConfigurationHistory reads the last changes of a document.
func (b *backend) ConfigurationHistory(
	ctx context.Context, id store.ConfigurationID,
) ([]store.ConfigurationChange, error) {
	return read(ctx, b, id, func(s *state, id store.ConfigurationID) (all []store.ConfigurationChange, err error) {
		d, err := s.document(id)
		if err != nil {
			return nil, err
		}
		for _, c := range d.Changes {
			all = append(all, c.ConfigurationChange)
		}
		return all, nil
	})
}
