package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// breakage is one way to break what is stored, and what a repair makes of it.
type breakage struct {
	name string
	// begin makes the run that is damaged, healthy. Defaults to two tasks that wait and one that is
	// held.
	begin func(p *patient)
	hit   func(p *patient)
	// kinds are what a repair finds, in any order.
	kinds []damage.Type
	// want are the counts once everything is worked off, and status the run's; "" if it is gone.
	want   store.Counts
	status statuses.Status
}

// patient is a run that is damaged and repaired.
type patient struct {
	*scene
	job    string
	run    store.RunID
	id     string // its number
	worker *worker
	held   []store.Delivery
	// repairs is who repairs it. Defaults to its store.
	repairs func(store.RepairParams) (store.RepairReport, error)
}

func newPatient(s *scene, job string, begin func(*patient)) *patient {
	p := &patient{scene: s, job: job}
	p.worker = s.worker("w")
	if begin == nil {
		begin = (*patient).someTasks
	}
	begin(p)
	p.id = fmt.Sprint(p.run.Number)
	return p
}

// someTasks begins a run of which two tasks wait and one is held.
func (p *patient) someTasks() { p.someTasksOf(store.StartParams{Job: p.job}) }

func (p *patient) someTasksOf(start store.StartParams) {
	p.run = p.begin(start)
	p.enqueue(p.run, items("k", 3)...)
	p.held = p.worker.fetch(1, "k")
	require.Len(p, p.held, 1)
}

// hit breaks something with one command.
func hit(words ...string) func(*patient) {
	return func(p *patient) {
		named := strings.NewReplacer("RUN", p.id, "JOB", p.job)
		args := slices.Clone(words[1:])
		for i := range args {
			args[i] = named.Replace(args[i])
		}
		p.command(words[0], args[0], args[1:]...)
	}
}

// all makes one blow of several.
func all(blows ...func(*patient)) func(*patient) {
	return func(p *patient) {
		for _, blow := range blows {
			blow(p)
		}
	}
}

// dump is everything that is stored in the namespace. What has no order is sorted: tables change
// theirs while they are read.
func (p *patient) dump() map[string]string {
	p.Helper()
	b, keys := p.client.B, keysUnder(p, p.client, "{"+p.namespace+":")
	types, reads := make(rueidis.Commands, 0, len(keys)), make(rueidis.Commands, 0, len(keys))
	for _, key := range keys {
		types = append(types, b().Type().Key(key).Build())
	}
	for i, reply := range p.client.DoMulti(p.Context(), types...) {
		kind, err := reply.ToString()
		require.NoError(p, err)
		switch kind {
		case "hash":
			reads = append(reads, b().Hgetall().Key(keys[i]).Build())
		case "set":
			reads = append(reads, b().Sort().Key(keys[i]).Alpha().Build())
		default:
			reads = append(reads, b().Dump().Key(keys[i]).Build())
		}
	}
	out := make(map[string]string, len(keys))
	for i, reply := range p.client.DoMulti(p.Context(), reads...) {
		v, err := reply.ToAny()
		require.NoError(p, err)
		out[keys[i]] = fmt.Sprintf("%q", v) // which sorts maps
	}
	return out
}

// elsewhere is what of a dump belongs to other partitions.
func (p *patient) elsewhere(dump map[string]string) map[string]string {
	out := maps.Clone(dump)
	maps.DeleteFunc(out, func(key, _ string) bool { return strings.HasPrefix(key, p.prefix()) })
	return out
}

func (p *patient) repair(opts store.RepairParams) []store.Damage {
	p.Helper()
	opts.Job = p.run.Job
	repairs := p.repairs
	if repairs == nil {
		repairs = func(opts store.RepairParams) (store.RepairReport, error) { return p.Repair(p.Context(), opts) }
	}
	report, err := repairs(opts)
	require.NoError(p, err)
	require.Empty(p, report.Moving, "nothing moves")
	return report.Damage
}

func kindsOf(found []store.Damage) (kinds []damage.Type) {
	for _, d := range found {
		kinds = append(kinds, d.Type)
	}
	return kinds
}

// requireHealthy requires that a repair finds nothing to do.
func (p *patient) requireHealthy() {
	p.Helper()
	before := p.dump()
	require.Empty(p, p.repair(store.RepairParams{}), "it is healthy yet")
	require.Equal(p, before, p.dump(), "a repair has changed what is healthy")
}

// requireMended lets a dry run find the damage, repairs it, and requires that nothing is left of
// it.
func (p *patient) requireMended(kinds []damage.Type) {
	p.Helper()
	before := p.dump()
	dry := p.repair(store.RepairParams{DryRun: true})
	require.Equal(p, before, p.dump(), "a dry run has changed something")
	p.requireMendedAs(dry, kinds)
	require.Equal(p, p.elsewhere(before), p.elsewhere(p.dump()), "another partition has changed")
}

