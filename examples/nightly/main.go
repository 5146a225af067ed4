// Nightly runs a report every night on one of several machines. All machines have the same
// schedule. The first one to pass the gate runs the report; the others skip it. (A gate limits only
// how many run at the same time. If the clock of a machine may be late by more than the report
// takes, declare a periodic job: each due time starts one run.) Without Redis, the program
// simulates three machines and short nights. On a real machine:
//
//	nightly -redis redis://localhost:6379 -machines 1 -cron '30 2 * * *'
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

func main() {
	url := flag.String("redis", "memory://", "where the gate is")
	machines := flag.Int("machines", 3, "`number` of machines to simulate")
	spec := flag.String("cron", "", "cron `expression`, in Europe/Berlin (default: short nights)")
	night := flag.Duration("night", 300*time.Millisecond, "time from one short night to the next")
	flag.Parse()
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt)
	trigger := cron.Trigger{Every: *night}
	if *spec != "" {
		trigger = cron.Trigger{Cron: *spec, Zone: "Europe/Berlin"}
	}

	manager, err := syncjob.Open(context.WithoutCancel(ctx), *url, syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range *machines {
		name := fmt.Sprintf("machine %d, process %d", i+1, os.Getpid())
		scheduler, err := cron.New(manager, cron.Config{}, cron.Runner{
			Name:    "report",
			Trigger: trigger,
			Gate: &semaphore.Gate{
				Semaphores: semaphore.New(manager.Store()),
				Key:        "nightly-report",
				TTL:        30 * time.Second, // if a machine dies, the others wait this long
				Holder:     name,
			},
			Run: func(ctx context.Context) error { return report(ctx, name) },
		})
		if err != nil {
			log.Fatal(err)
		}
		all.Go(func() {
			if err := scheduler.Run(ctx); err != nil {
				log.Print(err)
			}
			state := scheduler.Runners()[0]
			fmt.Printf("%s: ran %d times, skipped %d times\n", name, state.Runs, state.Skipped)
		})
	}
	all.Wait()
	_ = manager.Close()
}

// The context of report ends with the lease. The report can write the fencing number with its data.
func report(ctx context.Context, name string) error {
	if lease, ok := semaphore.FromContext(ctx); ok {
		fmt.Printf("%s: reports, fencing number %d\n", name, lease.Fence)
	}
	time.Sleep(50 * time.Millisecond)
	return ctx.Err()
}
