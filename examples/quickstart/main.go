// Quickstart runs one job in memory: an album that fans out into its photos.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

type Album struct{ Photos int }
type Photo struct{ Number int }

func (Album) Kind() string { return "album" }
func (Photo) Kind() string { return "photo" }

func main() {
	ctx, stop := context.WithCancel(context.Background())
	photos := handlers.NewSet("photos", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: 5}})
	handlers.Handle(photos, func(ctx context.Context, t *handlers.Task[Album]) (err error) {
		for n := 0; n < t.Args.Photos && err == nil; n++ {
			_, err = t.Enqueue(ctx, Photo{n}, nil)
		}
		return err // nil: the photos appear with this success, once, however often it was tried
	}, nil)
	handlers.Handle(photos, func(context.Context, *handlers.Task[Photo]) error { return nil }, nil)

	manager := must(syncjob.Open(ctx, "memory://", syncjob.Config{Registry: must(handlers.NewRegistry(photos))})) // or redis://…
	worker, drained := must(manager.NewWorker(syncjob.WorkerConfig{Concurrency: 8})), make(chan error)
	go func() { drained <- worker.Run(ctx) }() // in any number of processes

	run := must(manager.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Root: Album{Photos: 10}}, nil))
	final := must(run.Wait(ctx))
	fmt.Printf("%s: %d of %d tasks succeeded\n", final.Status, final.Counts.Succeeded, final.Counts.Total)
	stop()
	must(true, <-drained)
	must(true, manager.Close())
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
