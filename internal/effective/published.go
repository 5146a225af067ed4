package effective

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// publishedSet is a set as its workers published it, with the attributes in force.
type publishedSet struct {
	description handlers.SetDescription
	attrs       map[string]handlers.Attributes // by kind and alias; those of the set have an empty name
}

func (s *Sets) publishedSet(set string) (p publishedSet, ok bool) {
	if all := s.published.Load(); all != nil {
		p, ok = (*all)[set]
	}
	return p, ok
}

// readOthers reads what workers published. It also reads sets of the registry, because workers may
// have another version of them.
func (s *Sets) readOthers(ctx context.Context) error {
	records, err := s.readAll(ctx)
	if err != nil || len(records) == 0 {
		return err
	}
	names := make([]string, len(records))
	for i, r := range records {
		names[i] = r.Name
	}
	err = s.othersDocs.read(ctx, s.cfg.Store, names, func(string, int64, handlers.Configuration, error) {})
	if err != nil {
		return err
	}
	sets := make(map[string]publishedSet, len(records))
	for _, r := range records {
		if d, err := decodeDescription(r); err == nil { // Published reports the other errors
			sets[r.Name] = resolve(d, s.othersDocs.good[r.Name])
		}
	}
	s.published.Store(&sets)
	return nil
}

func resolve(d handlers.SetDescription, c handlers.Configuration) publishedSet {
	s := publishedSet{description: d, attrs: make(map[string]handlers.Attributes)}
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

// readAll reads what was published in all partitions, or fails.
func (s *Sets) readAll(ctx context.Context) ([]store.SetRecord, error) {
	read := make([][]store.SetRecord, s.cfg.Store.Partitions())
	errs := make([]error, len(read))
	group := lifecycle.New(ctx)
	for partition := range read {
		group.Go(func(ctx context.Context) { read[partition], errs[partition] = s.cfg.Store.Sets(ctx, partition) })
	}
	group.Wait()
	return slices.Concat(read...), store.JoinFields(errs...)
}

// Published reads the descriptions that workers have published of the sets of a partition. It
// leaves out those that cannot be read, and then [store.ErrCorrupt] names them.
func (s *Sets) Published(ctx context.Context, partition int) (sets []handlers.SetDescription, err error) {
	records, err := s.cfg.Store.Sets(ctx, partition)
	if err != nil {
		return nil, err
	}
	var bad []error
	for _, r := range records {
		d, err := decodeDescription(r)
		if err != nil {
			bad = append(bad, err)
			continue
		}
		sets = append(sets, d)
	}
	return sets, store.JoinFields(bad...)
}

// Unknown returns those of the kinds that neither the registry nor any worker knows, in any version
// of the set. known is false if the set itself is unknown. Before it answers that something is
// unknown, it reads the store.
func (s *Sets) Unknown(ctx context.Context, set string, kinds []string) (unknown []string, known bool, err error) {
	unknown, known = s.unknown(set, kinds)
	if known && len(unknown) == 0 {
		return nil, true, nil
	}
	if err := s.others.force(ctx); err != nil {
		return nil, false, fmt.Errorf("read what workers published: %w", err)
	}
	unknown, known = s.unknown(set, kinds)
	return unknown, known, nil
}

func (s *Sets) unknown(set string, kinds []string) (unknown []string, known bool) {
	code, own := s.code[set]
	p, published := s.publishedSet(set)
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		return has(code, kind) || has(p.description, kind)
	}), own || published
}

func has(d handlers.SetDescription, kind string) bool {
	return slices.ContainsFunc(d.Kinds, func(k handlers.KindDescription) bool { return k.Name == kind })
}

// Publish writes descriptions of the registry's sets to the store: of those that are kept in this
// partition. They are for processes without a registry. A worker calls it before it opens a
// session. So if the server loses the descriptions, it also loses the session, and before the next
// session they are written again. If the call fails, only the view of operators is incomplete.
func (s *Sets) Publish(ctx context.Context, partition int) error {
	for _, set := range s.names {
		if store.PartitionOf(set, s.cfg.Store.Partitions()) != partition {
			continue
		}
		b, err := json.Marshal(storedSet{storedVersion, s.code[set]})
		if err != nil {
			return fmt.Errorf("describe the set %q: %w", set, err)
		}
		if err := s.cfg.Store.PublishSet(ctx, store.SetRecord{Name: set, Description: b}); err != nil {
			return fmt.Errorf("publish the set %q: %w", set, err)
		}
	}
	return nil
}

// storedSet is the stored form of a description. Later versions of the code may add fields, but
// never change one.
type storedSet struct {
	Version int `json:"v"`
	handlers.SetDescription
}

const storedVersion = 1

func decodeDescription(r store.SetRecord) (handlers.SetDescription, error) {
	var p storedSet
	err := json.Unmarshal(r.Description, &p)
	if err == nil && p.Version != storedVersion {
		err = fmt.Errorf("is of version %d", p.Version)
	}
	if err != nil {
		return handlers.SetDescription{}, fmt.Errorf("%w: description of the set %q: %w", store.ErrCorrupt, r.Name, err)
	}
	return p.SetDescription, nil
}
