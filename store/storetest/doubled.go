package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// doubled makes every mutation twice with the same parameters, like a caller that lost the first
// reply, and returns the second answer. If the contract allows that the answers differ (a deleted
// record is not found, a created one is unchanged), it returns the first answer and checks the
// second one.
type doubled struct {
	store.Store
	t testing.TB
}

// same requires that both answers are equal.
func (d *doubled) same(method string, first, second any, err1, err2 error) {
	d.t.Helper()
	assert.Equal(d.t, first, second, "%s repeated answers as the first time did", method)
	assert.Equal(
		d.t, err1 == nil, err2 == nil, "%s repeated fails as the first time did: %v, then %v", method, err1, err2,
	)
}

// gone requires that after a success the repeat succeeds, or fails with the allowed error.
func (d *doubled) gone(method string, err1, err2, allowed error) {
	d.t.Helper()
	if err1 == nil && err2 != nil && !errors.Is(err2, allowed) {
		d.t.Errorf("%s repeated: %v", method, err2)
	}
}

func (d *doubled) EnsureJob(ctx context.Context, p store.EnsureParams) (verdicts.Ensure, error) {
	first, err := d.Store.EnsureJob(ctx, p)
	second, err2 := d.Store.EnsureJob(ctx, p)
	d.same("EnsureJob", "", "", err, err2)
	if err == nil {
		assert.Contains(
			d.t, []verdicts.Ensure{first, verdicts.EnsureUnchanged}, second, "EnsureJob repeated changes nothing",
		)
	}
	return first, err
}

func (d *doubled) SetJobDisabled(ctx context.Context, job string, disabled bool) error {
	err := d.Store.SetJobDisabled(ctx, job, disabled)
	err2 := d.Store.SetJobDisabled(ctx, job, disabled)
	d.same("SetJobDisabled", nil, nil, err, err2)
	return err2
}

func (d *doubled) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	err := d.Store.PostponeJob(ctx, p)
	err2 := d.Store.PostponeJob(ctx, p)
	d.same("PostponeJob", nil, nil, err, err2)
	return err2
}

func (d *doubled) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	first, err := d.Store.WriteValues(ctx, p)
	second, err2 := d.Store.WriteValues(ctx, p)
	d.same("WriteValues", first, second, err, err2)
	return second, err2
}

func (d *doubled) DeleteJob(ctx context.Context, job string) error {
	err := d.Store.DeleteJob(ctx, job)
	d.gone("DeleteJob", err, d.Store.DeleteJob(ctx, job), store.ErrJobNotFound)
	return err
}

func (d *doubled) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	first, err := d.Store.StartRun(ctx, p)
	second, err2 := d.Store.StartRun(ctx, p)
	if err == nil {
		assert.True(d.t, second.Existing, "StartRun repeated finds the run that it started")
		second.Existing = first.Existing
	}
	d.same("StartRun", first, second, err, err2)
	return second, err2
}

func (d *doubled) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	first, err := d.Store.ChangeTask(ctx, p)
	second, err2 := d.Store.ChangeTask(ctx, p)
	d.same("ChangeTask", first, second, err, err2)
	return second, err2
}

func (d *doubled) StopRun(ctx context.Context, p store.StopParams) error {
	err := d.Store.StopRun(ctx, p)
	d.gone("StopRun", err, d.Store.StopRun(ctx, p), store.ErrRunFinished)
	return err
}

func (d *doubled) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	err := d.Store.SetRunPaused(ctx, id, paused)
	err2 := d.Store.SetRunPaused(ctx, id, paused)
	d.same("SetRunPaused", nil, nil, err, err2)
	return err2
}

func (d *doubled) DeleteRun(ctx context.Context, id store.RunID) error {
	err := d.Store.DeleteRun(ctx, id)
	d.gone("DeleteRun", err, d.Store.DeleteRun(ctx, id), store.ErrRunNotFound)
	return err
}

func (d *doubled) CloseProducer(ctx context.Context, partition int, stream string) error {
	err := d.Store.CloseProducer(ctx, partition, stream)
	err2 := d.Store.CloseProducer(ctx, partition, stream)
	d.same("CloseProducer", nil, nil, err, err2)
	return err
}

func (d *doubled) OpenProducer(ctx context.Context, partition int, stream string) error {
	err := d.Store.OpenProducer(ctx, partition, stream)
	err2 := d.Store.OpenProducer(ctx, partition, stream)
	d.same("OpenProducer", nil, nil, err, err2)
	return err2
}

func (d *doubled) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	first, err := d.Store.Enqueue(ctx, p)
	second, err2 := d.Store.Enqueue(ctx, p)
	d.same("Enqueue", first, second, err, err2)
	return second, err2
}

