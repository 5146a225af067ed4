package redisstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

func TestANamespaceOpensWithoutTheServerOfItsFirstPartition(t *testing.T) {
	cluster := redistest.StartCluster(t, 3)
	w := newWard(t, cluster, nil)
	namespace := w.patients[0].namespace
	first := w.owner(&scene{namespace: namespace})
	unreachable := make(map[string]bool)
	for _, p := range w.patients {
		unreachable[p.job] = w.owner(p.scene) == first
	}

	require.NoError(t, first.Do(t.Context(), "FLUSHALL"))
	s := open(t, cluster.URL(), redisstore.Config{Namespace: namespace})
	require.Equal(t, wardPartitions, s.Partitions(), "the other partitions know it")
	first.Kill()
	s = open(t, cluster.URL(), redisstore.Config{Namespace: namespace})
	require.Equal(t, wardPartitions, s.Partitions())
	for job, is := range unreachable {
		if _, err := s.Job(t.Context(), job); is {
			require.ErrorIs(t, err, store.ErrUnavailable)
		} else {
			require.NoError(t, err)
		}
	}
	_, err := redisstore.Open(t.Context(), cluster.URL(), redisstore.Config{Namespace: namespace, Partitions: wardPartitions + 1})
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestAClusterHasOneDatabase(t *testing.T) {
	cluster := redistest.StartCluster(t, 3)
	_, err := redisstore.Open(t.Context(), cluster.URL()+"&db=1", redisstore.Config{})
	var bad *store.FieldError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "URL", bad.Field)
	require.ErrorContains(t, err, "names database 1, and a cluster has only database 0")
}
