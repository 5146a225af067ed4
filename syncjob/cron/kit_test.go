package cron_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCut = errors.New("connection is cut")

// badEnds are the ways in which a function may end other than by returning.
var badEnds = map[string]func(){
	"panic":  func() { panic(errors.New("broken")) },
	"Goexit": runtime.Goexit,
}

type leaf struct{ I int }

func (leaf) Kind() string { return "leaf" }

func manager(t testing.TB) *syncjob.Manager {
	t.Helper()
	return managerOn(t, memstore.New(nil), nil)
}

func managerOn(t testing.TB, s store.Store, reg *handlers.Registry) *syncjob.Manager {
	t.Helper()
	m, err := syncjob.New(s, syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// fields collects the names of the fields that an error complains about.
func fields(err error) (list []string) {
	switch e := err.(type) {
	case nil:
	case *store.FieldError:
		list = append(list, e.Field)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			list = append(list, fields(inner)...)
		}
	default:
		return fields(errors.Unwrap(err))
	}
	return list
}
