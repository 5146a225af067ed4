package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// ReadMap implements [store.Values].
func (s *Store) ReadMap(ctx context.Context, p store.MapParams, fields []string) (map[string][]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	out := make(map[string][]byte, len(fields))
	if len(fields) == 0 {
		return out, nil
	}
	v, err := s.client.Do(ctx, s.client.B().Hmget().Key(s.space(p.Job).jobMap(p.Job, p.Name)).Field(fields...).Build()).ToArray()
	if err != nil {
		return nil, s.translate(ctx, "read a map", err)
	}
	for i := range v {
		if !v[i].IsNil() {
			out[fields[i]] = []byte(text(v[i]))
		}
	}
	return out, nil
}

// WriteMap implements [store.Values].
func (s *Store) WriteMap(ctx context.Context, p store.MapParams, set map[string][]byte, remove []string) error {
	if err := store.ValidateMapWrite(p, set, remove); err != nil {
		return err
	}
	k := s.space(p.Job)
	c := newCall(k.job(p.Job), k.maps(p.Job), k.jobMap(p.Job, p.Name)).add(p.Name).int(len(set))
	for field, value := range set {
		c.add(field, string(value))
	}
	c.int(len(remove)).add(remove...)
	word, _, err := s.word(ctx, writeMapScript, c)
	switch {
	case err != nil:
		return err
	case word == "missing":
		return store.ErrJobNotFound
	case word != "ok":
		return unexpected(writeMapScript, word)
	}
	return nil
}

// mapKeys lists the keys of a job's maps, for the scripts that remove the job.
func (s *Store) mapKeys(ctx context.Context, k *keyspace, job string) ([]string, error) {
	names, err := s.client.Do(ctx, s.client.B().Smembers().Key(k.maps(job)).Build()).AsStrSlice()
	if err != nil {
		return nil, s.translate(ctx, "list maps", err)
	}
	keys := []string{k.maps(job)}
	for _, name := range names {
		keys = append(keys, k.jobMap(job, name))
	}
	return keys, nil
}
