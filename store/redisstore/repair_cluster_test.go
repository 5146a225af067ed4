package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// ward is a store on a cluster, with a patient on each of the masters.
type ward struct {
	*testing.T
	cluster  *redistest.Cluster
	patients []*patient // in the order of the masters
}

const wardPartitions = 4

func newWard(t *testing.T, cluster *redistest.Cluster, begin func(*patient)) *ward {
	t.Helper()
	w := &ward{T: t, cluster: cluster}
	namespace, partitions := w.spread()
	s := open(t, cluster.URL(), redisstore.Config{Namespace: namespace, Partitions: wardPartitions})
	for _, partition := range partitions {
		at := &scene{TB: t, Store: s, client: cluster.Client, namespace: namespace, partition: partition}
		require.NoError(t, s.OpenProducer(t.Context(), partition, "producer"))
		w.patients = append(w.patients, newPatient(at, jobIn(partition), begin))
	}
	return w
}

// spread draws a namespace with partitions on all masters, and names one of each.
func (w *ward) spread() (namespace string, partitions []int) {
	w.Helper()
	for {
		namespace, partitions = redistest.Namespace(), nil
		at := make(map[*redistest.Server]int)
		for partition := range wardPartitions {
			at[w.owner((&scene{namespace: namespace, partition: partition}))] = partition
		}
		for _, node := range w.cluster.Nodes {
			if partition, ok := at[node]; ok {
				partitions = append(partitions, partition)
			}
		}
		if len(partitions) == len(w.cluster.Nodes) {
			return namespace, partitions
		}
	}
}

func (w *ward) owner(s *scene) *redistest.Server {
	w.Helper()
	owner, err := w.cluster.Owner(w.Context(), s.prefix())
	require.NoError(w, err)
	return owner
}

// after is the next master.
func (w *ward) after(node *redistest.Server) *redistest.Server {
	nodes := w.cluster.Nodes
	return nodes[(slices.Index(nodes, node)+1)%len(nodes)]
}

// jobIn names a job of the partition.
func jobIn(partition int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint("job", i); store.PartitionOf(name, wardPartitions) == partition {
			return name
		}
	}
}

// refused is how often a server has answered with that error.
func refused(tb testing.TB, server *redistest.Server, code string) int {
	tb.Helper()
	text, err := server.Client.Do(context.Background(), server.Client.B().Info().Section("errorstats").Build()).ToString()
	require.NoError(tb, err)
	_, after, found := strings.Cut(text, "errorstat_"+code+":count=")
	if !found {
		return 0
	}
	n, err := strconv.Atoi(after[:strings.IndexByte(after, '\r')])
	require.NoError(tb, err)
	return n
}

func TestRepairOnACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	t.Run("mends each partition by itself", func(t *testing.T) {
		for _, d := range damages {
			t.Run(d.name, func(t *testing.T) { d.tryOnEachMaster(t, cluster) })
		}
	})
	t.Run("follows a partition that has moved", func(t *testing.T) { repairFollows(t, cluster) })
	t.Run("waits for a partition that moves", func(t *testing.T) { repairWaits(t, cluster) })
	t.Run("needs no other master", func(t *testing.T) { repairNeedsNoOther(t, cluster) })
}

// tryOnEachMaster damages all partitions before the first is repaired: so what a repair does
// elsewhere shows, be it good or bad.
func (d breakage) tryOnEachMaster(t *testing.T, cluster *redistest.Cluster) {
	w := newWard(t, cluster, d.begin)
	for _, p := range w.patients {
		p.requireHealthy()
	}
	for _, p := range w.patients {
		d.hit(p)
	}
	for _, p := range w.patients {
		p.requireMended(d.kinds)
	}
	for _, p := range w.patients {
		p.requireRecovered(d)
	}
}

// everything is damaged in ways that keep all scripts of a repair busy.
var everything = breakage{
	hit: all(
		hit("SET", "ring:q/set/k", "x"), hit("ZREM", "leases", "w"), hit("DEL", "job:JOB"),
		hit("HSET", "run:RUN", "total", "2"), hit("LSET", "W:RUN/q/set/k", "1", "garbage"),
		hit("HSET", "stage:RUN", "pgone.1.0/q/set/j", "1"), hit("RPUSH", "S:RUN/pgone.1.0/q/set/j", "child"),
	),
	kinds: kinds(record, session, record, record, orphan, counts, index, damage.Task),
	want:  three(1), status: status(1),
}

// repairFollows moves the partition before each repair, by a store that hears of it only by being
// refused.
func repairFollows(t *testing.T, cluster *redistest.Cluster) {
	w := newWard(t, cluster, nil)
	p := w.patients[0]
	everything.hit(p)
	p.repairs = func(opts store.RepairParams) (store.RepairReport, error) {
		s := open(t, cluster.URL(), redisstore.Config{Namespace: p.namespace})
		from := w.owner(p.scene)
		require.NoError(t, cluster.MoveSlot(t.Context(), p.prefix(), w.after(from)))
		before := refused(t, from, "MOVED")
		report, err := store.WithRetry(s, nil).Repair(t.Context(), opts)
		require.Greater(t, refused(t, from, "MOVED"), before, "the store knew of the move")
		return report, err
	}
	p.requireMendedAs(p.repair(store.RepairParams{DryRun: true}), everything.kinds)
	p.requireRecovered(everything)
}

// repairWaits repairs a partition of which one key has moved: the session that lost its lease, so
// that nothing leads to it.
func repairWaits(t *testing.T, cluster *redistest.Cluster) {
	w := newWard(t, cluster, nil)
	p := w.patients[0]
	all(hit("DEL", "leases"), hit("DEL", "terms"))(p)
	from := w.owner(p.scene)
	finish, err := cluster.SplitSlot(t.Context(), p.prefix()+"L:w", w.after(from))
	require.NoError(t, err)
	before := p.dump()
	_, err = p.Repair(t.Context(), store.RepairParams{Job: p.job})
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.Equal(t, before, p.dump())
	require.NoError(t, finish(t.Context()))
	p.repairs = func(opts store.RepairParams) (store.RepairReport, error) {
		return store.WithRetry(p.Store, nil).Repair(t.Context(), opts)
	}
	p.requireMended(kinds(session))
}

func repairNeedsNoOther(t *testing.T, cluster *redistest.Cluster) {
	w := newWard(t, cluster, nil)
	cluster.Nodes[2].Kill()
	for _, p := range w.patients[:2] {
		everything.hit(p)
		p.requireMendedAs(p.repair(store.RepairParams{DryRun: true}), everything.kinds)
		record := p.workOff()
		require.Equal(t, everything.want, record.Counts)
		require.Equal(t, everything.status, record.Status)
	}
}
