package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

// sabotageEnv names the sabotage that a child process shall run the suite with.
const sabotageEnv = "STORETEST_SABOTAGE"

// sabotages are stores that break one promise each. A suite that cannot see it
// is worth nothing.
var sabotages = map[string]struct {
	subtest  string // that must fail
	sentence string // that its failures must lead with
	breaks   func(store.Store) store.Store
}{
	"loses tasks of dead sessions":         {"P01_AtLeastOnce", "P1 At least once.", func(s store.Store) store.Store { return &losesDead{Store: s} }},
	"forgets a retry":                      {"P01_AtLeastOnce", "P1 At least once.", func(s store.Store) store.Store { return &failsRetries{s} }},
	"counts one too many while running":    {"P02_ExactCounts", "P2 Exact counts.", func(s store.Store) store.Store { return &miscounts{s} }},
	"counts what was settled late":         {"P02_ExactCounts", "P2 Exact counts.", func(s store.Store) store.Store { return &countsRepeats{Store: s} }},
	"never gives out the hook":             {"P03_CompletionOnce", "P3 Completion once.", func(s store.Store) store.Store { return &dropsHook{s} }},
	"says twice that a run ended":          {"P03_CompletionOnce", "P3 Completion once.", func(s store.Store) store.Store { return &endsTwice{Store: s} }},
	"ignores holds":                        {"P03_CompletionOnce", "P3 Completion once.", func(s store.Store) store.Store { return &dropsHolds{s} }},
	"keeps children of failed parents":     {"P04_ExactlyOnceFanOut", "P4 Exactly-once fan-out.", func(s store.Store) store.Store { return &leaksChildren{Store: s} }},
	"shows staged children at once":        {"P04_ExactlyOnceFanOut", "P4 Exactly-once fan-out.", func(s store.Store) store.Store { return &stagesInTheOpen{Store: s} }},
	"hides that a lease was lost":          {"P05_Fencing", "P5 Fencing.", func(s store.Store) store.Store { return &hidesLoss{s} }},
	"lets dead workers enqueue":            {"P05_Fencing", "P5 Fencing.", func(s store.Store) store.Store { return &stagesForTheDead{s} }},
	"only pauses when it is told to stop":  {"P06_Stop", "P6 Stop.", func(s store.Store) store.Store { return &pausesOnly{s} }},
	"starts a name again for each token":   {"P07_OneActiveRun", "P7 One active run per name.", func(s store.Store) store.Store { return &ignoresTokens{Store: s} }},
	"applies a repeated enqueue":           {"P10_SafeRetry", "P10 Safe retry.", func(s store.Store) store.Store { return &countsRepeats{Store: s} }},
	"gives other tasks to a repeat":        {"P10_SafeRetry", "P10 Safe retry.", func(s store.Store) store.Store { return &fetchesAnew{Store: s} }},
	"ignores weights":                      {"P11_Fair", "P11 Fair.", func(s store.Store) store.Store { return &ignoresWeights{s} }},
	"keeps summaries for ever":             {"P12_Bounded", "P12 Bounded.", func(s store.Store) store.Store { return &keepsForever{s} }},
	"calls everything unknown a success":   {"P13_BadInput", "P13 Bad input", func(s store.Store) store.Store { return &swallowsErrors{s} }},
	"takes a producer's clock for its own": {"P14_OneClock", "P14 One clock.", func(s store.Store) store.Store { return &trustsProducers{s} }},
	"charges nobody for a crash":           {"P15_Poison", "P15 Poison.", func(s store.Store) store.Store { return &forgivesCrashes{s} }},
	"takes every task for a suspect":       {"P15_Poison", "P15 Poison.", func(s store.Store) store.Store { return &suspectsAll{s} }},
}

// sabotaged is the harness of the store that the environment names; without a
// name, of a sound one.
func sabotaged() storetest.Harness {
	h := memory()
	h.Waiting = 1000
	if breaks := sabotages[os.Getenv(sabotageEnv)].breaks; breaks != nil {
		h.New = func(testing.TB) store.Store { return breaks(memstore.New(nil)) }
	}
	return h
}

func TestSabotaged(t *testing.T) { storetest.Run(t, sabotaged()) }

func TestSabotagedModel(t *testing.T) {
	storetest.RunModel(t, sabotaged(), storetest.ModelOptions{Sequences: 50})
}

func TestSuiteCatchesEverySabotage(t *testing.T) {
	for name, sabotage := range sabotages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, name, "^TestSabotaged$/^"+sabotage.subtest+"$")
			require.Error(t, err, "the suite must fail")
			require.Regexp(t, `(?m)^\s+\w+\.go:\d+: `+sabotage.sentence, out)
		})
	}
}

func TestModelCatchesSabotage(t *testing.T) {
	for _, name := range []string{
		"loses tasks of dead sessions", "forgets a retry", "counts one too many while running", "applies a repeated enqueue",
		"never gives out the hook", "ignores holds", "shows staged children at once", "only pauses when it is told to stop",
		"starts a name again for each token", "gives other tasks to a repeat", "charges nobody for a crash", "takes every task for a suspect",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, name, "^TestSabotagedModel$")
			require.Error(t, err, "the model must differ")
			require.Contains(t, out, "The store does what the model of its contract says")
		})
	}
}

