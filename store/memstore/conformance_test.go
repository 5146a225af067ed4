package memstore_test

import (
	"testing"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

func harness(partitions int) storetest.Harness {
	return storetest.Harness{
		New: func(testing.TB) store.Store {
			return memstore.NewBackend(&memstore.Options{Partitions: partitions})
		},
		Bubble: true,
		Leftovers: func(_ testing.TB, s store.Store) []string {
			return s.(*memstore.Backend).Leftovers()
		},
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, harness(1))
}

func TestConformanceOfManyPartitions(t *testing.T) {
	storetest.Run(t, harness(5))
}

func TestRandomSequencesAgreeWithTheModel(t *testing.T) {
	storetest.RunModel(t, harness(2), storetest.ModelOptions{Sequences: 5000, Steps: 15})
}

func TestLongSequencesAgreeWithTheModel(t *testing.T) {
	storetest.RunModel(t, harness(2), storetest.ModelOptions{})
}
