package store

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/store/verdicts"
)

// gone returns success if a repeated removal finds nothing: an earlier attempt removed it.
func gone(err, notFound error) error {
	if repeated := (*RetryError)(nil); errors.As(err, &repeated) && repeated.Attempts > 1 && errors.Is(err, notFound) {
		return nil
	}
	return err
}

// has checks that a partition is one of the store's.
func (r *front) has(field string, partition int) error {
	return validatePartition(field, partition, r.Partitions())
}

// Which run is in which partition is checked last, because this needs a valid partition.

func (r *front) badEnqueue(p *EnqueueParams) error {
	if bad := JoinFields(r.has("Partition", p.Partition), p.Validate()); bad != nil {
		return bad
	}
	return p.validateRuns(r.Partitions())
}

func (r *front) badWrites(p *WriteParams) error {
	if bad := JoinFields(r.has("Partition", p.Partition), p.Validate()); bad != nil {
		return bad
	}
	return p.validateScopes(r.Partitions())
}

func (r *front) badHeartbeat(p *HeartbeatParams) error {
	if bad := JoinFields(r.has("Session.Partition", p.Session.Partition), p.Validate()); bad != nil {
		return bad
	}
	return p.validateRuns(r.Partitions())
}

func (r *front) badSession(s SessionID, info WorkerInfo, lease time.Duration) error {
	return JoinFields(r.has("Session.Partition", s.Partition), validateSession(s, info, lease))
}

// Subscribe passes through: it reconnects by itself.
func (r *front) Subscribe(ctx context.Context, fn func(Signal)) error {
	if fn == nil {
		return &FieldError{Field: "Fn", Reason: "is nil"}
	}
	return r.Store.Subscribe(ctx, fn)
}

func (r *front) Ping(ctx context.Context) error {
	return repeatErr(ctx, r, "Ping", nil, r.Store.Ping)
}

func (r *front) EnsureJob(ctx context.Context, p EnsureParams) (verdicts.Ensure, error) {
	return repeat(ctx, r, "EnsureJob", p.Validate(), func(ctx context.Context) (verdicts.Ensure, error) {
		return r.Store.EnsureJob(ctx, p)
	})
}

func (r *front) SetJobDisabled(ctx context.Context, job string, disabled bool) error {
	return repeatErr(ctx, r, "SetJobDisabled", ValidateJobName(job), func(ctx context.Context) error {
		return r.Store.SetJobDisabled(ctx, job, disabled)
	})
}

func (r *front) Job(ctx context.Context, job string) (JobRecord, error) {
	return repeat(ctx, r, "Job", ValidateJobName(job), func(ctx context.Context) (JobRecord, error) {
		return r.Store.Job(ctx, job)
	})
}

func (r *front) ListJobs(ctx context.Context, p ListParams) (JobPage, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "ListJobs", bad, func(ctx context.Context) (JobPage, error) {
		return r.Store.ListJobs(ctx, p)
	})
}

func (r *front) JobRuns(ctx context.Context, job string) ([]int64, error) {
	return repeat(ctx, r, "JobRuns", ValidateJobName(job), func(ctx context.Context) ([]int64, error) {
		return r.Store.JobRuns(ctx, job)
	})
}

func (r *front) DeleteJob(ctx context.Context, job string) error {
	err := repeatErr(ctx, r, "DeleteJob", ValidateJobName(job), func(ctx context.Context) error {
		return r.Store.DeleteJob(ctx, job)
	})
	return gone(err, ErrJobNotFound)
}

func (r *front) FireRun(ctx context.Context, p FireParams) (FireReply, error) {
	return repeat(ctx, r, "FireRun", p.Validate(), func(ctx context.Context) (FireReply, error) {
		return r.Store.FireRun(ctx, p)
	})
}

func (r *front) PostponeJob(ctx context.Context, p PostponeParams) error {
	return repeatErr(ctx, r, "PostponeJob", p.Validate(), func(ctx context.Context) error {
		return r.Store.PostponeJob(ctx, p)
	})
}

