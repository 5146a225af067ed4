// Worker is a worker process with two queues. Urgent tasks get four turns for each of the others.
// SIGTERM lets its tasks finish; a second SIGTERM ends it sooner. /healthz reports its health.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

type mailArgs struct{ To string }

func (mailArgs) Kind() string { return "mail" }

func main() {
	store := flag.String("store", "memory://", "where the jobs live")
	addr := flag.String("health", "localhost:8081", "`address` for health checks")
	flag.Parse()
	set := handlers.NewSet("post", handlers.SetConfig{})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[mailArgs]) error {
		time.Sleep(200 * time.Millisecond) // here the mail is sent
		fmt.Printf("%s mail to %s\n", t.Queue, syncjob.Printable(t.Args.To))
		return nil
	}, nil)
	ctx := context.Background()
	m := must(syncjob.Open(ctx, *store, syncjob.Config{Registry: must(handlers.NewRegistry(set))}))
	defer m.Close()
	// A standing job takes tasks at any time. Usually other processes send them.
	must(m.Ensure(ctx, syncjob.Job{Name: "post", Set: "post", Open: true}))
	for i := range 100 {
		queue := []string{"urgent", "bulk"}[i%2]
		must(m.Enqueue(ctx, "post", mailArgs{fmt.Sprintf("customer %d", i)}, &enqueue.Options{Queue: queue}))
	}
	w := must(m.NewWorker(syncjob.WorkerConfig{
		Concurrency: 4,
		Queues:      []syncjob.Queue{{Name: "urgent", Weight: 4}, {Name: "bulk"}},
		Grace:       10 * time.Second,
	}))
	http.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		if err := w.Healthy(); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(rw, "ok")
	})
	listener := must(net.Listen("tcp", *addr))
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	fmt.Printf("healthy? curl http://%s/healthz\n", listener.Addr())

	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-signals
		cancel() // fetch no more tasks, finish running ones
		<-signals
		w.Abort()
	}()
	must(0, w.Run(ctx))
	fmt.Println("drained")
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
