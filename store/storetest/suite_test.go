package storetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is the harness of a store in memory, in virtual time.
func memory() storetest.Harness {
	return storetest.Harness{
		New:    func(testing.TB) store.Store { return memstore.New(nil) },
		Bubble: true,
	}
}

func TestSuiteOnMemory(t *testing.T) { storetest.Run(t, memory()) }

func TestModelOnMemory(t *testing.T) {
	storetest.RunModel(t, memory(), storetest.ModelOptions{Sequences: 500})
}
