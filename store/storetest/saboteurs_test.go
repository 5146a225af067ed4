package storetest_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// losesDead takes what a session held when it ended for done.
type losesDead struct{ store.Store }

func (s *losesDead) CloseSession(ctx context.Context, id store.SessionID) error {
	held, _ := s.Store.Held(ctx, id, nil)
	var outcomes []store.Outcome
	for _, d := range held {
		outcomes = append(outcomes, store.Outcome{Lease: d.Lease, Verdict: verdicts.Success, Task: d.Task})
	}
	_, _ = s.Store.Settle(ctx, store.SettleParams{Session: id, Number: 1 << 40, Outcomes: outcomes})
	return s.Store.CloseSession(ctx, id)
}

// failsRetries fails a task at its first failed attempt.
type failsRetries struct{ store.Store }

func (s *failsRetries) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		if p.Outcomes[i].Verdict == verdicts.Retry {
			p.Outcomes[i].Verdict = verdicts.Fail
		}
	}
	return s.Store.Settle(ctx, p)
}

// miscounts counts a running task as waiting, too.
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

// unguards adds to a run whatever became of the call before.
type unguards struct{ store.Store }

func (s *unguards) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	p.Holds = slices.Clone(p.Holds)
	for i := range p.Holds {
		p.Holds[i].Guarded = false
	}
	return s.Store.Enqueue(ctx, p)
}

// stopsForNobody does not pass on who stops a run.
type stopsForNobody struct{ store.Store }

func (s *stopsForNobody) StopRun(ctx context.Context, p store.StopParams) error {
	return s.Store.StopRun(store.WithActor(ctx, store.Actor{}), p)
}

// pausesTwice resumes what it is to pause, so that each call changes something.
type pausesTwice struct{ store.Store }

func (s *pausesTwice) Pause(ctx context.Context, partition int, p store.Pause) error {
	if err := s.Resume(ctx, partition, p.Scope); err != nil {
		return err
	}
	return s.Store.Pause(ctx, partition, p)
}

// unaware does not look at what a session was answered.
type unaware struct{ store.Store }

func (s *unaware) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	p.Answered = store.Answered{}
	return s.Store.Fetch(ctx, p)
}

func (s *unaware) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	p.Answered = store.Answered{}
	return s.Store.Settle(ctx, p)
}

func (s *unaware) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	p.Answered = store.Answered{}
	return s.Store.Heartbeat(ctx, p)
}

// dropsHook starts runs without their post-job hook.
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

// dropsHolds answers hold changes without making them.
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

// leaksChildren adds the children of a parent that did not succeed.
type leaksChildren struct {
	store.Store
	aside
}

func (s *leaksChildren) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	for _, o := range p.Outcomes {
		if o.Verdict != verdicts.Success && len(o.Children) > 0 {
			s.enqueue(ctx, s.Store, p.Session.Partition, o.Lease.Lane.Run, o.Children)
		}
	}
	return s.Store.Settle(ctx, p)
}

// stagesInTheOpen adds staged children before their parent has succeeded.
type stagesInTheOpen struct {
	store.Store
	aside
}

func (s *stagesInTheOpen) Stage(ctx context.Context, p store.StageParams) error {
	s.enqueue(ctx, s.Store, p.Session.Partition, p.Lease.Lane.Run, p.Items)
	return nil
}

// believesParents takes what is there for all that a parent has staged.
type believesParents struct{ store.Store }

func (s *believesParents) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	held, _ := s.Held(ctx, p.Session, nil)
	there := make(map[store.Lease][]store.Staged)
	for _, d := range held {
		there[d.Lease] = d.Staged
	}
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		p.Outcomes[i].Staged = there[p.Outcomes[i].Lease]
	}
	return s.Store.Settle(ctx, p)
}

// hidesLoss answers every settlement as if it had been applied.
type hidesLoss struct{ store.Store }

func (s *hidesLoss) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	reply, _ := s.Store.Settle(ctx, p)
	reply.Lost = nil
	return reply, nil
}

// stagesForTheDead answers every staging as if it had been applied.
type stagesForTheDead struct{ store.Store }

func (s *stagesForTheDead) Stage(ctx context.Context, p store.StageParams) error {
	_ = s.Store.Stage(ctx, p)
	return nil
}

// pausesOnly pauses a run that it is told to stop.
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

// ignoresWeights starts every run with the same weight.
type ignoresWeights struct{ store.Store }

func (s *ignoresWeights) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Weight = 1
	return s.Store.StartRun(ctx, p)
}

// keepsForever keeps summaries for a century.
type keepsForever struct{ store.Store }

func (s *keepsForever) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Retention = 1e6 * time.Hour
	return s.Store.StartRun(ctx, p)
}

// sealsBrokenOff takes what a producer enqueued before it broke off for all there is.
type sealsBrokenOff struct{ store.Store }

func (s *sealsBrokenOff) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	if p.SealAfter == 0 {
		p.SealAfter, p.StopAfter = p.StopAfter, 0
	}
	return s.Store.StartRun(ctx, p)
}

// forgetsIdle tells only of delayed tasks and periodic jobs when the next is due.
type forgetsIdle struct{ store.Store }

