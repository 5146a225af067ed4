package cron_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

// A scheduler calls functions of this process when they are due. What must be due once for all
// processes together is a periodic job, or gets a gate.
func ExampleNew() {
	m, err := syncjob.Open(context.Background(), "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	s, err := cron.New(m, cron.Config{Concurrency: 4},
		cron.Runner{Name: "refresh", Trigger: cron.Trigger{Every: time.Hour}, Run: func(context.Context) error {
			fmt.Println("refreshed")
			stop()
			return nil
		}},
		cron.Runner{Name: "report", Trigger: cron.Trigger{Cron: "0 2 * * 1-5", Zone: "Europe/Berlin"},
			Run:  func(context.Context) error { return nil },
			Gate: &semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "report", TTL: time.Minute, Holder: "this process"}},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Run(ctx)) // until ctx ends
	// Output:
	// refreshed
	// <nil>
}
