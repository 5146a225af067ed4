package storetest

import (
	"cmp"
	"flag"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// ModelOptions configure [RunModel]. The zero value means all defaults.
type ModelOptions struct {
	// Sequences is how many sequences are played. The environment variable ROLLCALL_SEQUENCES goes
	// before it. Defaults to 100.
	Sequences int

	// Steps is how many operations a sequence has, on average. The environment variable
	// ROLLCALL_STEPS goes before it. Defaults to 100.
	Steps int

	// Virtual says that [Harness.Advance] costs no time. Then the sequences include delays and leases
	// that end. [Harness.Bubble] implies it.
	Virtual bool
}

// RunModel plays random sequences of operations (starting, enqueuing, holding, fetching, staging,
// settling in every way, dying, stopping, repeating; declaring, disabling and deleting jobs,
// cancelling and rescheduling tasks, pausing, firing them when they are due, heartbeats, pauses and
// read-only mode, configurations, values, semaphores, limits, repairs, the end of retention), each
// against a fresh store and a small model of the contract, and compares the two after each step. If
// a sequence shows a difference, it is shrunk, and its operations are reported.
func RunModel(t *testing.T, h Harness, opts ModelOptions) {
	if h.New == nil {
		t.Fatal("storetest: Harness.New is nil")
	}
	h = h.withDefaults()
	setFlag(t, "rapid.checks", cmp.Or(fromEnvironment(t, "ROLLCALL_SEQUENCES"), opts.Sequences, 100))
	setFlag(t, "rapid.steps", cmp.Or(fromEnvironment(t, "ROLLCALL_STEPS"), opts.Steps, 100))
	h.play(t, func(t *testing.T) {
		// Hidden behind led, a test in a bubble is not asked for its deadline, which is a time outside
		// it.
		rapid.Check(led{t, modelSentence}, func(rt *rapid.T) {
			s := newScene(drawn{t, rt}, h, modelSentence)
			defer func() { _ = s.store.Close() }()
			m := newMachine(s, opts.Virtual || h.Bubble)
			m.StartRun(rt)
			rt.Repeat(weighted(m))
			m.end()
		})
	})
}

// modelSentence is the first part of every reported difference.
const modelSentence = "The store does what the model of its contract says, after every operation."

// weighted are the operations of the machine, and those that tasks go through several times more,
// under names that come first, which are drawn more often: or most operations would find nothing to
// work on.
func weighted(m *machine) map[string]func(*rapid.T) {
	actions := rapid.StateMachineActions(m)
	for name, weight := range map[string]int{"Enqueue": 3, "Fetch": 4, "Stage": 1, "Settle": 4, "StartRun": 2, "EnsureJob": 1, "FireRun": 2, "TimePasses": 1} {
		for i := range weight {
			actions[strconv.Itoa(i)+" "+name] = actions[name]
		}
	}
	return actions
}

// fromEnvironment is the number that a variable has, or 0 if it is not set.
func fromEnvironment(t *testing.T, name string) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// setFlag sets a flag of rapid for the time of the test.
func setFlag(t *testing.T, name string, value int) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	if err := f.Value.Set(strconv.Itoa(value)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(before) })
}

// drawn is a testing.TB whose failures end one sequence, not the test: rapid
// shrinks it then.
type drawn struct {
	testing.TB
	t *rapid.T
}

func (d drawn) Helper()                           { d.t.Helper() }
func (d drawn) Errorf(format string, args ...any) { d.t.Errorf(format, args...) }
func (d drawn) FailNow()                          { d.t.FailNow() }