func (s *forgetsIdle) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	reply, err := s.Store.Promote(ctx, partition)
	reply.Next = time.Time{} // the scene has neither
	return reply, err
}

// forgetsExpiry does not keep when tasks expire.
type forgetsExpiry struct{ store.Store }

func (s *forgetsExpiry) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	p.Entries = slices.Clone(p.Entries)
	for i := range p.Entries {
		p.Entries[i].Item.Task.Expires = time.Time{}
	}
	return s.Store.Enqueue(ctx, p)
}

// forgetsDeadlines lets every run take its time.
type forgetsDeadlines struct{ store.Store }

func (s *forgetsDeadlines) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	p.Deadline = 0
	return s.Store.StartRun(ctx, p)
}

// hidesDeadlines does not tell workers that a run was stopped at its deadline.
type hidesDeadlines struct{ store.Store }

func (s *hidesDeadlines) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	reply, err := s.Store.Heartbeat(ctx, p)
	for i := range reply.Runs {
		reply.Runs[i].Overdue = false
	}
	return reply, err
}

// swallowsErrors finds nothing wrong with any stop.
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

// forgivesCrashes charges no delivery.
type forgivesCrashes struct{ store.Store }

func (s *forgivesCrashes) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	for i := range reply.Deliveries {
		reply.Deliveries[i].Task.Crashes = 0
	}
	return reply, err
}

// recoveredAll charges every delivery once too often.
type recoveredAll struct{ store.Store }

func (s *recoveredAll) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	for i := range reply.Deliveries {
		reply.Deliveries[i].Task.Crashes++
	}
	return reply, err
}

// countsAttempts adds the counters of whatever it is told to settle.
type countsAttempts struct {
	store.Store
	mu   sync.Mutex
	sums map[store.RunID]map[string]int64
}

func (s *countsAttempts) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Outcomes = slices.Clone(p.Outcomes)
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		for name, n := range o.Counters {
			if s.sums == nil {
				s.sums = make(map[store.RunID]map[string]int64)
			}
			if s.sums[o.Lease.Lane.Run] == nil {
				s.sums[o.Lease.Lane.Run] = make(map[string]int64)
			}
			s.sums[o.Lease.Lane.Run][name] += n
		}
		o.Counters = nil
	}
	return s.Store.Settle(ctx, p)
}

func (s *countsAttempts) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	rec, err := s.Store.Run(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.Counters = maps.Clone(s.sums[id])
	return rec, err
}

// writesBlindly replaces a configuration whatever its version is.
type writesBlindly struct{ store.Store }

func (s *writesBlindly) WriteConfiguration(ctx context.Context, p store.ConfigurationWrite) (int64, error) {
	if p.IfVersion >= 0 {
		p.IfVersion = store.AnyVersion
	}
	return s.Store.WriteConfiguration(ctx, p)
}

// changesAnew cannot tell a repeated change of a configuration from the next one.
type changesAnew struct {
	store.Store
	tokens atomic.Int64
}

func (s *changesAnew) WriteConfiguration(ctx context.Context, p store.ConfigurationWrite) (int64, error) {
	if p.Token != "" {
		p.Token += strconv.FormatInt(s.tokens.Add(1), 10)
	}
	return s.Store.WriteConfiguration(ctx, p)
}

// tellsNoVersion gives out tasks as if no run were configured.
type tellsNoVersion struct{ store.Store }

func (s *tellsNoVersion) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	for i := range reply.Deliveries {
		reply.Deliveries[i].Configured = 0
	}
	return reply, err
}

// neverForgets tells one change more than may be kept.
type neverForgets struct{ store.Store }

func (s *neverForgets) ConfigurationHistory(ctx context.Context, id store.ConfigurationID) ([]store.ConfigurationChange, error) {
	history, err := s.Store.ConfigurationHistory(ctx, id)
	if len(history) == store.ConfigurationChanges {
		history = append(history, history[0])
	}
	return history, err
}

// showsForever goes on showing the progress that a run showed last.
type showsForever struct {
	store.Store
	last sync.Map // by RunID
}

func (s *showsForever) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	rec, err := s.Store.Run(ctx, id)
	if len(rec.Reporting) > 0 {
		s.last.Store(id, rec.Reporting)
	} else if last, ok := s.last.Load(id); ok && err == nil {
		rec.Reporting = last.([]store.RunningTask)
	}
	return rec, err
}

// stopsToRepair stops what it is asked to repair.
type stopsToRepair struct{ store.Store }

func (s *stopsToRepair) Repair(ctx context.Context, p store.RepairParams) (store.RepairReport, error) {
	report, err := s.Store.Repair(ctx, p)
	if rec, jobErr := s.Job(ctx, p.Job); jobErr == nil && !p.DryRun {
		_ = s.StopRun(ctx, store.StopParams{Run: store.RunID{Job: p.Job, Number: rec.LastRun}})
	}
	return report, err
}

// forgetsMaps takes writes to maps and keeps nothing.
type forgetsMaps struct{ store.Store }

func (s *forgetsMaps) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	p.Writes = slices.Clone(p.Writes)
	for i := range p.Writes {
		if p.Writes[i].Type == store.ValueMap {
			p.Writes[i].Op, p.Writes[i].Data = store.WriteDelete, nil
		}
	}
	return s.Store.WriteValues(ctx, p)
}