func (r *front) StartRun(ctx context.Context, p StartParams) (StartReply, error) {
	return repeat(ctx, r, "StartRun", p.Validate(), func(ctx context.Context) (StartReply, error) {
		return r.Store.StartRun(ctx, p)
	})
}

func (r *front) Run(ctx context.Context, id RunID) (RunRecord, error) {
	return repeat(ctx, r, "Run", id.validate(), func(ctx context.Context) (RunRecord, error) {
		return r.Store.Run(ctx, id)
	})
}

func (r *front) StopRun(ctx context.Context, p StopParams) error {
	return repeatErr(ctx, r, "StopRun", p.Validate(), func(ctx context.Context) error {
		return r.Store.StopRun(ctx, p)
	})
}

func (r *front) SetRunPaused(ctx context.Context, id RunID, paused bool) error {
	return repeatErr(ctx, r, "SetRunPaused", id.validate(), func(ctx context.Context) error {
		return r.Store.SetRunPaused(ctx, id, paused)
	})
}

func (r *front) Tasks(ctx context.Context, p TasksParams) (TasksReply, error) {
	return repeat(ctx, r, "Tasks", p.Validate(), func(ctx context.Context) (TasksReply, error) {
		return r.Store.Tasks(ctx, p)
	})
}

func (r *front) Results(ctx context.Context, p ResultsParams) (ResultsReply, error) {
	return repeat(ctx, r, "Results", p.Validate(), func(ctx context.Context) (ResultsReply, error) {
		return r.Store.Results(ctx, p)
	})
}

func (r *front) ListRuns(ctx context.Context, p RunsParams) (RunPage, error) {
	bad := JoinFields(r.has("Partition", p.Partition), p.Validate())
	return repeat(ctx, r, "ListRuns", bad, func(ctx context.Context) (RunPage, error) {
		return r.Store.ListRuns(ctx, p)
	})
}

func (r *front) ChangeTask(ctx context.Context, p ChangeTaskParams) (ChangeTaskReply, error) {
	return repeat(ctx, r, "ChangeTask", p.Validate(), func(ctx context.Context) (ChangeTaskReply, error) {
		return r.Store.ChangeTask(ctx, p)
	})
}

func (r *front) Inspect(ctx context.Context, id RunID) (Inspection, error) {
	return repeat(ctx, r, "Inspect", id.validate(), func(ctx context.Context) (Inspection, error) {
		return r.Store.Inspect(ctx, id)
	})
}

func (r *front) DeleteRun(ctx context.Context, id RunID) error {
	err := repeatErr(ctx, r, "DeleteRun", id.validate(), func(ctx context.Context) error {
		return r.Store.DeleteRun(ctx, id)
	})
	return gone(err, ErrRunNotFound)
}

func (r *front) CloseProducer(ctx context.Context, partition int, stream string) error {
	bad := JoinFields(r.has("Partition", partition), ValidateName("Stream", stream))
	return repeatErr(ctx, r, "CloseProducer", bad, func(ctx context.Context) error {
		return r.Store.CloseProducer(ctx, partition, stream)
	})
}

func (r *front) OpenProducer(ctx context.Context, partition int, stream string) error {
	bad := JoinFields(r.has("Partition", partition), ValidateName("Stream", stream))
	return repeatErr(ctx, r, "OpenProducer", bad, func(ctx context.Context) error {
		return r.Store.OpenProducer(ctx, partition, stream)
	})
}

func (r *front) Enqueue(ctx context.Context, p EnqueueParams) (EnqueueReply, error) {
	return repeat(ctx, r, "Enqueue", r.badEnqueue(&p), func(ctx context.Context) (EnqueueReply, error) {
		return r.Store.Enqueue(ctx, p)
	})
}

func (r *front) OpenSession(ctx context.Context, s SessionID, info WorkerInfo, lease time.Duration) error {
	info = info.plainly()
	return repeatErr(ctx, r, "OpenSession", r.badSession(s, info, lease), func(ctx context.Context) error {
		return r.Store.OpenSession(ctx, s, info, lease)
	})
}

