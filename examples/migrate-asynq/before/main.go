// Before is a small service on asynq: it sends mails, with retries, delays and IDs, and cleans up
// each night. Folder after has the same on Rollcall.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/hibiken/asynq"
)

type welcome struct{ User int }

func newWelcome(user int) *asynq.Task {
	payload, err := json.Marshal(welcome{user})
	if err != nil {
		log.Fatal(err)
	}
	return asynq.NewTask("welcome", payload, asynq.MaxRetry(5), asynq.Timeout(time.Minute), asynq.Queue("mail"))
}

func sendWelcome(_ context.Context, t *asynq.Task) error {
	var w welcome
	if err := json.Unmarshal(t.Payload(), &w); err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	if w.User == 0 {
		fmt.Println("there is no user 0")
		return fmt.Errorf("no such user: %w", asynq.SkipRetry)
	}
	fmt.Printf("welcome, user %d\n", w.User)
	return nil
}

func main() {
	addr := flag.String("redis", "localhost:6379", "address of Redis")
	flag.Parse()
	redis := asynq.RedisClientOpt{Addr: *addr}

	// Producers.
	client := asynq.NewClient(redis)
	defer client.Close()
	for user := range 3 {
		_, err := client.Enqueue(newWelcome(user), asynq.TaskID(fmt.Sprintf("welcome-%d", user)), asynq.ProcessIn(100*time.Millisecond))
		if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
			log.Fatal(err)
		}
	}

	// A schedule: exactly one process may run this.
	scheduler := asynq.NewScheduler(redis, nil)
	if _, err := scheduler.Register("0 3 * * *", asynq.NewTask("clean", nil, asynq.Queue("mail"))); err != nil {
		log.Fatal(err)
	}
	if err := scheduler.Start(); err != nil {
		log.Fatal(err)
	}
	defer scheduler.Shutdown()

	// Workers. Run ends with SIGINT or SIGTERM.
	mux := asynq.NewServeMux()
	mux.HandleFunc("welcome", sendWelcome)
	mux.HandleFunc("clean", func(context.Context, *asynq.Task) error { return nil })
	server := asynq.NewServer(redis, asynq.Config{Concurrency: 10, Queues: map[string]int{"mail": 1}})
	if err := server.Run(mux); err != nil {
		log.Fatal(err)
	}
}
