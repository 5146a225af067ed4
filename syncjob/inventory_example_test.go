package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// An operator looks at who holds the locks of an import, and releases them.
func ExampleManager_ReleaseSemaphores() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	locks := semaphore.New(m.Store())
	for _, dir := range []string{"a", "b"} {
		_, err := locks.TryAcquire(ctx, "import/"+dir, &semaphore.Options{Holder: "host-7", TTL: time.Hour})
		if err != nil {
			log.Fatal(err)
		}
	}
	for s, err := range m.Semaphores(ctx, &syncjob.SemaphoresOptions{Prefix: "import/"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(s.Key, s.Holders[0].Holder, len(s.Waiters))
	}
	released, err := m.ReleaseSemaphores(syncjob.WithActor(ctx, "ann"), "import/", "host-7 is gone", nil)
	fmt.Println(len(released), err)
	// Output:
	// import/a host-7 0
	// import/b host-7 0
	// 2 <nil>
}

func ExampleManager_ListValues() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	scope := store.NamespaceScope(0)
	if err := values.NewCounter(m.Values(), scope, "files").Set(ctx, 42); err != nil {
		log.Fatal(err)
	}
	if err := values.NewList[string](m.Values(), scope, "names").Append(ctx, "a", "b"); err != nil {
		log.Fatal(err)
	}
	for v, err := range m.ListValues(ctx, scope, nil) {
		fmt.Println(v.Name, v.Type, v.Size, err)
	}
	// Output:
	// files counter 2 <nil>
	// names list 2 <nil>
}
