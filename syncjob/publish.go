package syncjob

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// publish tells whoever has no registry what the sets of the worker are that lie in a partition. It comes before each
// session, so a server that has the session has them, too: where they are lost, the session is, and the next one brings them
// again. A failure costs operators a view, and nobody else anything.
func (m *Manager) publish(ctx context.Context, partition int) error {
	for _, set := range m.cfg.Registry.Sets() {
		if store.PartitionOf(set, m.store.Partitions()) != partition {
			continue
		}
		d, err := m.cfg.Registry.Describe(set)
		if err != nil {
			return err
		}
		b, err := json.Marshal(publishedSet{publishedVersion, d})
		if err != nil {
			return fmt.Errorf("describe the set %q: %w", set, err)
		}
		if err := m.store.PublishSet(ctx, store.SetRecord{Name: set, Description: b}); err != nil {
			return fmt.Errorf("publish the set %q: %w", set, err)
		}
	}
	return nil
}

// publishedSet is the stored form of a description. Fields are only ever added.
type publishedSet struct {
	Version int `json:"v"`
	handlers.SetDescription
}

const publishedVersion = 1

func decodeDescription(r store.SetRecord) (handlers.SetDescription, error) {
	var p publishedSet
	err := json.Unmarshal(r.Description, &p)
	if err == nil && p.Version != publishedVersion {
		err = fmt.Errorf("is of version %d", p.Version)
	}
	if err != nil {
		return handlers.SetDescription{}, fmt.Errorf("%w: description of the set %q: %w", store.ErrCorrupt, r.Name, err)
	}
	return p.SetDescription, nil
}