func (r *front) Fetch(ctx context.Context, p FetchParams) (FetchReply, error) {
	bad := JoinFields(r.has("Session.Partition", p.Session.Partition), p.Validate())
	return repeat(ctx, r, "Fetch", bad, func(ctx context.Context) (FetchReply, error) {
		return r.Store.Fetch(ctx, p)
	})
}

func (r *front) Settle(ctx context.Context, p SettleParams) (SettleReply, error) {
	p = p.plainly()
	bad := JoinFields(r.has("Session.Partition", p.Session.Partition), p.Validate())
	return repeat(ctx, r, "Settle", bad, func(ctx context.Context) (SettleReply, error) {
		return r.Store.Settle(ctx, p)
	})
}

func (r *front) Stage(ctx context.Context, p StageParams) error {
	bad := JoinFields(r.has("Session.Partition", p.Session.Partition), p.Validate())
	return repeatErr(ctx, r, "Stage", bad, func(ctx context.Context) error {
		return r.Store.Stage(ctx, p)
	})
}

func (r *front) Heartbeat(ctx context.Context, p HeartbeatParams) (HeartbeatReply, error) {
	p = p.plainly()
	return repeat(ctx, r, "Heartbeat", r.badHeartbeat(&p), func(ctx context.Context) (HeartbeatReply, error) {
		return r.Store.Heartbeat(ctx, p)
	})
}

func (r *front) Held(ctx context.Context, s SessionID, except map[Lease]bool) ([]Delivery, error) {
	bad := JoinFields(r.has("Session.Partition", s.Partition), s.validate())
	return repeat(ctx, r, "Held", bad, func(ctx context.Context) ([]Delivery, error) {
		return r.Store.Held(ctx, s, except)
	})
}

func (r *front) CloseSession(ctx context.Context, s SessionID) error {
	bad := JoinFields(r.has("Session.Partition", s.Partition), s.validate())
	return repeatErr(ctx, r, "CloseSession", bad, func(ctx context.Context) error {
		return r.Store.CloseSession(ctx, s)
	})
}

func (r *front) QueueStats(ctx context.Context, partition int) ([]QueueRecord, error) {
	return repeat(
		ctx,
		r,
		"QueueStats",
		r.has("Partition", partition),
		func(ctx context.Context) ([]QueueRecord, error) {
			return r.Store.QueueStats(ctx, partition)
		},
	)
}

func (r *front) AcquireSemaphore(ctx context.Context, p SemaphoreClaim) (SemaphoreReply, error) {
	return repeat(ctx, r, "AcquireSemaphore", p.Validate(), func(ctx context.Context) (SemaphoreReply, error) {
		return r.Store.AcquireSemaphore(ctx, p)
	})
}

func (r *front) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	bad := JoinFields(ValidateSemaphoreKey(key), validateSemaphoreToken(token), validateTTL(ttl))
	return repeat(ctx, r, "RefreshSemaphore", bad, func(ctx context.Context) (time.Time, error) {
		return r.Store.RefreshSemaphore(ctx, key, token, ttl)
	})
}

func (r *front) ReleaseSemaphore(ctx context.Context, key, token string) error {
	bad := JoinFields(ValidateSemaphoreKey(key), validateSemaphoreToken(token))
	err := repeatErr(ctx, r, "ReleaseSemaphore", bad, func(ctx context.Context) error {
		return r.Store.ReleaseSemaphore(ctx, key, token)
	})
	return gone(err, ErrLeaseLost)
}

func (r *front) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	bad := JoinFields(ValidateSemaphoreKey(key), validateFences(first, last))
	return repeat(ctx, r, "ForceReleaseSemaphore", bad, func(ctx context.Context) (int, error) {
		return r.Store.ForceReleaseSemaphore(ctx, key, first, last)
	})
}

func (r *front) Semaphore(ctx context.Context, key string) (SemaphoreRecord, error) {
	return repeat(ctx, r, "Semaphore", ValidateSemaphoreKey(key), func(ctx context.Context) (SemaphoreRecord, error) {
		return r.Store.Semaphore(ctx, key)
	})
}

