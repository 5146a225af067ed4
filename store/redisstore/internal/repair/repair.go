// Package repair finds and fixes inconsistent data of a job in Redis.
package repair

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Job repairs a job, or one of its runs, in the partition of a keyspace. It first repairs data that
// other data depends on: keys of a wrong type, then sessions, the job and each run. Last come keys
// of runs that are gone. In a dry run, a key that would be removed counts as absent.
func Job(
	ctx context.Context, server *script.Server, k *format.Keyspace, p store.RepairParams,
) (store.RepairReport, error) {
	if err := server.Begin(ctx); err != nil {
		return store.RepairReport{}, err
	}
	r := &repair{server: server, k: k, p: p, told: make(map[string]bool)}
	err := r.all(ctx)
	return r.report, err
}

// repair is one call of Job.
type repair struct {
	server *script.Server
	k      *format.Keyspace
	p      store.RepairParams
	found  census
	report store.RepairReport
	told   map[string]bool // runs whose line is in the audit; "" is for what belongs to no run
}

func (r *repair) all(ctx context.Context) error {
	var err error
	if p := r.p; p.Quick {
		r.found, err = r.quickCensus(ctx)
	} else {
		r.found, err = r.fullCensus(ctx)
	}
	if err != nil {
		return err
	}
	if err := r.wrongTypes(ctx); err != nil {
		return err
	}
	for _, session := range sorted(r.found.sessions) {
		if err := r.session(ctx, session); err != nil {
			return err
		}
	}
	if err := r.listedNames(ctx); err != nil {
		return err
	}
	if !r.found.job && r.p.Run == 0 {
		return store.ErrJobNotFound
	}
	if r.p.Run == 0 {
		if err := r.job(ctx); err != nil {
			return err
		}
	}
	seen := false
	for _, id := range sorted(r.found.runs) {
		if r.p.Run != 0 && id != format.RunID(r.p.Run) {
			continue
		}
		seen = true
		if err := r.run(ctx, id); err != nil {
			return err
		}
	}
	if r.p.Run != 0 && !seen {
		return store.ErrRunNotFound
	}
	return r.orphans(ctx)
}

func (r *repair) add(typ damage.Type, run, what, detail string) {
	n, _ := strconv.ParseInt(run, 10, 64)
	r.report.Damage = append(
		r.report.Damage, store.Damage{Type: typ, Run: n, What: what, Detail: detail, Mended: !r.p.DryRun},
	)
}

// repaired reports whether the reply of a script says that something was fixed.
type repaired func(reply []rueidis.RedisMessage) bool

// anything is for a reply that lists what was fixed.
func anything(reply []rueidis.RedisMessage) bool { return len(reply) > 0 }

// exec executes a script of a repair, about a run or none. In a dry run, a key of a wrong type
// counts as absent, because a real run would have removed it.
func (r *repair) exec(
	ctx context.Context, sc *script.Script, c *script.Call, run string, fixed repaired,
) ([]rueidis.RedisMessage, error) {
	for i, key := range c.Keys {
		if r.p.DryRun && r.found.isWrong(strings.TrimPrefix(key, r.k.Prefix)) {
			c.Keys[i] = r.k.Absent()
		}
	}
	return r.audited(ctx, sc, c, run, fixed)
}

// audited executes a script with the line of the audit as the last argument. The first step that
// fixes something of a run, or of what belongs to none, writes it.
func (r *repair) audited(
	ctx context.Context, sc *script.Script, c *script.Call, run string, fixed repaired,
) ([]rueidis.RedisMessage, error) {
	line := ""
	if !r.p.DryRun && !r.told[run] {
		line = format.AuditLine(rules.NewAuditLine(ctx, actions.Repair, store.RunID{Job: r.p.Job}, "", ""))
	}
	c.Add(line, cmp.Or(run, "0")).Key(r.k.Audit)
	reply, err := r.server.Run(ctx, sc, c)
	if err == nil && fixed(reply) {
		r.told[run] = true
	}
	return reply, err
}

// addFound adds triples from the reply of a script.
func (r *repair) addFound(run string, triples []rueidis.RedisMessage) {
	for i := 0; i+2 < len(triples); i += 3 {
		r.add(damage.Type(script.Text(triples[i])), run, script.Text(triples[i+1]), script.Text(triples[i+2]))
	}
}

// wrongTypes removes keys of a wrong type. Their data is lost. The later steps find what is
// missing. The audit comes first, as the step writes into it.
func (r *repair) wrongTypes(ctx context.Context) error {
	if i := slices.Index(r.found.wrong, "audit"); i > 0 {
		r.found.wrong[0], r.found.wrong[i] = r.found.wrong[i], r.found.wrong[0]
	}
	for keys := range slices.Chunk(r.found.wrong, 128) {
		c := script.NewCall(r.k.Meta).Flag(r.p.DryRun)
		for _, name := range keys {
			c.Key(r.k.Prefix + name)
			c.Add(keyType(name))
		}
		hit, err := r.audited(ctx, script.RepairKeys, c, "", anything)
		if err != nil {
			return err
		}
		for _, at := range hit {
			name := keys[script.Number(at)-1]
			r.add(
				damage.Record, runOf(name), "key "+name,
				"it is no "+strings.ReplaceAll(keyType(name), " ", " or ")+": it is removed, what it held is lost",
			)
		}
	}
	return nil
}

