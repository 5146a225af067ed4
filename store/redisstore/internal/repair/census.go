package repair

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// census is what is stored in a partition, as far as a repair needs to know.
type census struct {
	job      bool                // anything names the job
	runs     map[string]string   // of the job: token, or "" where the record is gone or cannot be read
	sessions map[string]bool     // that hold or held something, or are said to
	lanes    map[string][]string // routes by run, beside those that the run lists
	keys     map[string][]string // of runs of the job, all but those that stay with the summary
	orphans  map[string][]string // of runs without a record
	values   []storedValue       // of the job and of its runs
	wrong    []string            // keys that are of another type than they must be
}

func (c *census) isWrong(name string) bool { return slices.Contains(c.wrong, name) }

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// fixedTypes are the types of keys that a partition has once; keyTypes those of keys by what their names
// begin with. Keys that are not here are not looked at.
var (
	fixedTypes = map[string]string{
		"meta": "hash", "jobs": "zset", "clock": "hash", "routes": "zset", "due": "zset", "idle": "zset", "kept": "zset",
		"leases": "zset", "terms": "hash", "sets": "hash", "trash": "zset", "hist": "zset",
	}
	keyTypes = map[string]string{
		"job": "hash", "starts": "hash", "names": "set", "configuration": "hash", "configured": "hash", "run": "hash", "lanes": "set", "holds": "hash", "stage": "hash",
		"dead": "zset", "ids": "zset", "W": "list", "U": "list", "D": "zset", "M": "list", "S": "list", "ring": "zset", "L": "hash", "P": "string",
	}
)

// keyType is the type that a key must have; "" if that is not known.
func keyType(name string) string {
	kind, _, ok := strings.Cut(name, ":")
	if !ok {
		return fixedTypes[name]
	}
	return keyTypes[kind]
}

// runOf is the number of the run that a key is of; "" if it is of none.
func runOf(name string) string {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "run", "configured", "lanes", "holds", "stage", "dead":
		return rest
	case "names", "value":
		if of, rest, _ := strings.Cut(rest, ":"); of == "run" {
			return rest[strings.LastIndexByte(rest, ':')+1:]
		}
	case "ids":
		id, _, _ := strings.Cut(rest, ":")
		return id
	case "W", "U", "D", "M", "S":
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return ""
}

// storedValue names a value of a job or a run.
type storedValue struct {
	scope store.ValueScope
	name  string
}

// parseValue reads what follows "value:" in a key.
func parseValue(rest string) (storedValue, bool) {
	of, rest, _ := strings.Cut(rest, ":")
	name, owner, ok := strings.Cut(rest, ":")
	if of == "job" {
		return storedValue{store.JobScope(owner), name}, ok
	}
	n, err := format.ParseInt(owner)
	return storedValue{store.RunScope(store.RunID{Number: n}), name}, ok && of == "run" && err == nil
}

// quickCensus believes the indexes.
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

// listed takes in what the indexes name. An index that cannot be read names nothing.
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
				continue // as good as gone
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

// fullCensus looks at every key of the partition.
func (r *repair) fullCensus(ctx context.Context) (census, error) {
	c := newCensus()
	byRun := make(map[string][]string)
	records := make(map[string]bool)
	seen := make(map[string]bool)
	var values []storedValue
	names, types, err := r.scan(ctx)
	if err != nil {
		return c, err
	}
	for i, name := range names {
		if seen[name] {
			continue // a scan may repeat itself
		}
		seen[name] = true
		if want := keyType(name); want != "" && types[i] != want && types[i] != "none" {
			c.wrong = append(c.wrong, name)
			if !strings.HasPrefix(name, "L:") {
				continue
			}
		}
		kind, rest, _ := strings.Cut(name, ":")
		switch kind {
		case "L":
			c.sessions[rest] = true
		case "run":
			records[rest] = true
		case "starts", "job":
			c.job = c.job || rest == r.p.Job
		default:
			if v, ok := parseValue(rest); ok && kind == "value" {
				values = append(values, v)
			}
			if id := runOf(name); id != "" {
				byRun[id] = append(byRun[id], name)
			}
		}
	}
	for id := range records {
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
	for _, v := range values {
		_, kept := c.runs[format.RunID(v.scope.Run)]
		if v.scope.Of == store.ScopeRun && kept || v.scope == store.JobScope(r.p.Job) {
			c.values = append(c.values, v)
		}
	}
	for id, names := range byRun {
		if !records[id] {
			c.orphans[id] = names
			continue
		}
		for _, name := range names {
			if strings.HasPrefix(name, "dead:") || strings.HasPrefix(name, "configured:") || strings.HasPrefix(name, "names:") || strings.HasPrefix(name, "value:") {
				continue // they stay with the summary
			}
			c.keys[id] = append(c.keys[id], name)
			if _, rest, _ := strings.Cut(name, "/"); strings.IndexByte("WUDM", name[0]) >= 0 {
				c.lanes[id] = append(c.lanes[id], rest)
			}
		}
	}
	slices.Sort(c.wrong)
	return c, nil
}

// scan lists every key of the partition, without its prefix, and the type of each. On a cluster it asks only the server that
// serves the partition, as others may be down. A scan during which the slot moves away misses keys: it fails, to be repeated.
func (r *repair) scan(ctx context.Context) (names, types []string, err error) {
	type found struct {
		names, types []string
		err          error
	}
	all, answered := prompt.Await(ctx, r.server.Client, func() (all found) {
		all.err = r.server.Client.Dedicated(func(owner rueidis.DedicatedClient) error {
			for cursor := uint64(0); ; {
				page, err := r.page(ctx, owner, cursor)
				if err != nil {
					return err
				}
				names, types, err := r.types(ctx, page.Elements)
				if err != nil {
					return err
				}
				all.names, all.types = append(all.names, names...), append(all.types, types...)
				if cursor = page.Cursor; cursor == 0 {
					return nil
				}
			}
		})
		return all
	})
	if !answered {
		return nil, nil, r.server.Translate(ctx, "look through the keys", prompt.Gone(ctx).Error())
	}
	return all.names, all.types, all.err
}

func (r *repair) page(ctx context.Context, owner rueidis.DedicatedClient, cursor uint64) (rueidis.ScanEntry, error) {
	replies := owner.DoMulti(ctx,
		owner.B().Scan().Cursor(cursor).Match(globQuoter.Replace(r.k.Prefix)+"*").Count(1000).Build(),
		owner.B().Exists().Key(r.k.Absent()).Build(), // refused unless the whole slot is there
	)
	page, err := replies[0].AsScanEntry()
	if err == nil {
		err = replies[1].Error()
	}
	if err != nil {
		return page, r.server.Translate(ctx, "look through the keys", err)
	}
	return page, nil
}

// types are the names of keys, without their prefix, and the type of each.
func (r *repair) types(ctx context.Context, keys []string) (names, types []string, err error) {
	cmds := make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		names = append(names, strings.TrimPrefix(key, r.k.Prefix))
		cmds = append(cmds, r.server.Client.B().Type().Key(key).Build())
	}
	for _, reply := range r.server.Client.DoMulti(ctx, cmds...) {
		kind, err := reply.ToString()
		if err != nil {
			return nil, nil, r.server.Translate(ctx, "look through the keys", err)
		}
		types = append(types, kind)
	}
	return names, types, nil
}

// globQuoter takes the meaning from what a pattern gives one to.
var globQuoter = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
