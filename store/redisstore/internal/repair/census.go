package repair

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// census lists what is stored in a partition, as far as a repair needs it.
type census struct {
	job      bool                // a key or index names the job
	runs     map[string]string   // runs of the job with their tokens; empty if the record is gone or cannot be read
	sessions map[string]bool     // sessions that hold or held tasks, or are listed
	lanes    map[string][]string // routes by run, in addition to those that the run lists
	keys     map[string][]string // other keys of the job's runs, except those that stay with the summary
	orphans  map[string][]string // keys of runs without a record
	values   []storedValue       // values of the job and of its runs
	named    []string            // names that the list of the partition must have
	wrong    []string            // keys of a wrong type
	strays   []string            // entries of the index without a record
}

// newest returns the newest run of the job that is there; "" if there is none.
func (c *census) newest() (newest string) {
	last := int64(0)
	for id := range c.runs {
		if n, err := format.ParseInt(id); err == nil && n > last {
			newest, last = id, n
		}
	}
	return newest
}

func (c *census) isWrong(name string) bool { return slices.Contains(c.wrong, name) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// quickCensus trusts the indexes and does not scan the keys.
func (r *repair) quickCensus(ctx context.Context) (census, error) {
	c := newCensus()
	if err := r.listed(ctx, &c); err != nil {
		return c, err
	}
	if r.p.Run != 0 {
		c.runs[format.RunID(r.p.Run)] = ""
	}
	return c, r.tokens(ctx, &c)
}

func newCensus() census {
	return census{
		runs: make(map[string]string), sessions: make(map[string]bool), lanes: make(map[string][]string),
		keys: make(map[string][]string), orphans: make(map[string][]string),
	}
}

// listed adds what the indexes name. An index that cannot be read counts as empty.
func (r *repair) listed(ctx context.Context, c *census) error {
	k, b := r.k, r.server.Client.B
	replies := r.server.Client.DoMulti(ctx,
		b().Exists().Key(k.Job(r.p.Job)).Build(),
		b().Hvals().Key(k.Starts(r.p.Job)).Build(),
		b().Zrange().Key(k.Leases).Min("0").Max("-1").Build(),
		b().Hkeys().Key(k.Terms).Build(),
	)
	var lists [4][]string
	for i, reply := range replies {
		if err := reply.Error(); err != nil {
			if err = r.server.Translate(ctx, "read an index", err); !isCorrupt(err) {
				return err
			}
			continue
		}
		lists[i], _ = reply.AsStrSlice()
	}
	n, _ := replies[0].AsInt64()
	c.job = n > 0 || len(lists[1]) > 0
	for _, id := range lists[1] {
		if _, err := format.ParseInt(id); err == nil {
			c.runs[id] = ""
		}
	}
	for _, id := range slices.Concat(lists[2], lists[3]) {
		c.sessions[id] = true
	}
	return nil
}

// tokens reads the tokens of the job's runs, and drops runs of other jobs.
func (r *repair) tokens(ctx context.Context, c *census) error {
	ids := sorted(c.runs)
	for chunk := range slices.Chunk(ids, 500) {
		cmds := make(rueidis.Commands, 0, len(chunk))
		for _, id := range chunk {
			cmds = append(cmds, r.server.Client.B().Hmget().Key(r.k.Run(id)).Field("job", "token").Build())
		}
		for i, reply := range r.server.Client.DoMulti(ctx, cmds...) {
			v, err := reply.ToArray()
			if err = r.server.Translate(ctx, "read a run", err); isCorrupt(err) {
				continue // treated as gone
			} else if err != nil {
				return err
			}
			switch job := script.Text(v[0]); {
			case job == r.p.Job:
				c.job = true
				c.runs[chunk[i]] = script.Text(v[1])
			case job != "":
				delete(c.runs, chunk[i])
			}
		}
	}
	return nil
}

// fullCensus reads all keys of the partition.
func (r *repair) fullCensus(ctx context.Context) (census, error) {
	c := newCensus()
	names, types, err := r.scan(ctx)
	if err != nil {
		return c, err
	}
	keys := c.sortKeys(r.p.Job, names, types)
	if err := r.strays(ctx, &c, names); err != nil {
		return c, err
	}
	for id := range keys.records {
		c.runs[id] = ""
	}
	if err := r.tokens(ctx, &c); err != nil {
		return c, err
	}
	if err := r.listed(ctx, &c); err != nil {
		return c, err
	}
	if err := r.tokens(ctx, &c); err != nil {
		return c, err
	}
	c.addValues(r.p.Job, keys.values)
	for id, names := range keys.byRun {
		if keys.records[id] {
			c.addKeys(id, names)
		} else {
			c.orphans[id] = names
		}
	}
	slices.Sort(c.wrong)
	slices.Sort(c.named)
	return c, nil
}

// partitionKeys holds the keys of all jobs in a partition.
type partitionKeys struct {
	records map[string]bool     // runs with a record
	byRun   map[string][]string // the other keys of each run
	values  []storedValue
}

// sortKeys sorts keys by their owner; it gets the keys with their types. It records sessions, keys
// of a wrong type, and whether a key names the job.
func (c *census) sortKeys(job string, names, types []string) partitionKeys {
	keys := partitionKeys{records: make(map[string]bool), byRun: make(map[string][]string)}
	seen := make(map[string]bool)
	for i, name := range names {
		if seen[name] {
			continue // a scan may repeat itself
		}
		seen[name] = true
		kind, rest, _ := strings.Cut(name, ":")
		if want := keyType(name); want != "" && !isType(want, types[i]) && types[i] != "none" {
			c.wrong = append(c.wrong, name)
			if kind != "L" {
				continue
			}
		}
		if name := listedName(name); name != "" {
			c.named = append(c.named, name)
		}
		switch kind {
		case "L":
			c.sessions[rest] = true
		case "run":
			keys.records[rest] = true
		case "starts", "job":
			c.job = c.job || rest == job
		default:
			keys.add(kind, rest, name)
		}
	}
	return keys
}

// add records a value, or another key of a run.
func (k *partitionKeys) add(kind, rest, name string) {
	if v, ok := parseValue(rest); ok && kind == "value" {
		k.values = append(k.values, v)
	}
	if id := runOf(name); id != "" {
		k.byRun[id] = append(k.byRun[id], name)
	}
}

// addValues keeps the values of the job and of its runs.
func (c *census) addValues(job string, values []storedValue) {
	for _, v := range values {
		_, kept := c.runs[format.RunID(v.scope.Run)]
		if v.scope.Of == store.ScopeRun && kept || v.scope == store.JobScope(job) {
			c.values = append(c.values, v)
		}
	}
}

// addKeys keeps the keys of a run with a record, and the lanes that they name.
func (c *census) addKeys(id string, names []string) {
	for _, name := range names {
		kind, rest, _ := strings.Cut(name, ":")
		switch kind {
		case "dead", "configured", "results", "names", "value":
			continue // they stay with the summary
		case "W", "U", "D", "M":
			_, lane, _ := strings.Cut(rest, "/")
			c.lanes[id] = append(c.lanes[id], lane)
		}
		c.keys[id] = append(c.keys[id], name)
	}
}