// listedNames lists semaphores, and values of the namespace, that the list of the partition lacks.
// A sweep removes those from it that are gone.
func (r *repair) listedNames(ctx context.Context) error {
	for names := range slices.Chunk(r.found.named, 128) {
		c := script.NewCall(r.k.Listed).Flag(true).Flag(r.p.DryRun).Add(names...)
		for _, name := range names {
			c.Key(r.k.ListedKey(name))
		}
		hit, err := r.exec(ctx, script.CheckListed, c, "", anything)
		if err != nil {
			return err
		}
		for _, at := range hit {
			what := "semaphore "
			name, ok := strings.CutPrefix(names[script.Number(at)-1], format.ListedSemaphore)
			if !ok {
				what, name = "value ", strings.TrimPrefix(name, format.ListedValue)
			}
			r.add(damage.Index, "", what+name, "it is not in the list of the partition: it is listed again")
		}
	}
	return nil
}

// orphans removes keys of runs that are gone. Their numbers are never used again.
func (r *repair) orphans(ctx context.Context) error {
	for _, id := range sorted(r.found.orphans) {
		if r.p.Run != 0 && id != format.RunID(r.p.Run) {
			continue
		}
		for keys := range slices.Chunk(r.found.orphans[id], 128) {
			c := script.NewCall(r.k.Run(id)).Flag(r.p.DryRun)
			for _, name := range keys {
				c.Key(r.k.Prefix + name)
				c.Add("")
			}
			hit, err := r.exec(ctx, script.RepairKeys, c, id, anything)
			if err != nil {
				return err
			}
			for _, at := range hit {
				r.add(damage.Orphan, id, "key "+keys[script.Number(at)-1], "its run is gone: it is removed")
			}
		}
	}
	return nil
}

// repairLease is the length of the lease, in ms, for a session without a stored one.
const repairLease = "30000"

func (r *repair) session(ctx context.Context, id string) error {
	h, err := r.server.Client.Do(ctx, r.server.Client.B().Hgetall().Key(r.k.Session(id)).Build()).AsStrMap()
	if err != nil {
		if r.found.isWrong("L:" + id) {
			return nil
		}
		return r.server.Translate(ctx, "read a session", err, r.k.Session(id))
	}
	if len(h) == 0 {
		return nil
	}
	fixes := sessionFixes(id, h)
	c := script.NewCall(r.k.Session(id), r.k.Leases, r.k.Terms).Add(id).Flag(r.p.DryRun).Add(repairLease).Flag(true)
	c.Int(len(fixes))
	for _, f := range fixes {
		c.Add(f.name, f.seen, f.set)
	}
	reply, err := r.exec(ctx, script.RepairSession, c, "", func(reply []rueidis.RedisMessage) bool {
		return len(reply) > 2 || len(reply) == 2 && script.Number(reply[0])+script.Number(reply[1]) > 0
	})
	if err != nil {
		return err
	}
	if len(reply) < 2 {
		return script.Unexpected(script.RepairSession, "")
	}
	what := "session " + id
	if script.Number(reply[0]) == 1 {
		r.add(damage.Session, "", what, "it has no lease that could end: it gets one")
	}
	if script.Number(reply[1]) == 1 {
		r.add(damage.Record, "", what, "its streams cannot be read: it is closed, what it holds goes back")
	}
	for _, at := range reply[2:] {
		r.add(damage.Record, "", what, fixes[script.Number(at)-1].detail)
	}
	return nil
}

func (r *repair) job(ctx context.Context) error {
	k, b := r.k, r.server.Client.B
	h, err := r.server.Client.Do(ctx, b().Hgetall().Key(k.Job(r.p.Job)).Build()).AsStrMap()
	if err != nil && !r.found.isWrong("job:"+r.p.Job) {
		return r.server.Translate(ctx, "read a job", err, k.Job(r.p.Job))
	}
	c := script.NewCall(k.Job(r.p.Job), k.Jobs, k.Starts(r.p.Job), k.Due, k.Failing, k.Index).
		Add(k.Channel, r.p.Job).
		Flag(r.p.DryRun)
	ids := sorted(r.found.runs)
	c.Int(len(ids))
	for _, id := range ids {
		c.Key(k.Run(id))
		c.Add(id, r.found.runs[id])
	}
	fixes := jobFixes(h)
	c.Int(len(fixes))
	for _, f := range fixes {
		c.Add(f.name, f.seen, f.set)
	}
	c.Int(len(r.found.values))
	for _, v := range r.found.values {
		c.Int(c.Key(k.ValueNames(v.scope)))
		c.Key(k.Value(v.scope, v.name))
		what := "value " + v.name
		if v.scope.Of == store.ScopeRun {
			what += " of run " + format.RunID(v.scope.Run)
		}
		c.Add(v.name, what)
	}
	c.Int(len(r.found.strays))
	for _, entry := range r.found.strays {
		c.Int(c.Key(r.k.Indexed(entry))).Add(entry)
	}
	found, err := r.exec(ctx, script.RepairJob, c, "", anything)
	if err != nil {
		return err
	}
	r.addFound("", found)
	return nil
}

// fix is a field that cannot be read, and its new value; empty removes the field.
type fix struct{ name, seen, set, detail string }

func numberFix(h map[string]string, name, set string, required bool) []fix {
	v, ok := h[name]
	if !ok && !required {
		return nil
	}
	if _, err := strconv.ParseFloat(v, 64); err == nil {
		return nil
	}
	detail := fmt.Sprintf("field %s cannot be read: it is removed", name)
	if set != "" {
		detail = fmt.Sprintf("field %s cannot be read: it is set to %s", name, set)
	}
	return []fix{{name, v, set, detail}}
}
