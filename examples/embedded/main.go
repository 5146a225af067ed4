// Embedded runs a worker in an HTTP service. The service starts jobs, shows their progress, and
// has a dashboard.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

type albumArgs struct{ Images int }
type imageArgs struct{ Number int }

func (albumArgs) Kind() string { return "album" }
func (imageArgs) Kind() string { return "image" }

func main() {
	addr := flag.String("addr", "localhost:8080", "where to listen")
	store := flag.String("store", "memory://", "where the jobs live")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	set := handlers.NewSet("gallery", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[albumArgs]) (err error) {
		for n := 0; n < t.Args.Images && err == nil; n++ {
			_, err = t.Enqueue(ctx, imageArgs{n}, nil)
		}
		return err
	}, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[imageArgs]) error {
		time.Sleep(20 * time.Millisecond) // here the thumbnail is made
		return nil
	}, nil)
	m := must(syncjob.Open(ctx, *store, syncjob.Config{Registry: must(handlers.NewRegistry(set))}))
	defer m.Close()
	worker := must(m.NewWorker(syncjob.WorkerConfig{}))
	drained := make(chan error, 1)
	go func() { drained <- worker.Run(ctx) }()

	// Everybody who reaches this server may look. Options.Authorize lets people act, too.
	http.Handle("/rollcall/", dashboard.New(m, dashboard.Options{Title: "Gallery"}))
	http.Handle("GET /{$}", http.RedirectHandler("/rollcall/", http.StatusSeeOther))
	http.HandleFunc("POST /albums/{name}", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.FormValue("images"))
		run, err := m.Start(
			r.Context(), syncjob.Job{Name: r.PathValue("name"), Set: "gallery", Root: albumArgs{n}}, nil,
		)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		for s, err := range run.Watch(r.Context()) { // if the client leaves, watching ends, but not the run
			if err != nil {
				return
			}
			fmt.Fprintf(
				w, "%s: %d of %d tasks, %.0f/s, %v to go\n", s.Status, s.Counts.Done(), s.Counts.Total, s.Rate,
				s.ETA.Round(100*time.Millisecond),
			)
			_ = http.NewResponseController(w).Flush()
		}
	})
	listener := must(net.Listen("tcp", *addr))
	fmt.Printf(
		"try: curl -N -d images=200 http://%s/albums/summer\nand look at: http://%[1]s/rollcall/\n",
		listener.Addr(),
	)
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	must(0, <-drained) // after SIGINT or SIGTERM: running tasks are finished
	fmt.Println("drained")
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
