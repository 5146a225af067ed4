package redisstore_test

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// second is a run beside the one that is looked at.
func second(open bool) store.StartParams {
	root := itemOf("k", "root")
	p := store.StartParams{Job: "second", Token: "token", Set: "set", Retention: time.Hour, FailureCap: 10, Weight: 1, Open: open}
	if !open {
		p.Root = &root
	}
	return p
}

var claim = store.SemaphoreClaim{Key: "key", Token: "token", Holder: "holder", Max: 1, TTL: time.Minute}

// claimed has the victim hold the semaphore.
func claimedSemaphore(c *crash) {
	reply, err := c.victim.AcquireSemaphore(c.Context(), claim)
	require.NoError(c, err)
	require.True(c, reply.Granted)
}

// holders requires that so many hold the semaphore.
func (c *crash) holders(n int) {
	c.Helper()
	sem, err := c.Semaphore(c.Context(), claim.Key)
	require.NoError(c, err)
	require.Len(c, sem.Holders, n)
}

// freeAfterwards requires that others can get the semaphore in the end.
func (c *crash) freeAfterwards() {
	c.Helper()
	_, err := c.ForceReleaseSemaphore(c.Context(), claim.Key, 1, math.MaxInt64)
	require.NoError(c, err)
	c.holders(0)
}

// broken is a run with a damage that a repair finds with the script.
func broken(words ...string) func(*crash) {
	return func(c *crash) {
		args := slices.Clone(words[1:])
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "RUN", RunID(c.run))
		}
		c.command(words[0], args[0], args[1:]...)
	}
}

func repairIt(c *crash) error {
	_, err := c.victim.Repair(c.Context(), store.RepairParams{Job: "job"})
	return err
}

// repaired requires that the damage is there still, or not, and is mended by others.
func repaired(c *crash, after bool) {
	c.Helper()
	report, err := c.Repair(c.Context(), store.RepairParams{Job: "job", DryRun: true})
	require.NoError(c, err)
	if !after {
		require.NotEmpty(c, report.Damage)
	}
	_, err = c.Repair(c.Context(), store.RepairParams{Job: "job"})
	require.NoError(c, err)
	report, err = c.Repair(c.Context(), store.RepairParams{Job: "job"})
	require.NoError(c, err)
	require.Empty(c, report.Damage)
}

func lost(n int64) func(bool) store.Counts { return func(bool) store.Counts { return three(n) } }

func draw(c *crash) error {
	_, err := c.victim.Draw(c.Context(), store.DrawParams{Limit: "set", Holder: "victim", Number: 1, TTL: time.Minute, Max: 2, Want: 2})
	return err
}

// drawBeside has another holder want permits.
func drawBeside(c *crash, number int64, want int) store.DrawReply {
	reply, err := c.Draw(c.Context(), store.DrawParams{Limit: "set", Holder: "other", Number: number, TTL: time.Minute, Max: 2, Want: want})
	require.NoError(c, err)
	return reply
}

var periodic = store.EnsureParams{Job: "periodic", Type: statuses.JobPeriodic, Definition: []byte("{}"), Revision: 1}

// firing fires the due time of the periodic job that begin has set.
func firing(c *crash) store.FireParams {
	job, err := c.Job(c.Context(), "periodic")
	require.NoError(c, err)
	p := second(false)
	p.Job, p.Declared = "periodic", true
	due := time.UnixMilli(1000)
	p.Token = store.FireToken(due)
	return store.FireParams{Start: p, Due: due, Changes: job.Changes, Next: []time.Time{time.Now().Add(time.Hour)}}
}

var declaration = store.EnsureParams{Job: "declared", Type: statuses.JobStanding, Definition: []byte("{}"), Revision: 1}

func configuration(c *crash) store.ConfigurationWrite {
	return store.ConfigurationWrite{
		ID:        store.ConfigurationID{Run: c.run},
		Token:     "token",
		Document:  []byte("{}"),
		By:        "victim",
		IfVersion: 0,
	}
}

// finishSecond lets the second run end.
func (c *crash) finishSecond() {
	job, err := c.Job(c.Context(), "second")
	require.NoError(c, err)
	id := store.RunID{Job: "second", Number: job.LastRun}
	_, err = c.tryEnqueueHolds(store.HoldChange{Run: id, Name: store.HoldOpen, Close: true})
	require.NoError(c, err)
	require.True(c, c.record(id).Status.Final())
	c.sweep() // so that only the summary is left
}

// victimless is a session of another process.
func (c *crash) victimless() *worker { return c.scene.worker("aside") }

// paused is what set_pause pauses.
var paused = store.Pause{Scope: store.PauseScope{Kind: "k"}, By: "me", Reason: "because"}

// cancelLate cancels a task that is delayed.
func cancelLate(c *crash, s store.TaskChanges) (verdicts.Change, error) {
	p := store.ChangeTaskParams{Run: c.run, ID: "late", Cancel: true}
	for {
		reply, err := s.ChangeTask(c.Context(), p)
		if p.Cursor = reply.Next; err != nil || p.Cursor == "" {
			return reply.Change, err
		}
	}
}
