package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// overdue is a crash of a worker that promotes and finds a run whose deadline has passed.
var overdue = crashPoint{
	begin: func(c *crash) {
		p := second(true)
		p.Deadline = time.Hour
		reply, err := c.StartRun(c.Context(), p)
		require.NoError(c, err)
		c.enqueue(reply.Run, items("k", 2)...)
		c.command("ZADD", "due", "1", "d:"+RunID(reply.Run))
	},
	act: func(c *crash) error { _, err := c.victim.Promote(c.Context(), 0); return err },
	stands: func(c *crash, after bool) {
		job, err := c.Job(c.Context(), "second")
		require.NoError(c, err)
		id := store.RunID{Job: "second", Number: job.LastRun}
		require.Equal(c, pick(after, statuses.Running, statuses.Stopped), c.record(id).Status)
		for range 2 {
			_, err = c.Promote(c.Context(), 0)
			require.NoError(c, err)
			rec := c.record(id)
			require.Equal(c, statuses.Stopped, rec.Status, "any worker of the partition does it")
			require.Equal(c, store.DeadlineReason, rec.Reason)
			require.Equal(c, store.Counts{Total: 2, Cancelled: 2}, rec.Counts)
		}
		require.Empty(c, c.left("due"), "nothing is due any more")
	},
}

func TestCrashesAtADeadline(t *testing.T) {
	_, byHash := scriptNames(t)
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("after: ", after), func(t *testing.T) { overdue.try(t, "stop_run", byHash, after) })
	}
}
