package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// stormEnv asks for one storm at full size, of a seed of its own, in place of the short ones.
const stormEnv = "ROLLCALL_STORM"

// stormSeeds are played each time: some seed, and every one that ever failed.
var stormSeeds = []uint64{1, 11}

func TestStorm(t *testing.T) {
	if os.Getenv(stormEnv) != "" {
		seed, _ := seed(t)
		storm(t, seed, time.Minute, 25, 80, 50) // 100,000 tasks
		return
	}
	for _, seed := range stormSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { storm(t, seed, 8*time.Second, 12, 40, 16) })
	}
}

const (
	stormLease = 3 * time.Second
	stormCrew  = 4               // worker processes
	stormEnd   = 4 * time.Minute // bounds the wait for the end, once the storm is over
)

// tempest is all that goes wrong at once.
type tempest struct {
	*world
	random *rand.Rand
	crew   []*process
	asleep map[*process]bool
	done   map[string]int // faults so far
}

// storm lets a tree grow while everything fails at random, until it is grown or the time is over,
// and requires that it was grown exactly.
func storm(t *testing.T, seed uint64, lasts time.Duration, fan ...int) {
	w := newWorld(t, stormLease, &redistest.Options{AOF: true, Args: []string{"--appendfsync", "always"}})
	desk := w.atDesk()
	x := &tempest{world: w, random: rand.New(rand.NewPCG(seed, 1)), asleep: make(map[*process]bool), done: make(map[string]int)}
	for range stormCrew {
		x.crew = append(x.crew, x.recruit())
	}
	root := node{Path: "root", Fan: fan, Moods: seed, Leaf: toils, Quiet: true}
	begun := time.Now()
	s := w.grow(root)
	for time.Since(begun) < lasts && !s.lastPoll().Status.Final() {
		x.strike()
		<-time.After(time.Duration(20+x.random.IntN(400)) * time.Millisecond)
	}
	x.calm()
	t.Logf("seed %d: %d of %d tasks were done when the storm was over", seed, s.lastPoll().Counts.Done(), len(s.want.paths))
	ctx, cancel := context.WithTimeout(t.Context(), stormEnd)
	defer cancel()
	if _, err := s.Wait(ctx); err != nil {
		why, explainErr := s.direct.Explain(t.Context())
		report, repairErr := s.direct.Repair(t.Context(), &syncjob.RepairOptions{DryRun: true})
		t.Fatalf("the run did not end: %v\n%v%v\n%v%v", err, why, explainErr, report, repairErr)
	}
	final := s.requireGrown(0)
	desk.close()
	require.Equal(t, map[string]int64{"weights": s.want.weights}, final.Counters, "effects of committed attempts")
	t.Logf("seed %d: %d tasks, %d retries, %d duplicates in %v, %d polls; %s", seed, final.Counts.Total, final.Retried, final.Duplicates,
		time.Since(begun).Round(time.Millisecond), s.polls, x.tally())
	report, err := s.direct.Repair(t.Context(), &syncjob.RepairOptions{DryRun: true})
	require.NoError(t, err)
	require.True(t, report.Sound(), "%v", report)
	for _, p := range x.crew {
		p.drain()
	}
	s.requireNothingLeft()
}

// recruit starts a worker. Faults do not strike it before it has begun, since connecting is not
// repeated.
func (x *tempest) recruit() *process {
	return x.enlist(order{Concurrency: 8, Deliveries: 1000})
}

// strike makes one fault.
func (x *tempest) strike() {
	blows := []struct {
		name string
		blow func() (hits int)
	}{
		{"workers killed", x.killWorker},
		{"workers paused", x.pauseWorker},
		{"workers resumed", x.resumeWorkers},
		{"workers resumed", x.resumeWorkers},
		{"times all connections cut by the proxy", func() int { x.proxy.CutAll(); return 1 }},
		{"connections killed by the server", x.killConnections},
		{"scripts flushed", x.flushScripts},
		{"server killed and restarted", x.restart},
		{"server paused", x.pauseServer},
		{"spells of lost replies", func() int { return x.spell(redistest.Fault{Kind: redistest.Swallow, Every: 2 + x.random.IntN(30)}) }},
		{"spells of requests cut off", func() int { return x.spell(redistest.Fault{Kind: redistest.Cut, Every: 2 + x.random.IntN(30)}) }},
		{"spells of late replies", func() int {
			return x.spell(redistest.Fault{Kind: redistest.Delay, Every: 10, For: time.Duration(x.random.IntN(300)) * time.Millisecond})
		}},
		{"times all spells ended", func() int { x.proxy.Clear(); return 1 }},
	}
	b := blows[x.random.IntN(len(blows))]
	x.done[b.name] += b.blow()
}

func (x *tempest) killWorker() int {
	i := x.random.IntN(len(x.crew))
	x.crew[i].kill()
	delete(x.asleep, x.crew[i])
	x.proxy.Clear()
	x.crew[i] = x.recruit()
	return 1
}

// pauseWorker leaves one awake.
func (x *tempest) pauseWorker() int {
	p := x.crew[x.random.IntN(len(x.crew))]
	if x.asleep[p] || len(x.asleep) == len(x.crew)-1 {
		return 0
	}
	p.pause()
	x.asleep[p] = true
	return 1
}

func (x *tempest) resumeWorkers() int {
	hits := len(x.asleep)
	for p := range x.asleep {
		p.resume()
	}
	clear(x.asleep)
	return hits
}

func (x *tempest) killConnections() int {
	n, err := x.server.Client.Do(x.t.Context(), x.server.Client.B().Arbitrary("CLIENT", "KILL", "TYPE", "normal").Build()).AsInt64()
	if err != nil {
		return 0 // an earlier fault has cut the one that asks
	}
	return int(n)
}

// flushScripts may meet a connection that an earlier fault has cut.
func (x *tempest) flushScripts() int {
	for x.server.Do(x.t.Context(), "SCRIPT", "FLUSH") != nil {
		require.NoError(x.t, x.t.Context().Err())
	}
	return 1
}

func (x *tempest) restart() int {
	x.server.Kill()
	x.server.Restart()
	return 1
}

func (x *tempest) pauseServer() int {
	x.server.Pause()
	<-time.After(time.Duration(x.random.IntN(1500)) * time.Millisecond)
	x.server.Resume()
	return 1
}

// spell adds a fault that lasts until spells end.
func (x *tempest) spell(f redistest.Fault) int {
	x.proxy.Inject(f)
	return 1
}

func (x *tempest) calm() {
	x.proxy.Clear()
	x.resumeWorkers()
}

// tally says how many of each fault there were.
func (x *tempest) tally() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(x.done)) {
		all = append(all, fmt.Sprintf("%d %s", x.done[name], name))
	}
	return fmt.Sprintf("%s; %d commands struck", strings.Join(all, ", "), x.proxy.Injected())
}
