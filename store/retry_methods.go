package store

import (
	"context"
	"errors"
	"time"
)

// gone answers a repeated removal as its first attempt would have been
// answered: that it now finds nothing is what it asked for.
func gone(err, notFound error) error {
	if repeated := (*RetryError)(nil); errors.As(err, &repeated) && repeated.Attempts > 1 && errors.Is(err, notFound) {
		return nil
	}
	return err
}

func (r *retrying) Ping(ctx context.Context) error {
	return repeatErr(ctx, r, "Ping", r.Store.Ping)
}

func (r *retrying) EnsureJob(ctx context.Context, p EnsureParams) (EnsureResult, error) {
	return repeat(ctx, r, "EnsureJob", func(ctx context.Context) (EnsureResult, error) { return r.Store.EnsureJob(ctx, p) })
}

func (r *retrying) SetJobDisabled(ctx context.Context, job string, disabled bool) error {
	return repeatErr(ctx, r, "SetJobDisabled", func(ctx context.Context) error { return r.Store.SetJobDisabled(ctx, job, disabled) })
}

func (r *retrying) Job(ctx context.Context, job string) (JobRecord, error) {
	return repeat(ctx, r, "Job", func(ctx context.Context) (JobRecord, error) { return r.Store.Job(ctx, job) })
}

func (r *retrying) ListJobs(ctx context.Context, p ListParams) (JobPage, error) {
	return repeat(ctx, r, "ListJobs", func(ctx context.Context) (JobPage, error) { return r.Store.ListJobs(ctx, p) })
}

func (r *retrying) JobRuns(ctx context.Context, job string) ([]int64, error) {
	return repeat(ctx, r, "JobRuns", func(ctx context.Context) ([]int64, error) { return r.Store.JobRuns(ctx, job) })
}

func (r *retrying) DeleteJob(ctx context.Context, job string) error {
	err := repeatErr(ctx, r, "DeleteJob", func(ctx context.Context) error { return r.Store.DeleteJob(ctx, job) })
	return gone(err, ErrJobNotFound)
}

func (r *retrying) FireRun(ctx context.Context, p FireParams) (FireReply, error) {
	return repeat(ctx, r, "FireRun", func(ctx context.Context) (FireReply, error) { return r.Store.FireRun(ctx, p) })
}

func (r *retrying) PostponeJob(ctx context.Context, p PostponeParams) error {
	return repeatErr(ctx, r, "PostponeJob", func(ctx context.Context) error { return r.Store.PostponeJob(ctx, p) })
}

func (r *retrying) StartRun(ctx context.Context, p StartParams) (StartReply, error) {
	return repeat(ctx, r, "StartRun", func(ctx context.Context) (StartReply, error) { return r.Store.StartRun(ctx, p) })
}

func (r *retrying) Run(ctx context.Context, id RunID) (RunRecord, error) {
	return repeat(ctx, r, "Run", func(ctx context.Context) (RunRecord, error) { return r.Store.Run(ctx, id) })
}

func (r *retrying) StopRun(ctx context.Context, p StopParams) error {
	return repeatErr(ctx, r, "StopRun", func(ctx context.Context) error { return r.Store.StopRun(ctx, p) })
}

func (r *retrying) SetRunPaused(ctx context.Context, id RunID, paused bool) error {
	return repeatErr(ctx, r, "SetRunPaused", func(ctx context.Context) error { return r.Store.SetRunPaused(ctx, id, paused) })
}

func (r *retrying) Failures(ctx context.Context, id RunID, after int64, limit int) ([]Failure, error) {
	return repeat(ctx, r, "Failures", func(ctx context.Context) ([]Failure, error) { return r.Store.Failures(ctx, id, after, limit) })
}

func (r *retrying) Inspect(ctx context.Context, id RunID) (Inspection, error) {
	return repeat(ctx, r, "Inspect", func(ctx context.Context) (Inspection, error) { return r.Store.Inspect(ctx, id) })
}

func (r *retrying) DeleteRun(ctx context.Context, id RunID) error {
	err := repeatErr(ctx, r, "DeleteRun", func(ctx context.Context) error { return r.Store.DeleteRun(ctx, id) })
	return gone(err, ErrRunNotFound)
}

