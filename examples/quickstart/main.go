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
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	photos := handlers.NewSet("photos", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: 5},
	})
	handlers.Handle(photos, func(ctx context.Context, t *handlers.Task[Album]) error {
		for n := range t.Args.Photos {
			if _, err := t.Enqueue(ctx, Photo{n}, nil); err != nil {
				return err // the album is tried again
			}
		}
		return nil // the photos are added now: exactly once, even after retries
	}, nil)
	handlers.Handle(photos, func(context.Context, *handlers.Task[Photo]) error {
		return nil // do the work
	}, nil)
	registry, err := handlers.NewRegistry(photos)
	if err != nil {
		return err
	}

	manager, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		return err
	}
	defer manager.Close()
	worker, err := manager.NewWorker(syncjob.WorkerConfig{Concurrency: 8})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drained := make(chan error, 1)
	go func() { drained <- worker.Run(ctx) }()

	job := syncjob.Job{Name: "album/7", Set: "photos", Root: Album{Photos: 10}}
	album, err := manager.Start(ctx, job, nil)
	if err != nil {
		return err
	}
	final, err := album.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d of %d tasks succeeded\n", final.Status, final.Counts.Succeeded, final.Counts.Total)
	stop()
	return <-drained
}