func (r *front) Promote(ctx context.Context, partition int) (PromoteReply, error) {
	return repeat(ctx, r, "Promote", r.has("Partition", partition), func(ctx context.Context) (PromoteReply, error) {
		return r.Store.Promote(ctx, partition)
	})
}

func (r *front) Sweep(ctx context.Context, partition int) (SweepReply, error) {
	return repeat(ctx, r, "Sweep", r.has("Partition", partition), func(ctx context.Context) (SweepReply, error) {
		return r.Store.Sweep(ctx, partition)
	})
}

func (r *front) Repair(ctx context.Context, p RepairParams) (RepairReport, error) {
	return repeat(ctx, r, "Repair", p.Validate(), func(ctx context.Context) (RepairReport, error) {
		return r.Store.Repair(ctx, p)
	})
}

func (r *front) WriteValues(ctx context.Context, p WriteParams) (WriteReply, error) {
	return repeat(ctx, r, "WriteValues", r.badWrites(&p), func(ctx context.Context) (WriteReply, error) {
		return r.Store.WriteValues(ctx, p)
	})
}

func (r *front) ReadValue(ctx context.Context, p ReadParams) (ReadReply, error) {
	return repeat(ctx, r, "ReadValue", p.Validate(), func(ctx context.Context) (ReadReply, error) {
		return r.Store.ReadValue(ctx, p)
	})
}

func (r *front) PublishSet(ctx context.Context, set SetRecord) error {
	return repeatErr(ctx, r, "PublishSet", set.Validate(), func(ctx context.Context) error {
		return r.Store.PublishSet(ctx, set)
	})
}

func (r *front) Sets(ctx context.Context, partition int) ([]SetRecord, error) {
	bad := validatePartition("Partition", partition, r.Partitions())
	return repeat(ctx, r, "Sets", bad, func(ctx context.Context) ([]SetRecord, error) {
		return r.Store.Sets(ctx, partition)
	})
}

func (r *front) Configuration(ctx context.Context, id ConfigurationID) (ConfigurationRecord, error) {
	return repeat(ctx, r, "Configuration", id.Validate(), func(ctx context.Context) (ConfigurationRecord, error) {
		return r.Store.Configuration(ctx, id)
	})
}

func (r *front) WatchConfigurations(ctx context.Context, sets []string) ([]ConfigurationRecord, error) {
	return repeat(
		ctx,
		r,
		"WatchConfigurations",
		validateNames("Sets", sets),
		func(ctx context.Context) ([]ConfigurationRecord, error) {
			return r.Store.WatchConfigurations(ctx, sets)
		},
	)
}

func (r *front) WriteConfiguration(ctx context.Context, p ConfigurationWrite) (int64, error) {
	return repeat(ctx, r, "WriteConfiguration", p.Validate(), func(ctx context.Context) (int64, error) {
		return r.Store.WriteConfiguration(ctx, p)
	})
}

func (r *front) ConfigurationHistory(ctx context.Context, id ConfigurationID) ([]ConfigurationChange, error) {
	return repeat(
		ctx,
		r,
		"ConfigurationHistory",
		id.Validate(),
		func(ctx context.Context) ([]ConfigurationChange, error) {
			return r.Store.ConfigurationHistory(ctx, id)
		},
	)
}

func (r *front) Pause(ctx context.Context, partition int, p Pause) error {
	bad := JoinFields(r.has("Partition", partition), p.Validate())
	return repeatErr(ctx, r, "Pause", bad, func(ctx context.Context) error {
		return r.Store.Pause(ctx, partition, p)
	})
}

func (r *front) Resume(ctx context.Context, partition int, scope PauseScope) error {
	bad := JoinFields(r.has("Partition", partition), scope.Validate())
	return repeatErr(ctx, r, "Resume", bad, func(ctx context.Context) error {
		return r.Store.Resume(ctx, partition, scope)
	})
}

func (r *front) Pauses(ctx context.Context, partition int) (PauseSet, error) {
	return repeat(ctx, r, "Pauses", r.has("Partition", partition), func(ctx context.Context) (PauseSet, error) {
		return r.Store.Pauses(ctx, partition)
	})
}
