// Nightly runs a report every night, on one machine of all that are set to do it. Every machine has
// the same schedule; whichever passes the gate first runs the report, and the others find it closed
// and let it be. (A gate counts who runs at a time. If a machine's clock may be late by more than
// the report takes, declare a periodic job: each of its due times fires once.) Without a Redis it
// plays three machines and short nights. On a real one:
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
	machines := flag.Int("machines", 3, "how many to play in this process")
	spec := flag.String("cron", "", "when, in Europe/Berlin, as a cron expression; in short nights if empty")
	night := flag.Duration("night", 300*time.Millisecond, "from one short night to the next")
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
				TTL:        30 * time.Second, // a machine that dies holds up the others for so long
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
			fmt.Printf("%s: ran %d times, let it be %d times\n", name, state.Runs, state.Skipped)
		})
	}
	all.Wait()
	_ = manager.Close()
}

// report's context ends with the lease; what it writes may carry the fencing number.
func report(ctx context.Context, name string) error {
	if lease, ok := semaphore.FromContext(ctx); ok {
		fmt.Printf("%s: reports, fencing number %d\n", name, lease.Fence)
	}
	time.Sleep(50 * time.Millisecond)
	return ctx.Err()
}
