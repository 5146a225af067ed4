package redisstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// unlistSlice is how many names of a partition's list a sweep looks at. It goes on while more than
// an eighth of them are gone. So what is gone is never more than a small part of the list.
const unlistSlice = 256

// unlist takes names out of the list of a partition whose keys are gone. It returns how many.
func (s *Store) unlist(ctx context.Context, k *format.Keyspace, names []string) (int, error) {
	if len(names) == 0 {
		return 0, nil
	}
	c := script.NewCall(k.Listed).Flag(false).Flag(false).Add(names...).Add("", "0")
	for _, name := range names {
		c.Key(k.ListedKey(name))
	}
	c.Key(k.Audit)
	gone, err := s.server.Run(ctx, script.CheckListed, c)
	return len(gone), err
}

// listed reads names with a mark from the list of a partition, without it.
func (s *Store) listed(ctx context.Context, k *format.Keyspace, mark, after string, limit int) ([]string, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	end := "(" + mark[:1] + "0" // 0 comes after /
	names, err := s.client.Do(ctx, s.client.B().Zrangebylex().Key(k.Listed).Min("("+mark+after).Max(end).
		Limit(0, int64(limit)).Build()).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "read the list of a partition", err)); err != nil {
		return nil, err
	}
	for i, name := range names {
		names[i] = strings.Clone(strings.TrimPrefix(name, mark))
	}
	return names, nil
}

// SemaphoreKeys implements [store.Semaphores].
func (s *Store) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	return s.listed(ctx, s.spaces[p.Partition], format.ListedSemaphore, p.After, p.Limit)
}

// Limit implements [store.Limits].
func (s *Store) Limit(ctx context.Context, name string) (store.LimitRecord, error) {
	r, err := s.server.Run(ctx, script.ReadLimit, script.NewCall(s.space(name).Limit(name)))
	if err != nil {
		return store.LimitRecord{}, err
	}
	if len(r)%7 != 1 {
		return store.LimitRecord{}, script.Unexpected(script.ReadLimit, "")
	}
	rec := store.LimitRecord{Now: format.ParseMillis(script.Text(r[0]))}
	for f := range slices.Chunk(r[1:], 7) {
		h := store.LimitHolder{
			Holder: strings.Clone(script.Text(f[0])), Held: int(script.Number(f[1])), Want: int(script.Number(f[2])),
			Silent: !rec.Now.Before(format.ParseMillis(script.Text(f[4]))),
		}
		if since, _ := format.ParseInt(script.Text(f[3])); since > 0 {
			h.Since = time.UnixMicro(since)
		}
		if rec.Now.Before(format.ParseMillis(script.Text(f[6]))) {
			h.Tokens = int(script.Number(f[5]))
		}
		rec.Holders = append(rec.Holders, h)
	}
	rec.Tidy()
	return rec, nil
}

// ListValues implements [store.Values]. The first call learns which values there are, the second
// reads what they are.
func (s *Store) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	k := s.spaces[p.Partition]
	names, more, err := s.valueNames(ctx, k, &p)
	if err != nil {
		return store.ValuesPage{}, err
	}
	c := script.NewCall(k.Absent())
	switch p.Scope.Of {
	case store.ScopeRun:
		c = script.NewCall(k.Run(format.RunID(p.Scope.Run))).Add(p.Scope.Job)
	case store.ScopeJob:
		c = script.NewCall(k.Job(p.Scope.Job)).Add("-")
	default:
		c.Add("")
	}
	for _, name := range names {
		c.Key(k.Value(p.Scope, name))
	}
	word, rest, err := s.server.Word(ctx, script.ReadValues, c)
	switch {
	case err != nil:
		return store.ValuesPage{}, err
	case word == "missing" && p.Scope.Of == store.ScopeRun:
		return store.ValuesPage{}, store.ErrRunNotFound
	case word == "missing":
		return store.ValuesPage{}, store.ErrJobNotFound
	case word != "ok" || len(rest) != 3:
		return store.ValuesPage{}, script.Unexpected(script.ReadValues, word)
	}
	behind, err := describedValues(rest, names)
	if err != nil {
		return store.ValuesPage{}, err
	}
	last := ""
	if more {
		last = names[len(names)-1] + afterTypes // values behind it come with the next page
	}
	behind = slices.DeleteFunc(behind, func(v store.ValueRecord) bool {
		return !v.Behind(p.After) || more && v.Behind(last)
	})
	var page store.ValuesPage
	if page.Fill(behind, p.Limit); page.Next == "" {
		page.Next = last
	}
	return page, nil
}

// afterTypes makes a cursor of a name that stands behind all values of it.
const afterTypes = "/~"

// valueNames reads the names of values behind a cursor, in order: a page of them. It reports
// whether there are more.
func (s *Store) valueNames(ctx context.Context, k *format.Keyspace, p *store.ValuesParams) ([]string, bool, error) {
	after, typ, _ := strings.Cut(p.After, "/")
	if p.Scope.Of == store.ScopeNamespace {
		names, err := s.listed(ctx, k, format.ListedValue, after, p.Limit)
		return names, len(names) == p.Limit, err
	}
	if err := s.server.Begin(ctx); err != nil {
		return nil, false, err
	}
	names, err := s.client.Do(ctx, s.client.B().Smembers().Key(k.ValueNames(p.Scope)).Build()).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list values", err)); err != nil {
		return nil, false, err
	}
	// Only a counter of the run can come before another value of its name.
	both := p.Scope.InRecord(store.ValueType(typ))
	names = slices.DeleteFunc(names, func(name string) bool { return name < after || name == after && !both })
	slices.Sort(names)
	if len(names) > p.Limit {
		return names[:p.Limit], true, nil
	}
	return names, false, nil
}

// describedValues decodes what read_values replies: the time, the values in the order of the names,
// and the counters of a run.
func describedValues(rest []rueidis.RedisMessage, names []string) ([]store.ValueRecord, error) {
	now := format.ParseMillis(script.Text(rest[0]))
	values, err1 := rest[1].ToArray()
	counters, err2 := rest[2].ToArray()
	if err1 != nil || err2 != nil || len(values) != 3*len(names) {
		return nil, script.Unexpected(script.ReadValues, "")
	}
	var all []store.ValueRecord
	for i, name := range names {
		f := values[3*i:]
		typ := typeOf(script.Text(f[0]))
		if typ == "" {
			continue // gone, or no write can have stored it
		}
		rec := store.ValueRecord{Name: strings.Clone(name), Type: typ, Size: script.Number(f[1])}
		if left := script.Number(f[2]); left > 0 {
			rec.Expires = now.Add(time.Duration(left) * time.Millisecond)
		}
		all = append(all, rec)
	}
	for i := 0; i+1 < len(counters); i += 2 {
		all = append(all, store.ValueRecord{
			Name: strings.Clone(script.Text(counters[i])), Type: store.ValueCounter, Size: script.Number(counters[i+1]),
		})
	}
	return all, nil
}
