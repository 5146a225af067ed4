package syncjob_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A repair leaves one entry for each run of which it fixes something, however many steps that takes.
// A dry run, a repeat, and a repair of what is sound leave none.
func TestTheAuditTellsOfARepair(t *testing.T) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
	job := syncjob.Job{Name: "import", Set: "tree", Open: true}
	sound, err := m.Start(t.Context(), job, nil)
	require.NoError(t, err)
	require.NoError(t, sound.Stop(t.Context(), nil))
	hurt, err := m.Start(t.Context(), job, nil)
	require.NoError(t, err)
	_, err = hurt.Enqueue(t.Context(), leaf{}, nil)
	require.NoError(t, err)
	c := server.Client
	for _, what := range []string{"run:%d", "W:%d/*"} {
		what := fmt.Sprintf(what, hurt.Number())
		keys, err := c.Do(t.Context(), c.B().Keys().Pattern("{"+namespace+":*}:"+what).Build()).AsStrSlice()
		require.NoError(t, err)
		require.Len(t, keys, 1)
		if what[0] == 'r' {
			require.NoError(t, server.Do(t.Context(), "HSET", keys[0], "total", "9"))
		} else {
			require.NoError(t, server.Do(t.Context(), "LSET", keys[0], "0", "garbage"))
		}
	}

	ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "the disk was full")
	for _, o := range []*syncjob.RepairOptions{{DryRun: true}, nil, nil} {
		_, err = m.Repair(ctx, "import", o)
		require.NoError(t, err)
		report, err := sound.Repair(ctx, o)
		require.NoError(t, err)
		require.True(t, report.Sound())
	}
	var told []states.AuditEntry
	for e, err := range m.Audit(t.Context(), &syncjob.AuditOptions{Action: actions.Repair}) {
		require.NoError(t, err)
		told = append(told, e)
	}
	require.Len(t, told, 1)
	e := told[0]
	require.Equal(t, []any{"import", hurt.Number(), "ann", "the disk was full"}, []any{e.Job, e.Run, e.By, e.Reason})
	line, err := hurt.Timeline(t.Context())
	require.NoError(t, err)
	require.Equal(t, []states.Moment{states.MomentCreated, states.Moment(actions.Repair)}, []states.Moment{line[0].What, line[1].What})
}