// child runs tests of this binary on the sabotaged store, in a process of their own.
func child(t *testing.T, sabotage, tests string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run="+tests, "-rapid.nofailfile", "-rapid.shrinktime=0s")
	cmd.Env = append(os.Environ(), sabotageEnv+"="+sabotage)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

type losesDead struct{ store.Store }

func (s *losesDead) CloseSession(ctx context.Context, id store.SessionID) error {
	held, _ := s.Store.Held(ctx, id)
	var outcomes []store.Outcome
	for _, d := range held {
		outcomes = append(outcomes, store.Outcome{Lease: d.Lease, Verdict: store.VerdictSuccess, Task: d.Task})
	}
	_, _ = s.Store.Settle(ctx, store.SettleParams{Session: id, Number: 1 << 40, Outcomes: outcomes})
	return s.Store.CloseSession(ctx, id)
}

type failsRetries struct{ store.Store }

func (s *failsRetries) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		if p.Outcomes[i].Verdict == store.VerdictRetry {
			p.Outcomes[i].Verdict = store.VerdictFail
		}
	}
	return s.Store.Settle(ctx, p)
}

type miscounts struct{ store.Store }

func (s *miscounts) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	rec, err := s.Store.Run(ctx, id)
	if rec.Counts.Running > 0 {
		rec.Counts.Pending++
	}
	return rec, err
}

// countsRepeats gives each call a number of its own, and so applies repeats.
type countsRepeats struct {
	store.Store
	number atomic.Int64
}

func (s *countsRepeats) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	p.Number = s.number.Add(1)
	return s.Store.Enqueue(ctx, p)
}

type dropsHook struct{ store.Store }

func (s *dropsHook) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.PostJob = nil
	return s.Store.StartRun(ctx, p)
}

// endsTwice repeats the runs that ended in the reply of the next settlement.
type endsTwice struct {
	store.Store
	ended atomic.Pointer[[]store.RunID]
}

func (s *endsTwice) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	reply, err := s.Store.Settle(ctx, p)
	if before := s.ended.Swap(&reply.Ended); before != nil {
		reply.Ended = append(reply.Ended, *before...)
	}
	return reply, err
}

type dropsHolds struct{ store.Store }

func (s *dropsHolds) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	asked := len(p.Holds)
	p.Holds = nil
	reply, err := s.Store.Enqueue(ctx, p)
	reply.Holds = make([]error, asked)
	return reply, err
}

// aside enqueues behind the back of its caller.
type aside struct{ streams atomic.Int64 }

func (a *aside) enqueue(ctx context.Context, s store.Store, partition int, run store.RunID, items []store.Item) {
	stream := "aside-" + strconv.FormatInt(a.streams.Add(1), 10)
	_ = s.OpenProducer(ctx, partition, stream)
	p := store.EnqueueParams{Partition: partition, Stream: stream, Number: 1}
	for _, it := range items {
		p.Entries = append(p.Entries, store.Entry{Run: run, Item: it})
	}
	_, _ = s.Enqueue(ctx, p)
}

type leaksChildren struct {
	store.Store
	aside
}

func (s *leaksChildren) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	for _, o := range p.Outcomes {
		if o.Verdict != store.VerdictSuccess && len(o.Children) > 0 {
			s.enqueue(ctx, s.Store, p.Session.Partition, o.Lease.Lane.Run, o.Children)
		}
	}
	return s.Store.Settle(ctx, p)
}

type stagesInTheOpen struct {
	store.Store
	aside
}

func (s *stagesInTheOpen) Stage(ctx context.Context, p store.StageParams) error {
	s.enqueue(ctx, s.Store, p.Session.Partition, p.Lease.Lane.Run, p.Items)
	return nil
}

type hidesLoss struct{ store.Store }

func (s *hidesLoss) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	reply, _ := s.Store.Settle(ctx, p)
	reply.Lost = nil
	return reply, nil
}

type stagesForTheDead struct{ store.Store }

func (s *stagesForTheDead) Stage(ctx context.Context, p store.StageParams) error {
	_ = s.Store.Stage(ctx, p)
	return nil
}

type pausesOnly struct{ store.Store }

func (s *pausesOnly) StopRun(ctx context.Context, p store.StopParams) error {
	return s.Store.SetRunPaused(ctx, p.Run, true)
}

// ignoresTokens takes every start for a new one.
type ignoresTokens struct {
	store.Store
	tokens atomic.Int64
}

func (s *ignoresTokens) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Token += strconv.FormatInt(s.tokens.Add(1), 10)
	return s.Store.StartRun(ctx, p)
}

// fetchesAnew leases more tasks to a repeated fetch.
type fetchesAnew struct {
	store.Store
	number atomic.Int64
}

func (s *fetchesAnew) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	p.Number = s.number.Add(1)
	return s.Store.Fetch(ctx, p)
}

type ignoresWeights struct{ store.Store }

func (s *ignoresWeights) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Weight = 1
	return s.Store.StartRun(ctx, p)
}

type keepsForever struct{ store.Store }

func (s *keepsForever) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Retention = 1e6 * time.Hour
	return s.Store.StartRun(ctx, p)
}

type swallowsErrors struct{ store.Store }

func (s *swallowsErrors) StopRun(ctx context.Context, p store.StopParams) error {
	_ = s.Store.StopRun(ctx, p)
	return nil
}

// trustsProducers counts a delay from the time that the producer claims.
type trustsProducers struct{ store.Store }

func (s *trustsProducers) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	p.Entries = slices.Clone(p.Entries)
	for i := range p.Entries {
		if it := &p.Entries[i].Item; it.Delay > 0 && !it.Task.Enqueued.IsZero() {
			it.At, it.Delay = it.Task.Enqueued.Add(it.Delay), 0
		}
	}
	return s.Store.Enqueue(ctx, p)
}

type forgivesCrashes struct{ store.Store }

func (s *forgivesCrashes) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	for i := range reply.Deliveries {
		reply.Deliveries[i].Task.Crashes = 0
	}
	return reply, err
}

type suspectsAll struct{ store.Store }

func (s *suspectsAll) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	for i := range reply.Deliveries {
		reply.Deliveries[i].Task.Crashes++
	}
	return reply, err
}
