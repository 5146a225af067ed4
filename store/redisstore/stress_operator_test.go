package redisstore_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rollcall-go/rollcall/store"
)

// operate starts, stops, pauses, deletes and reads runs, and does the keeper's work.
func (a *actor) operate() {
	for a.over.Err() == nil {
		active := 0
		a.each(func(store.RunID) { active++ })
		if active < stressRuns {
			a.begin()
		}
		if run, ok := a.some(); ok {
			a.handle(run)
		}
		_, err := a.store.Promote(a.Context(), 0)
		a.check("promote", err)
		if a.oneIn(5) {
			_, err := a.store.Sweep(a.Context(), 0)
			a.check("sweep", err)
		}
		a.rest()
	}
}

// begin starts a run, with hooks or without, open, with a root, or both.
func (a *actor) begin() {
	name := fmt.Sprint("job ", a.ids.Add(1))
	p := store.StartParams{Job: name, Token: name, Set: "set", Weight: 1, Retention: 200 * time.Millisecond, FailureCap: 5}
	pre, post, root := itemOf(store.KindPreJob, "pre"), itemOf(store.KindPostJob, "post"), a.item(a.kind())
	root.Task.Claimed = false
	if a.oneIn(2) {
		p.PreJob = &pre
	}
	if a.oneIn(2) {
		p.PostJob = &post
	}
	if a.oneIn(2) {
		p.Open, p.SealAfter = true, 30*time.Millisecond
	}
	if a.oneIn(4) {
		p.Deadline = 20 * time.Millisecond
	}
	if !p.Open || a.oneIn(2) {
		p.Root = &root
	}
	reply, err := a.store.StartRun(a.Context(), p)
	a.check("start", err)
	if err == nil {
		a.runs.Store(reply.Run, true)
	}
}

// handle does something to a run, which may end or be removed meanwhile, and reads it.
func (a *actor) handle(run store.RunID) {
	switch a.rand.IntN(12) {
	case 0:
		_ = a.store.StopRun(a.Context(), store.StopParams{Run: run})
	case 1, 2:
		_ = a.store.SetRunPaused(a.Context(), run, true)
	case 3, 4, 5:
		_ = a.store.SetRunPaused(a.Context(), run, false)
	}
	record, err := a.store.Run(a.Context(), run)
	if err != nil {
		if !errors.Is(err, store.ErrRunNotFound) && !errors.Is(err, store.ErrJobNotFound) {
			a.check("read a run", err)
		}
		a.runs.Delete(run)
		return
	}
	c := record.Counts
	assert.True(a, c.Balanced(), "%v", c)
	assert.GreaterOrEqual(a, min(c.Pending, c.Delayed, c.Running, c.Succeeded, c.Failed, c.Cancelled, record.Holds), int64(0), "%+v", c)
	if record.Status.Final() {
		a.runs.Delete(run)
		if a.oneIn(2) {
			_ = a.store.DeleteRun(a.Context(), run)
		}
	}
}