func (r *retrying) OpenProducer(ctx context.Context, partition int, stream string) error {
	return repeatErr(ctx, r, "OpenProducer", func(ctx context.Context) error { return r.Store.OpenProducer(ctx, partition, stream) })
}

func (r *retrying) Enqueue(ctx context.Context, p EnqueueParams) (EnqueueReply, error) {
	return repeat(ctx, r, "Enqueue", func(ctx context.Context) (EnqueueReply, error) { return r.Store.Enqueue(ctx, p) })
}

func (r *retrying) OpenSession(ctx context.Context, s SessionID, info WorkerInfo, lease time.Duration) error {
	return repeatErr(ctx, r, "OpenSession", func(ctx context.Context) error { return r.Store.OpenSession(ctx, s, info, lease) })
}

func (r *retrying) Fetch(ctx context.Context, p FetchParams) (FetchReply, error) {
	return repeat(ctx, r, "Fetch", func(ctx context.Context) (FetchReply, error) { return r.Store.Fetch(ctx, p) })
}

func (r *retrying) Settle(ctx context.Context, p SettleParams) (SettleReply, error) {
	return repeat(ctx, r, "Settle", func(ctx context.Context) (SettleReply, error) { return r.Store.Settle(ctx, p) })
}

func (r *retrying) Stage(ctx context.Context, p StageParams) error {
	return repeatErr(ctx, r, "Stage", func(ctx context.Context) error { return r.Store.Stage(ctx, p) })
}

func (r *retrying) Heartbeat(ctx context.Context, p HeartbeatParams) (HeartbeatReply, error) {
	return repeat(ctx, r, "Heartbeat", func(ctx context.Context) (HeartbeatReply, error) { return r.Store.Heartbeat(ctx, p) })
}

func (r *retrying) Held(ctx context.Context, s SessionID, except map[Lease]bool) ([]Delivery, error) {
	return repeat(ctx, r, "Held", func(ctx context.Context) ([]Delivery, error) { return r.Store.Held(ctx, s, except) })
}

func (r *retrying) CloseSession(ctx context.Context, s SessionID) error {
	return repeatErr(ctx, r, "CloseSession", func(ctx context.Context) error { return r.Store.CloseSession(ctx, s) })
}

func (r *retrying) LiveSessions(ctx context.Context, partition int) ([]SessionRecord, error) {
	return repeat(ctx, r, "LiveSessions", func(ctx context.Context) ([]SessionRecord, error) { return r.Store.LiveSessions(ctx, partition) })
}

func (r *retrying) QueueStats(ctx context.Context, partition int) ([]QueueRecord, error) {
	return repeat(ctx, r, "QueueStats", func(ctx context.Context) ([]QueueRecord, error) { return r.Store.QueueStats(ctx, partition) })
}

func (r *retrying) AcquireSemaphore(ctx context.Context, p SemaphoreClaim) (SemaphoreReply, error) {
	return repeat(ctx, r, "AcquireSemaphore", func(ctx context.Context) (SemaphoreReply, error) { return r.Store.AcquireSemaphore(ctx, p) })
}

func (r *retrying) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	return repeat(ctx, r, "RefreshSemaphore", func(ctx context.Context) (time.Time, error) { return r.Store.RefreshSemaphore(ctx, key, token, ttl) })
}

func (r *retrying) ReleaseSemaphore(ctx context.Context, key, token string) error {
	err := repeatErr(ctx, r, "ReleaseSemaphore", func(ctx context.Context) error { return r.Store.ReleaseSemaphore(ctx, key, token) })
	return gone(err, ErrLeaseLost)
}

func (r *retrying) ForceReleaseSemaphore(ctx context.Context, key string, fence int64) (int, error) {
	return repeat(ctx, r, "ForceReleaseSemaphore", func(ctx context.Context) (int, error) { return r.Store.ForceReleaseSemaphore(ctx, key, fence) })
}

func (r *retrying) Semaphore(ctx context.Context, key string) (SemaphoreRecord, error) {
	return repeat(ctx, r, "Semaphore", func(ctx context.Context) (SemaphoreRecord, error) { return r.Store.Semaphore(ctx, key) })
}

