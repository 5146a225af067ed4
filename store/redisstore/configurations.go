package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// PublishSet implements [store.Configurations].
func (s *Store) PublishSet(ctx context.Context, r store.SetRecord) error {
	if err := s.server.Begin(ctx); err != nil {
		return err
	}
	key := s.space(r.Name).Sets
	cmd := func() rueidis.Completed {
		return s.client.B().Hset().Key(key).FieldValue().FieldValue(r.Name, string(r.Description)).Build()
	}
	err := s.server.Translate(ctx, "publish a set", s.client.Do(ctx, cmd()).Error())
	if errors.Is(err, store.ErrCorrupt) { // an index of a wrong type that no script has found yet
		err = s.client.Do(ctx, s.client.B().Unlink().Key(key).Build()).Error()
		if err == nil {
			err = s.client.Do(ctx, cmd()).Error()
		}
		err = s.server.Translate(ctx, "publish a set", err)
	}
	return err
}

// Sets implements [store.Configurations].
func (s *Store) Sets(ctx context.Context, partition int) ([]store.SetRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	cmd := s.client.B().Hgetall().Key(s.spaces[partition].Sets).Build()
	sets, err := s.client.Do(ctx, cmd).AsStrMap()
	if err = script.Empty(s.server.Translate(ctx, "list sets", err)); err != nil {
		return nil, err
	}
	var all []store.SetRecord
	for name, description := range sets {
		all = append(all, store.SetRecord{Name: name, Description: []byte(description)})
	}
	slices.SortFunc(all, func(a, b store.SetRecord) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// configuration returns the key of the document of an ID.
func (s *Store) configuration(id store.ConfigurationID) string {
	if id.Set != "" {
		return s.space(id.Set).Configuration(id.Set)
	}
	return s.space(id.Run.Job).RunConfiguration(format.RunID(id.Run.Number))
}

// Configuration implements [store.Configurations].
func (s *Store) Configuration(ctx context.Context, id store.ConfigurationID) (store.ConfigurationRecord, error) {
	if err := s.ownConfiguration(ctx, id); err != nil {
		return store.ConfigurationRecord{}, err
	}
	cmd := s.client.B().Hmget().Key(s.configuration(id)).Field(format.DocumentFields...).Build()
	return s.document(ctx, id, s.client.Do(ctx, cmd))
}

// ownConfiguration checks that the run exists.
func (s *Store) ownConfiguration(ctx context.Context, id store.ConfigurationID) error {
	if err := s.server.Begin(ctx); err != nil || id.Set != "" {
		return err
	}
	if err := s.own(ctx, id.Run); err != nil {
		return err
	}
	// The run that own remembers may have expired.
	kept, err := s.client.Do(ctx, s.client.B().Exists().Key(s.space(id.Run.Job).Run(format.RunID(id.Run.Number))).Build()).
		AsInt64()
	if err == nil && kept == 0 {
		return store.ErrRunNotFound
	}
	return s.server.Translate(ctx, "find a run", err)
}

// watchFor limits how long a document is answered from the client's cache. It matters only if
// invalidations are lost while the connection stays open; no such case is known.
const watchFor = time.Hour

// WatchConfigurations implements [store.Configurations] with the client's cache: the server tells
// each connection which of the keys that it read have changed. A client without a cache reads from
// the server each time.
func (s *Store) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	cmds := make([]rueidis.CacheableTTL, 0, len(sets))
	for _, set := range sets {
		key := s.configuration(store.ConfigurationID{Set: set})
		cmds = append(cmds, rueidis.CT(s.client.B().Hmget().Key(key).Field(format.DocumentFields...).Cache(), watchFor))
	}
	records := make([]store.ConfigurationRecord, len(sets))
	for i, r := range s.client.DoMultiCache(ctx, cmds...) {
		var err error
		id := store.ConfigurationID{Set: sets[i]}
		records[i], err = s.document(ctx, id, r)
		if errors.Is(err, store.ErrOutOfMemory) {
			// A read for the cache is a transaction. A server without memory does not queue one.
			records[i], err = s.Configuration(ctx, id)
		}
		switch {
		case errors.Is(err, store.ErrCorrupt):
			records[i].Err = err
		case err != nil:
			return nil, err
		}
	}
	return records, nil
}

// document decodes a read of documentFields.
func (s *Store) document(
	ctx context.Context, id store.ConfigurationID, r rueidis.RedisResult,
) (store.ConfigurationRecord, error) {
	v, err := r.ToArray()
	if err != nil {
		return store.ConfigurationRecord{}, s.server.Translate(ctx, "read the "+id.String(), err, s.configuration(id))
	}
	return format.DecodeDocument(id, v)
}

// WriteConfiguration implements [store.Configurations].
func (s *Store) WriteConfiguration(ctx context.Context, p store.ConfigurationWrite) (int64, error) {
	name := cmp.Or(p.ID.Set, p.ID.Run.Job)
	c := script.NewCall(s.configuration(p.ID)).Add(p.Token).Int64(p.IfVersion).Int(store.ConfigurationChanges)
	c.Add(p.By, p.Reason).Flag(p.Document != nil).Add(string(p.Document), s.space(name).Channel)
	c.Add(format.AuditLine(rules.NewAuditLine(ctx, actions.Configure, p.ID.Run, p.ID.Set, p.Reason)))
	if p.ID.Set == "" {
		if err := s.own(ctx, p.ID.Run); err != nil {
			return 0, err
		}
		k, id := s.space(p.ID.Run.Job), format.RunID(p.ID.Run.Number)
		c.Key(k.Run(id))
		c.Add(id)
	}
	c.Key(s.space(name).Audit)
	word, rest, err := s.server.Word(ctx, script.Configure, c)
	switch {
	case err != nil:
		return 0, err
	case word == "ok" && len(rest) == 1:
		return script.Number(rest[0]), nil
	case word == "conflict" && len(rest) == 1:
		return 0, fmt.Errorf("%w: the %s has version %d", store.ErrConflict, p.ID, script.Number(rest[0]))
	case word == "corrupt":
		return 0, fmt.Errorf("%w: version of the %s", store.ErrCorrupt, p.ID)
	}
	return 0, runWord(script.Configure, word, nil)
}

// ConfigurationHistory implements [store.Configurations].
func (s *Store) ConfigurationHistory(
	ctx context.Context, id store.ConfigurationID,
) ([]store.ConfigurationChange, error) {
	if err := s.ownConfiguration(ctx, id); err != nil {
		return nil, err
	}
	key := s.configuration(id)
	fields, err := s.client.Do(ctx, s.client.B().Hkeys().Key(key).Build()).AsStrSlice()
	if err != nil {
		return nil, s.server.Translate(ctx, "read the history of the "+id.String(), err, key)
	}
	h := make(map[string]string, len(fields))
	for len(fields) > 0 {
		values, err := s.readFields(ctx, key, fields)
		if err != nil {
			return nil, err
		}
		for i := range values {
			if !values[i].IsNil() { // or it was removed meanwhile
				h[fields[i]] = script.Text(values[i])
			}
		}
		fields = fields[len(values):]
	}
	return format.DecodeChanges(id, h)
}

// addConfigured adds the marks of configurations to the deliveries of a repeated fetch.
func (s *Store) addConfigured(ctx context.Context, k *format.Keyspace, ds []store.Delivery) error {
	versions := make(map[int64]int64)
	for i := range ds {
		run := ds[i].Lease.Lane.Run.Number
		if _, ok := versions[run]; !ok {
			v, err := script.First(
				s.client.Do(ctx, s.client.B().Hmget().Key(k.Run(format.RunID(run))).Field("configured").Build()).
					ToArray(),
			)
			if err != nil {
				return s.server.Translate(ctx, "read a run", err, k.Run(format.RunID(run)))
			}
			versions[run], _ = format.ParseInt(v)
		}
		ds[i].Configured = versions[run]
	}
	return nil
}