// Check compares the store with the model.
func (m *machine) Check(*rapid.T) {
	s := m.s
	listed := make(map[*modelRun][]store.TaskRecord)
	for _, r := range m.m.ordered() {
		m.m.noteEnd(r)
		rec, err := s.store.Run(s.ctx, r.id)
		s.NoError(err)
		s.Equal(r.status, rec.Status)
		s.Equal(r.counts(), rec.Counts)
		if len(r.counters)+len(rec.Counters) > 0 {
			s.Equal(r.counters, rec.Counters)
		}
		s.Equal([]int64{r.retried, r.duplicate}, []int64{rec.Retried, rec.Duplicate}, "retried, duplicate")
		retryErr := r.retryErr
		if r.status.Final() {
			retryErr = ""
		}
		s.Equal(
			[]string{
				r.err,
				retryErr,
			},
			[]string{rec.Error, rec.RetryError},
			"the last error, and that of the last retry",
		)
		if rec.Status == statuses.Running {
			s.Equal(int64(len(r.holds)), rec.Holds)
		}
		if !rec.Status.Final() && rec.Status != statuses.Stopping {
			s.Equal(r.paused, rec.Paused)
			s.Equal([]string{string(r.onFailure), r.hookErr}, []string{string(rec.OnFailure), rec.HookError}, "what holds it")
		}
		s.Equal(r.reason, rec.Reason, "why it was stopped")
		s.Equal(r.deadline != 0, !rec.Deadline.IsZero(), "it has a deadline")
		if rec.Status == statuses.Stopping {
			s.Equal(r.graceful, rec.Graceful)
		}
		if !rec.Status.Final() {
			in, err := s.store.Inspect(s.ctx, r.id)
			s.NoError(err)
			s.True(in.Stable)
			if rec.Status == statuses.Running {
				s.agrees(in)
				m.checkSets(r, in)
			}
		}
		m.checkFailures(r)
		m.checkResults(r)
		listed[r] = m.checkListing(r)
	}
	m.checkRuns()
	m.m.audit.check(s, 3)
	m.checkJobs()
	m.checkJobStates()
	m.checkSemaphore()
	m.checkLedger(listed)
	m.checkFailing()
	m.checkSessions()
	for _, w := range m.workers {
		held := w.held()
		s.ElementsMatch(w.order, leases(held), "held by %s", w.session.ID)
		for _, d := range held {
			s.ElementsMatch(w.holds[d.Lease].task.stagedCounts(), d.Staged, "staged by %s", d.Task.ID)
		}
	}
}

// end brings the sequence to an end: what may run runs, every session dies, the
// rest is stopped.
func (m *machine) end() {
	m.m.pauses.resumeAll(m.s)
	m.endSchedules()
	m.drain(m.workers[0])
	m.endLimits()
	m.endConfigurations()
	m.endValues()
	m.Check(nil)
	for slot, w := range m.workers {
		w.close()
		m.die(slot, false)
	}
	m.Check(nil)
	for _, r := range m.m.ordered() {
		if !r.status.Final() {
			m.s.NoError(m.s.store.StopRun(m.s.ctx, store.StopParams{Run: r.id}))
			if r.status != statuses.Stopping || r.graceful {
				m.m.audit.note(actions.Stop, r.id, "", "")
			}
			r.stop(false, "")
		}
	}
	m.Check(nil)
	m.m.audit.check(m.s, bounds.MaxAuditPage)
}

// checkResults compares the results of a run, read by pages, and the oldest one by its ID.
func (m *machine) checkResults(r *modelRun) {
	var want []modelResult
	for _, set := range r.results {
		if set.ends == 0 || set.ends > m.m.now {
			want = append(want, modelResult{id: set.id, set: set.set, kind: set.kind, data: set.data})
		}
	}
	slices.SortStableFunc(want, func(a, b modelResult) int { return cmp.Compare(a.group(), b.group()) })
	var got []modelResult
	for _, set := range m.s.results(store.ResultsParams{Run: r.id, Limit: 5}) {
		got = append(got, modelResult{id: set.ID, set: set.Set, kind: set.Kind, data: string(set.Data)})
	}
	m.s.Equal(want, got, "the results of %v", r.id)
	for _, set := range r.results[:min(1, len(r.results))] {
		one := m.s.results(store.ResultsParams{Run: r.id, ID: set.id, Limit: 1})
		m.s.Equal(set.ends == 0 || set.ends > m.m.now, len(one) == 1, "the result of %s", set.id)
	}
}