// requireMendedAs repairs what a dry run has found.
func (p *patient) requireMendedAs(dry []store.Damage, kinds []damage.Type) {
	p.Helper()
	for _, d := range dry {
		require.False(p, d.Mended, "%v", d)
	}
	told := len(p.repairsTold())
	found := p.repair(store.RepairParams{})
	for _, d := range found {
		p.Log(d)
		require.True(p, d.Mended, "%v", d)
	}
	p.requireTold(found, p.repairsTold()[told:])
	require.ElementsMatch(p, kinds, kindsOf(found), "%v", found)
	require.ElementsMatch(p, found, mended(dry), "a dry run must find what is mended")
	told = len(p.repairsTold())
	require.Empty(p, p.repair(store.RepairParams{}), "a repeat")
	require.Len(p, p.repairsTold(), told, "a repeat adds no line")
}

// repairsTold lists, oldest first, what the audit tells of repairs.
func (p *patient) repairsTold() (lines []store.AuditLine) {
	p.Helper()
	all, err := p.Audit(p.Context(), store.AuditParams{Partition: p.partition, Limit: bounds.MaxAuditPage})
	require.NoError(p, err)
	for _, l := range slices.Backward(all) {
		if l.Action == actions.Repair {
			lines = append(lines, l)
		}
	}
	return lines
}

// requireTold requires that the audit tells of a repair once for each run of which it has mended
// something, and once for the rest. Which of the two has a key that belonged to a run is open.
func (p *patient) requireTold(found []store.Damage, lines []store.AuditLine) {
	p.Helper()
	require.Equal(p, len(found) > 0, len(lines) > 0, "%v", lines)
	runs := map[int64]bool{0: true}
	for _, d := range found {
		runs[d.Run] = true
	}
	for _, l := range lines {
		require.Equal(p, p.run.Job, l.Job)
		require.True(p, runs[l.Run], "once, and of a run that was mended: %v", lines)
		delete(runs, l.Run)
	}
}

func mended(dry []store.Damage) []store.Damage {
	for i := range dry {
		dry[i].Mended = true
	}
	return dry
}

// workOff settles what is held as the worker would, seals the run and works everything off, with
// another worker, until it has ended.
func (p *patient) workOff() store.RunRecord {
	p.Helper()
	if len(p.held) > 0 {
		var outcomes []store.Outcome
		for _, d := range p.held {
			outcomes = append(outcomes, outcomeOf(d, verdicts.Success))
		}
		_, err := p.Settle(p.Context(), store.SettleParams{Session: p.worker.id, Number: p.worker.settled + 1, Outcomes: outcomes})
		if err != nil {
			require.ErrorIs(p, err, store.ErrLeaseLost)
		}
	}
	_, err := p.tryEnqueueHolds(store.HoldChange{Run: p.run, Name: store.HoldOpen, Close: true})
	require.NoError(p, err)
	byKind := map[string]verdicts.Verdict{store.KindPreJob: verdicts.Begin, store.KindPostJob: verdicts.HookDone}
	other := p.scene.worker("other")
	for range 20 {
		p.sweep()
		_, err := p.Promote(p.Context(), p.partition)
		require.NoError(p, err)
		var outcomes []store.Outcome
		for _, d := range other.fetchRecovered(100, "k", "j", store.KindPreJob, store.KindPostJob) {
			verdict, hook := byKind[d.Lease.Lane.Route.Kind]
			if !hook {
				verdict = verdicts.Success
			}
			outcomes = append(outcomes, outcomeOf(d, verdict))
		}
		if len(outcomes) > 0 {
			other.settle(outcomes...)
		}
		if record := p.record(p.run); record.Status.Final() {
			return record
		}
	}
	p.FailNow()
	return store.RunRecord{}
}

func (s *scene) tryEnqueueHolds(changes ...store.HoldChange) (store.EnqueueReply, error) {
	s.enqueued++
	return s.Enqueue(s.Context(), store.EnqueueParams{Partition: s.partition, Stream: "producer", Number: s.enqueued, Holds: changes})
}

func (d breakage) try(t *testing.T) {
	p := newPatient(newScene(t), "job", d.begin)
	p.requireHealthy()
	d.hit(p)
	p.requireMended(d.kinds)
	p.requireRecovered(d)
}

// requireRecovered goes on with the run to its end, and removes everything.
func (p *patient) requireRecovered(d breakage) {
	p.Helper()
	if d.status == "" {
		_, err := p.Run(p.Context(), p.run)
		require.ErrorIs(p, err, store.ErrRunNotFound)
		return
	}
	record := p.workOff()
	require.Equal(p, d.want, record.Counts)
	require.Equal(p, d.status, record.Status)
	require.Zero(p, record.Holds)
	p.sweep()
	require.NoError(p, p.DeleteJob(p.Context(), p.job))
	require.Empty(
		p,
		p.left(
			"W:", "U:", "D:", "M:", "S:", "run:", "lanes:", "holds:", "stage:", "dead:", "ids:", "job:", "starts:", "trash",
			"hist", "failing", "index", "due", "kept",
		),
	)
}
