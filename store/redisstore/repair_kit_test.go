package redisstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

// damage is one way to break what is stored, and what a repair makes of it.
type damage struct {
	name string
	// begin makes the run that is damaged, healthy. Defaults to two tasks that wait and one that is held.
	begin func(p *patient)
	hit   func(p *patient)
	// kinds are what a repair finds, in any order.
	kinds []store.DamageKind
	// want are the counts once everything is worked off, and status the run's; "" if it is gone.
	want   store.Counts
	status store.Status
}

// patient is a run that is damaged and repaired.
type patient struct {
	*scene
	run    store.RunID
	id     string // its number
	worker *worker
	held   []store.Delivery
}

func newPatient(t *testing.T, begin func(*patient)) *patient {
	p := &patient{scene: newScene(t)}
	p.worker = p.scene.worker("w")
	if begin == nil {
		begin = (*patient).someTasks
	}
	begin(p)
	p.id = fmt.Sprint(p.run.Number)
	return p
}

// someTasks begins a run of which two tasks wait and one is held.
func (p *patient) someTasks() {
	p.run = p.begin(store.StartParams{Job: "job"})
	p.enqueue(p.run, items("k", 3)...)
	p.held = p.worker.fetch(1, "k")
	require.Len(p, p.held, 1)
}

// hit breaks something with one command.
func hit(words ...string) func(*patient) {
	return func(p *patient) {
		args := slices.Clone(words[1:])
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "RUN", p.id)
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

// dump is everything that is stored in the namespace, bit for bit.
func (p *patient) dump() map[string]string {
	p.Helper()
	client := p.server.Client
	out := make(map[string]string)
	for cursor := uint64(0); ; {
		page, err := client.Do(p.Context(), client.B().Scan().Cursor(cursor).Match("{"+p.namespace+":*").Count(1000).Build()).AsScanEntry()
		require.NoError(p, err)
		for _, key := range page.Elements {
			out[key], err = client.Do(p.Context(), client.B().Dump().Key(key).Build()).ToString()
			require.NoError(p, err)
		}
		if cursor = page.Cursor; cursor == 0 {
			return out
		}
	}
}

func (p *patient) repair(opts store.RepairParams) []store.Damage {
	p.Helper()
	opts.Job = p.run.Job
	report, err := p.Repair(p.Context(), opts)
	require.NoError(p, err)
	require.Empty(p, report.Moving, "nothing moves")
	return report.Damage
}

func kindsOf(found []store.Damage) (kinds []store.DamageKind) {
	for _, d := range found {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

// requireMended lets a dry run find the damage, repairs it, and requires that nothing is left of it.
func (p *patient) requireMended(kinds []store.DamageKind) {
	p.Helper()
	before := p.dump()
	dry := p.repair(store.RepairParams{DryRun: true})
	require.Equal(p, before, p.dump(), "a dry run has changed something")
	for _, d := range dry {
		require.False(p, d.Mended, "%v", d)
	}
	found := p.repair(store.RepairParams{})
	for _, d := range found {
		p.Log(d)
		require.True(p, d.Mended, "%v", d)
	}
	require.ElementsMatch(p, kinds, kindsOf(found), "%v", found)
	require.ElementsMatch(p, found, mended(dry), "a dry run must find what is mended")
	require.Empty(p, p.repair(store.RepairParams{}), "a repeat")
}

func mended(dry []store.Damage) []store.Damage {
	for i := range dry {
		dry[i].Mended = true
	}
	return dry
}

// workOff settles what is held as the worker would, seals the run and works everything off, with another
// worker, until it has ended.
func (p *patient) workOff() store.RunRecord {
	p.Helper()
	if len(p.held) > 0 {
		var outcomes []store.Outcome
		for _, d := range p.held {
			outcomes = append(outcomes, outcomeOf(d, store.VerdictSuccess))
		}
		_, err := p.Settle(p.Context(), store.SettleParams{Session: p.worker.id, Number: p.worker.settled + 1, Outcomes: outcomes})
		if err != nil {
			require.ErrorIs(p, err, store.ErrLeaseLost)
		}
	}
	_, err := p.tryEnqueueHolds(store.HoldChange{Run: p.run, Name: store.HoldOpen, Close: true})
	require.NoError(p, err)
	verdicts := map[string]store.Verdict{store.KindPreJob: store.VerdictBegin, store.KindPostJob: store.VerdictHookDone}
	other := p.scene.worker("other")
	for range 20 {
		p.sweep()
		_, err := p.Promote(p.Context(), 0)
		require.NoError(p, err)
		var outcomes []store.Outcome
		for _, d := range other.fetchSuspects(100, "k", "j", store.KindPreJob, store.KindPostJob) {
			verdict, hook := verdicts[d.Lease.Lane.Route.Kind]
			if !hook {
				verdict = store.VerdictSuccess
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
	return s.Enqueue(s.Context(), store.EnqueueParams{Stream: "producer", Number: s.enqueued, Holds: changes})
}

func (d damage) try(t *testing.T) {
	p := newPatient(t, d.begin)
	require.Empty(t, p.repair(store.RepairParams{}), "it is healthy yet")
	d.hit(p)
	p.requireMended(d.kinds)
	if d.status == "" {
		_, err := p.Run(t.Context(), p.run)
		require.ErrorIs(t, err, store.ErrRunNotFound)
		return
	}
	record := p.workOff()
	require.Equal(t, d.want, record.Counts)
	require.Equal(t, d.status, record.Status)
	require.Zero(t, record.Holds)
	p.sweep()
	require.NoError(t, p.DeleteJob(t.Context(), "job"))
	require.Empty(t, p.left("W:", "U:", "D:", "M:", "S:", "run:", "lanes:", "holds:", "stage:", "dead:", "ids:", "job:", "starts:", "trash", "hist", "idle", "due", "kept"))
}