func (d *doubled) OpenSession(
	ctx context.Context, s store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	err := d.Store.OpenSession(ctx, s, info, lease)
	err2 := d.Store.OpenSession(ctx, s, info, lease)
	d.same("OpenSession", nil, nil, err, err2)
	return err2
}

func (d *doubled) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	first, err := d.Store.Fetch(ctx, p)
	second, err2 := d.Store.Fetch(ctx, p)
	d.same("Fetch", first.Deliveries, second.Deliveries, err, err2)
	return second, err2
}

func (d *doubled) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	first, err := d.Store.Settle(ctx, p)
	second, err2 := d.Store.Settle(ctx, p)
	d.same("Settle", first, second, err, err2)
	return second, err2
}

func (d *doubled) Stage(ctx context.Context, p store.StageParams) error {
	err := d.Store.Stage(ctx, p)
	err2 := d.Store.Stage(ctx, p)
	d.same("Stage", nil, nil, err, err2)
	return err2
}

func (d *doubled) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	first, err := d.Store.Heartbeat(ctx, p)
	second, err2 := d.Store.Heartbeat(ctx, p)
	d.same("Heartbeat", first.Runs, second.Runs, err, err2)
	return second, err2
}

func (d *doubled) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	err := d.Store.SetWorkerStatus(ctx, p)
	err2 := d.Store.SetWorkerStatus(ctx, p)
	d.same("SetWorkerStatus", nil, nil, err, err2)
	return err2
}

func (d *doubled) CloseSession(ctx context.Context, s store.SessionID) error {
	err := d.Store.CloseSession(ctx, s)
	err2 := d.Store.CloseSession(ctx, s)
	d.same("CloseSession", nil, nil, err, err2)
	return err2
}

func (d *doubled) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	first, err := d.Store.AcquireSemaphore(ctx, p)
	second, err2 := d.Store.AcquireSemaphore(ctx, p)
	d.same("AcquireSemaphore", first.Lease, second.Lease, err, err2)
	d.same("AcquireSemaphore", first.Ahead, second.Ahead, err, err2)
	return second, err2
}

func (d *doubled) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	_, err := d.Store.RefreshSemaphore(ctx, key, token, ttl)
	expires, err2 := d.Store.RefreshSemaphore(ctx, key, token, ttl)
	d.same("RefreshSemaphore", nil, nil, err, err2)
	return expires, err2
}

func (d *doubled) ReleaseSemaphore(ctx context.Context, key, token string) error {
	err := d.Store.ReleaseSemaphore(ctx, key, token)
	d.gone("ReleaseSemaphore", err, d.Store.ReleaseSemaphore(ctx, key, token), store.ErrLeaseLost)
	return err
}

func (d *doubled) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	ended, err := d.Store.ForceReleaseSemaphore(ctx, key, first, last)
	again, err2 := d.Store.ForceReleaseSemaphore(ctx, key, first, last)
	d.same("ForceReleaseSemaphore", nil, nil, err, err2)
	assert.Zero(d.t, again, "ForceReleaseSemaphore repeated finds them gone")
	return ended, err
}

func (d *doubled) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	first, err := d.Store.Draw(ctx, p)
	second, err2 := d.Store.Draw(ctx, p)
	d.same("Draw", []int{first.Held, first.Tokens}, []int{second.Held, second.Tokens}, err, err2)
	return first, err
}

func (d *doubled) Forfeit(ctx context.Context, limit string, h store.Holding) error {
	err := d.Store.Forfeit(ctx, limit, h)
	err2 := d.Store.Forfeit(ctx, limit, h)
	d.same("Forfeit", nil, nil, err, err2)
	return err2
}

func (d *doubled) Pause(ctx context.Context, partition int, p store.Pause) error {
	err := d.Store.Pause(ctx, partition, p)
	err2 := d.Store.Pause(ctx, partition, p)
	d.same("Pause", nil, nil, err, err2)
	return err2
}

func (d *doubled) Resume(ctx context.Context, partition int, scope store.PauseScope) error {
	err := d.Store.Resume(ctx, partition, scope)
	err2 := d.Store.Resume(ctx, partition, scope)
	d.same("Resume", nil, nil, err, err2)
	return err2
}

func (d *doubled) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	first, err := d.Store.Promote(ctx, partition)
	second, err2 := d.Store.Promote(ctx, partition)
	second.Promoted += first.Promoted
	return second, errors.Join(err, err2)
}

func (d *doubled) Sweep(ctx context.Context, partition int) (store.SweepReply, error) {
	first, err := d.Store.Sweep(ctx, partition)
	second, err2 := d.Store.Sweep(ctx, partition)
	second.Sessions += first.Sessions
	second.Reclaimed += first.Reclaimed
	second.Purged += first.Purged
	return second, errors.Join(err, err2)
}
