package store_test

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func (s *scripted) Ping(ctx context.Context) error { return s.call(ctx) }

func (s *scripted) EnsureJob(ctx context.Context, _ store.EnsureParams) (verdicts.Ensure, error) {
	return "", s.call(ctx)
}

func (s *scripted) SetJobDisabled(ctx context.Context, _ string, _ bool) error { return s.call(ctx) }

func (s *scripted) Job(ctx context.Context, _ string) (store.JobRecord, error) {
	return store.JobRecord{}, s.call(ctx)
}

func (s *scripted) ListJobs(ctx context.Context, _ store.ListParams) (store.JobPage, error) {
	return store.JobPage{}, s.call(ctx)
}

func (s *scripted) JobRuns(ctx context.Context, _ string) ([]int64, error) {
	return nil, s.call(ctx)
}

func (s *scripted) DeleteJob(ctx context.Context, _ string) error { return s.call(ctx) }

func (s *scripted) StartRun(ctx context.Context, _ store.StartParams) (store.StartReply, error) {
	return store.StartReply{}, s.call(ctx)
}

func (s *scripted) Run(ctx context.Context, _ store.RunID) (store.RunRecord, error) {
	return store.RunRecord{}, s.call(ctx)
}

func (s *scripted) StopRun(ctx context.Context, _ store.StopParams) error { return s.call(ctx) }

func (s *scripted) SetRunPaused(ctx context.Context, _ store.RunID, _ bool) error { return s.call(ctx) }

func (s *scripted) FailingRuns(ctx context.Context, _ store.FailingRunsParams) ([]store.FailingRun, error) {
	return nil, s.call(ctx)
}

func (s *scripted) RedoFailures(ctx context.Context, _ store.RedoParams) (store.RedoReply, error) {
	return store.RedoReply{}, s.call(ctx)
}

func (s *scripted) Failures(ctx context.Context, _ store.FailuresParams) ([]store.Failure, error) {
	return nil, s.call(ctx)
}

func (s *scripted) ChangeTask(ctx context.Context, _ store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	return store.ChangeTaskReply{}, s.call(ctx)
}

func (s *scripted) Results(ctx context.Context, _ store.ResultsParams) (store.ResultsReply, error) {
	return store.ResultsReply{}, s.call(ctx)
}

func (s *scripted) Tasks(ctx context.Context, _ store.TasksParams) (store.TasksReply, error) {
	return store.TasksReply{}, s.call(ctx)
}

func (s *scripted) ListRuns(ctx context.Context, _ store.RunsParams) (store.RunPage, error) {
	return store.RunPage{}, s.call(ctx)
}

func (s *scripted) Inspect(ctx context.Context, _ store.RunID) (store.Inspection, error) {
	return store.Inspection{}, s.call(ctx)
}

func (s *scripted) DeleteRun(ctx context.Context, _ store.RunID) error { return s.call(ctx) }

func (s *scripted) Reconsider(ctx context.Context, _ int, _ []store.Route) error { return s.call(ctx) }

func (s *scripted) CloseProducer(ctx context.Context, _ int, _ string) error { return s.call(ctx) }

func (s *scripted) OpenProducer(ctx context.Context, _ int, _ string) error { return s.call(ctx) }

func (s *scripted) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	s.enqueued = append(s.enqueued, p)
	return store.EnqueueReply{}, s.call(ctx)
}

func (s *scripted) OpenSession(ctx context.Context, _ store.SessionID, _ store.WorkerInfo, _ time.Duration) error {
	return s.call(ctx)
}

func (s *scripted) Fetch(ctx context.Context, _ store.FetchParams) (store.FetchReply, error) {
	return store.FetchReply{}, s.call(ctx)
}

func (s *scripted) Settle(ctx context.Context, _ store.SettleParams) (store.SettleReply, error) {
	return store.SettleReply{}, s.call(ctx)
}

func (s *scripted) Stage(ctx context.Context, _ store.StageParams) error { return s.call(ctx) }

func (s *scripted) Heartbeat(ctx context.Context, _ store.HeartbeatParams) (store.HeartbeatReply, error) {
	return store.HeartbeatReply{}, s.call(ctx)
}

func (s *scripted) Held(ctx context.Context, _ store.SessionID, _ map[store.Lease]bool) ([]store.Delivery, error) {
	return nil, s.call(ctx)
}

func (s *scripted) SetWorkerStatus(ctx context.Context, _ store.WorkerStatusParams) error {
	return s.call(ctx)
}
func (s *scripted) CloseSession(ctx context.Context, _ store.SessionID) error { return s.call(ctx) }

func (s *scripted) Audit(ctx context.Context, _ store.AuditParams) ([]store.AuditLine, error) {
	return nil, s.call(ctx)
}

func (s *scripted) LostSessions(ctx context.Context, _ int) ([]store.LostSession, error) {
	return nil, s.call(ctx)
}

