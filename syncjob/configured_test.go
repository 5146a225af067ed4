package syncjob_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestWorkersTellWhichConfigurationIsInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		versions := func() map[string]int64 {
			time.Sleep(time.Second)
			workers, err := m.Workers(t.Context())
			require.NoError(t, err)
			require.Len(t, workers, 1)
			return workers[0].Configurations
		}
		write := func(document string) {
			_, err := s.WriteConfiguration(t.Context(), store.ConfigurationWrite{
				ID: store.ConfigurationID{Set: "tree"}, Token: document, IfVersion: store.AnyVersion, Document: []byte(document),
			})
			require.NoError(t, err)
		}
		stop := work(t, m, syncjob.WorkerConfig{})
		require.Empty(t, versions(), "the set was never configured")
		write(`{"v":1,"set":{"weight":2}}`)
		require.Equal(t, map[string]int64{"tree": 1}, versions())
		write(`{"v":1,"set":{"weight":"heavy"}}`)
		require.Equal(t, map[string]int64{"tree": 1}, versions(), "a document that cannot be read is not in force")
		write(`{"v":1,"set":{"weight":3}}`)
		require.Equal(t, map[string]int64{"tree": 3}, versions())
		require.NoError(t, stop())
		work(t, m, syncjob.WorkerConfig{})
		require.Equal(t, map[string]int64{"tree": 3}, versions(), "a worker tells it soon after its start")
	})
}
