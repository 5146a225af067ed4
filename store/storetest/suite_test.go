package storetest_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuiteOnMemory(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		New:    func(testing.TB) store.Store { return memstore.New(nil) },
		Bubble: true,
	})
}