func (s *scripted) LiveSessions(ctx context.Context, _ int) ([]store.SessionRecord, error) {
	return nil, s.call(ctx)
}

func (s *scripted) ReadHistory(ctx context.Context, _ store.HistoryParams) ([]store.HistoryPoint, error) {
	return nil, s.call(ctx)
}

func (s *scripted) QueueStats(ctx context.Context, _ int) ([]store.QueueRecord, error) {
	return nil, s.call(ctx)
}

func (s *scripted) AcquireSemaphore(ctx context.Context, _ store.SemaphoreClaim) (store.SemaphoreReply, error) {
	return store.SemaphoreReply{}, s.call(ctx)
}

func (s *scripted) RefreshSemaphore(ctx context.Context, _, _ string, _ time.Duration) (time.Time, error) {
	return time.Time{}, s.call(ctx)
}

func (s *scripted) ReleaseSemaphore(ctx context.Context, _, _ string) error { return s.call(ctx) }

func (s *scripted) ForceReleaseSemaphore(ctx context.Context, _ string, _, _ int64) (int, error) {
	return 0, s.call(ctx)
}

func (s *scripted) SemaphoreKeys(ctx context.Context, _ store.KeysParams) ([]string, error) {
	return nil, s.call(ctx)
}

func (s *scripted) Limit(ctx context.Context, _ string) (store.LimitRecord, error) {
	return store.LimitRecord{}, s.call(ctx)
}

func (s *scripted) ListValues(ctx context.Context, _ store.ValuesParams) (store.ValuesPage, error) {
	return store.ValuesPage{}, s.call(ctx)
}

func (s *scripted) Semaphore(ctx context.Context, _ string) (store.SemaphoreRecord, error) {
	return store.SemaphoreRecord{}, s.call(ctx)
}

func (s *scripted) Promote(ctx context.Context, _ int) (store.PromoteReply, error) {
	return store.PromoteReply{}, s.call(ctx)
}

func (s *scripted) Sweep(ctx context.Context, _ int) (store.SweepReply, error) {
	return store.SweepReply{}, s.call(ctx)
}

func (s *scripted) FireRun(ctx context.Context, _ store.FireParams) (store.FireReply, error) {
	return store.FireReply{}, s.call(ctx)
}

func (s *scripted) PostponeJob(ctx context.Context, _ store.PostponeParams) error { return s.call(ctx) }

func (s *scripted) Repair(ctx context.Context, _ store.RepairParams) (store.RepairReport, error) {
	return store.RepairReport{}, s.call(ctx)
}

func (s *scripted) WriteValues(ctx context.Context, _ store.WriteParams) (store.WriteReply, error) {
	return store.WriteReply{}, s.call(ctx)
}

func (s *scripted) ReadValue(ctx context.Context, _ store.ReadParams) (store.ReadReply, error) {
	return store.ReadReply{}, s.call(ctx)
}

func (s *scripted) PublishSet(ctx context.Context, _ store.SetRecord) error { return s.call(ctx) }

func (s *scripted) Sets(ctx context.Context, _ int) ([]store.SetRecord, error) {
	return nil, s.call(ctx)
}

func (s *scripted) Configuration(ctx context.Context, _ store.ConfigurationID) (store.ConfigurationRecord, error) {
	return store.ConfigurationRecord{}, s.call(ctx)
}

func (s *scripted) WatchConfigurations(ctx context.Context, _ []string) ([]store.ConfigurationRecord, error) {
	return nil, s.call(ctx)
}

func (s *scripted) WriteConfiguration(ctx context.Context, _ store.ConfigurationWrite) (int64, error) {
	return 0, s.call(ctx)
}

func (s *scripted) ConfigurationHistory(ctx context.Context, _ store.ConfigurationID) ([]store.ConfigurationChange, error) {
	return nil, s.call(ctx)
}

func (s *scripted) Subscribe(ctx context.Context, _ func(store.Signal)) error { return s.call(ctx) }

func (s *scripted) Close() error    { return s.call(context.Background()) }
func (s *scripted) Partitions() int { return 1 }

func (s *scripted) Pause(ctx context.Context, _ int, _ store.Pause) error { return s.call(ctx) }

func (s *scripted) Resume(ctx context.Context, _ int, _ store.PauseScope) error { return s.call(ctx) }

func (s *scripted) Pauses(ctx context.Context, _ int) (store.PauseSet, error) {
	return store.PauseSet{}, s.call(ctx)
}

func (s *scripted) Draw(ctx context.Context, _ store.DrawParams) (store.DrawReply, error) {
	return store.DrawReply{}, s.call(ctx)
}

func (s *scripted) Forfeit(ctx context.Context, _ string, _ store.Holding) error { return s.call(ctx) }

func (s *scripted) SessionsLeft(ctx context.Context, _ int, _ string) (int, error) {
	return 0, s.call(ctx)
}
