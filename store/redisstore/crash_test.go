package redisstore_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// crash is a process that dies at a script, and the processes beside it that go on. There is
// one run, of which three tasks wait.
type crash struct {
	*scene
	mortal *mortal
	victim *worker // a session of the process that dies
	run    store.RunID
	held   []store.Delivery // by the victim
}

// crashPoint is one row of the table of scripts: what the process was about to do, and what
// stands when it is gone.
type crashPoint struct {
	begin func(c *crash)       // what came before
	act   func(c *crash) error // dies
	// stands looks at what the crash left.
	stands func(c *crash, after bool)
	// want is what becomes of the run in the end, worked off by others. Defaults to three successes.
	want func(after bool) store.Counts
}

// TestCrashes dies right before and right after each script of the table in README.md. Who dies and
// who goes on are a user of the server who has no rights but those that README.md lists.
func TestCrashes(t *testing.T) {
	all, byHash := scriptNames(t)
	for name := range crashPoints {
		require.Contains(t, all, name, "a crash at a script that there is not")
	}
	rows := scriptRows(t)
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, rows, name, "the table of scripts in README.md has no row for it")
			point, ok := crashPoints[name]
			require.True(t, ok, "nobody says what a crash at it leaves")
			for _, after := range []bool{false, true} {
				t.Run(map[bool]string{false: "before", true: "after"}[after], func(t *testing.T) { point.try(t, name, byHash, after) })
			}
		})
	}
	for _, name := range rows {
		require.Contains(t, all, name, "a row of the table in README.md is about no script")
	}
}

// scriptRows are the scripts that have a row in the table.
func scriptRows(t *testing.T) (names []string) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(text), "| Script | Does | Crash before | Crash after |")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	name := regexp.MustCompile("`([a-z_]+)`")
	for _, line := range strings.Split(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			names = append(names, m[1])
		}
	}
	return names
}

func (p crashPoint) try(t *testing.T, script string, byHash map[string]string, after bool) {
	server, namespace := redistest.Shared(t)
	const password = "secret"
	rules := append([]string{"ACL", "SETUSER", namespace, "on", ">" + password}, redisstore.ACLRules(namespace)...)
	require.NoError(t, server.Do(t.Context(), rules...))
	c := &crash{scene: sceneOn(t, server, "redis://"+namespace+":"+password+"@"+server.Addr, namespace)}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr}, ForceSingleClient: true, DisableCache: true, Username: namespace, Password: password,
	})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	c.mortal = &mortal{Client: client, names: byHash}
	process, err := redisstore.New(t.Context(), c.mortal, redisstore.Config{Namespace: namespace, SweepInterval: sweepInterval})
	require.NoError(t, err)
	require.NoError(t, process.OpenProducer(t.Context(), 0, "victim"))
	c.victim = (&scene{TB: t, Store: process, server: server, namespace: namespace}).worker("victim")
	c.run = c.scene.begin(store.StartParams{Job: "job"})
	c.enqueue(c.run, items("k", 3)...)
	if p.begin != nil {
		p.begin(c)
	}

	c.mortal.dieAt(script, after)
	require.ErrorIs(t, p.act(c), errDied)
	require.True(t, c.mortal.died())
	if p.stands != nil {
		p.stands(c, after)
	}
	want := three(0)
	if p.want != nil {
		want = p.want(after)
	}
	record := c.finish(c.run)
	require.Equal(t, want, record.Counts)
	c.tidy()
}

// finish is what others do, who never knew the process: they find its sessions dead, release what
// it held, and work everything off.
func (c *crash) finish(run store.RunID) store.RunRecord {
	c.Helper()
	live, err := c.LiveSessions(c.Context(), 0)
	require.NoError(c, err)
	for _, session := range live {
		if session.ID != "other" {
			c.expire(session.ID)
		}
	}
	_ = c.SetRunPaused(c.Context(), run, false) // it may have ended
	other := c.scene.worker("other-" + fmt.Sprint(run.Number))
	for range 20 {
		c.sweep()
		for more := true; more; {
			reply, err := c.Promote(c.Context(), 0)
			require.NoError(c, err)
			more = reply.More
		}
		var outcomes []store.Outcome
		for _, d := range other.fetchRecovered(100, "k", "j") {
			outcomes = append(outcomes, outcomeOf(d, verdicts.Success))
		}
		if len(outcomes) > 0 {
			other.settle(outcomes...)
		}
		record := c.record(run)
		require.True(c, record.Counts.Balanced())
		if record.Status.Final() {
			other.die()
			return record
		}
		in, err := c.Inspect(c.Context(), run)
		require.NoError(c, err)
		for _, hold := range in.Holds {
			_, err := c.tryEnqueueHolds(store.HoldChange{Run: run, Name: hold.Name, Close: true})
			require.NoError(c, err)
		}
	}
	c.Fatal("the run does not end")
	return store.RunRecord{}
}

// tidy removes every job and requires that nothing is left.
func (c *crash) tidy() {
	c.Helper()
	page, err := c.ListJobs(c.Context(), store.ListParams{Limit: 100})
	require.NoError(c, err)
	for _, entry := range page.Jobs {
		if entry.Run != nil && !entry.Run.Status.Final() {
			c.finish(entry.Run.ID)
		}
		require.NoError(c, c.DeleteJob(c.Context(), entry.Job.Name))
	}
	c.sweep()
	require.Empty(
		c,
		c.left(
			"W:", "U:", "D:", "M:", "S:", "L:", "run:", "configured:", "results:", "lanes:", "holds:", "stage:", "dead:", "ids:",
			"job:", "starts:", "names:", "value:", "jobs", "leases", "terms", "trash", "hist", "failing", "index", "due", "kept",
		),
	)
}

// counts is what the run counts now.
func (c *crash) counts() store.Counts { return c.record(c.run).Counts }

// hold has the victim fetch n tasks.
func (c *crash) hold(n int) {
	c.Helper()
	c.held = c.victim.fetch(n, "k")
	require.Len(c, c.held, n)
}

func total(n int64) store.Counts { return store.Counts{Total: n, Succeeded: n} }

// more is what becomes of a run to which so many are added if the script ran.
func more(n int64) func(bool) store.Counts {
	return func(after bool) store.Counts {
		if after {
			return total(3 + n)
		}
		return total(3)
	}
}

// pick is the one of two that goes with the moment.
func pick[T any](after bool, before, afterwards T) T {
	if after {
		return afterwards
	}
	return before
}

func RunID(run store.RunID) string { return fmt.Sprint(run.Number) }
