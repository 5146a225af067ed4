// Gate runs a nightly report on several machines, but only on one at a time. All machines try at
// the same time. A machine that does not get the place sees who holds it, and skips the report.
// Without Redis, the program simulates three machines and two short nights. On a real machine:
//
//	gate -redis redis://localhost:6379 -hosts 1 -night 24h -nights 365
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
)

func main() {
	url := flag.String("redis", "", "`URL` of the Redis for the semaphore (default: in memory)")
	hosts := flag.Int("hosts", 3, "`number` of machines to simulate")
	night := flag.Duration("night", 400*time.Millisecond, "time from one night to the next")
	nights := flag.Int("nights", 2, "how many nights")
	flag.Parse()
	s := memstore.New(nil)
	if *url != "" {
		var err error
		if s, err = redisstore.Open(context.Background(), *url, redisstore.Config{}); err != nil {
			log.Fatal(err)
		}
	}
	m, err := syncjob.New(s, syncjob.Config{}) // to read the mode of the namespace
	if err != nil {
		log.Fatal(err)
	}
	// Nothing runs in read-only mode, which Manager.SetMode sets for all machines, or on a machine
	// under maintenance.
	allowed := func(ctx context.Context) bool { return m.Writable(ctx) && os.Getenv("MAINTENANCE") == "" }
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var machines sync.WaitGroup
	for i := range *hosts {
		gate := semaphore.Gate{
			Semaphores: semaphore.New(s),
			Key:        "nightly-report",
			TTL:        30 * time.Second, // if a machine dies, the others wait this long
			Holder:     fmt.Sprintf("machine %d, process %d", i+1, os.Getpid()),
			CanRun:     allowed,
			OnError:    func(err error) { log.Print(err) },
		}
		machines.Go(func() {
			for n := 1; n <= *nights && ctx.Err() == nil; n++ {
				err := gate.Run(ctx, func(ctx context.Context) error {
					// ctx ends if the lease is lost. The report can write the fencing number with its data.
					lease, _ := semaphore.FromContext(ctx) // a gate calls it
					fmt.Printf("%s: runs, night %d, fencing number %d\n", gate.Holder, n, lease.Fence)
					return sleep(ctx, *night/4)
				})
				if errors.Is(err, semaphore.ErrSkipped) {
					fmt.Printf("%s: %v\n", gate.Holder, err)
				}
				_ = sleep(ctx, time.Until(time.Now().Truncate(*night).Add(*night)))
			}
		})
	}
	machines.Wait()
	_ = m.Close()
	_ = s.Close()
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