func (r *retrying) Promote(ctx context.Context, partition int) (PromoteReply, error) {
	return repeat(ctx, r, "Promote", func(ctx context.Context) (PromoteReply, error) { return r.Store.Promote(ctx, partition) })
}

func (r *retrying) Sweep(ctx context.Context, partition int) (SweepReply, error) {
	return repeat(ctx, r, "Sweep", func(ctx context.Context) (SweepReply, error) { return r.Store.Sweep(ctx, partition) })
}

func (r *retrying) Repair(ctx context.Context, p RepairParams) (RepairReport, error) {
	return repeat(ctx, r, "Repair", func(ctx context.Context) (RepairReport, error) { return r.Store.Repair(ctx, p) })
}

func (r *retrying) WriteValues(ctx context.Context, p WriteParams) (WriteReply, error) {
	return repeat(ctx, r, "WriteValues", func(ctx context.Context) (WriteReply, error) { return r.Store.WriteValues(ctx, p) })
}

func (r *retrying) ReadValue(ctx context.Context, p ReadParams) (ReadReply, error) {
	return repeat(ctx, r, "ReadValue", func(ctx context.Context) (ReadReply, error) { return r.Store.ReadValue(ctx, p) })
}

func (r *retrying) PublishSet(ctx context.Context, set SetRecord) error {
	return repeatErr(ctx, r, "PublishSet", func(ctx context.Context) error { return r.Store.PublishSet(ctx, set) })
}

func (r *retrying) Sets(ctx context.Context) ([]SetRecord, error) {
	return repeat(ctx, r, "Sets", r.Store.Sets)
}

func (r *retrying) Configuration(ctx context.Context, id ConfigurationID) (ConfigurationRecord, error) {
	return repeat(ctx, r, "Configuration", func(ctx context.Context) (ConfigurationRecord, error) { return r.Store.Configuration(ctx, id) })
}

func (r *retrying) WatchConfigurations(ctx context.Context, sets []string) ([]ConfigurationRecord, error) {
	return repeat(ctx, r, "WatchConfigurations", func(ctx context.Context) ([]ConfigurationRecord, error) {
		return r.Store.WatchConfigurations(ctx, sets)
	})
}

func (r *retrying) WriteConfiguration(ctx context.Context, p ConfigurationWrite) (int64, error) {
	return repeat(ctx, r, "WriteConfiguration", func(ctx context.Context) (int64, error) { return r.Store.WriteConfiguration(ctx, p) })
}

func (r *retrying) ConfigurationHistory(ctx context.Context, id ConfigurationID) ([]ConfigurationChange, error) {
	return repeat(ctx, r, "ConfigurationHistory", func(ctx context.Context) ([]ConfigurationChange, error) { return r.Store.ConfigurationHistory(ctx, id) })
}

func (r *retrying) SetMode(ctx context.Context, partition int, m Mode) error {
	return repeatErr(ctx, r, "SetMode", func(ctx context.Context) error { return r.Store.SetMode(ctx, partition, m) })
}

func (r *retrying) Mode(ctx context.Context, partition int) (Mode, error) {
	return repeat(ctx, r, "Mode", func(ctx context.Context) (Mode, error) { return r.Store.Mode(ctx, partition) })
}

func (r *retrying) Draw(ctx context.Context, p DrawParams) (DrawReply, error) {
	return repeat(ctx, r, "Draw", func(ctx context.Context) (DrawReply, error) { return r.Store.Draw(ctx, p) })
}

func (r *retrying) Forfeit(ctx context.Context, limit string, h Holding) error {
	return repeatErr(ctx, r, "Forfeit", func(ctx context.Context) error { return r.Store.Forfeit(ctx, limit, h) })
}

func (r *retrying) Reconsider(ctx context.Context, partition int, routes []Route) error {
	return repeatErr(ctx, r, "Reconsider", func(ctx context.Context) error { return r.Store.Reconsider(ctx, partition, routes) })
}

func (r *retrying) SessionsLeft(ctx context.Context, partition int, prefix string) (int, error) {
	return repeat(ctx, r, "SessionsLeft", func(ctx context.Context) (int, error) { return r.Store.SessionsLeft(ctx, partition, prefix) })
}
