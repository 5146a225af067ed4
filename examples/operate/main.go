// Operate is a day of an operator: invoices fail, and the operator finds out what fails and why,
// corrects the configuration, has the failed tasks tried again, cancels one that nobody wants, runs
// another one now, pauses and resumes a queue, and drains a worker. In the end the audit tells the
// story. The workers go on all the while; in a real service they are other processes, and all that
// the operator does can be done with the command rollcall, or on the pages of the dashboard.
//
//	go run ./examples/operate
//	go run ./examples/operate -store redis://localhost:6379
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

type invoice struct{ Number int }

func (invoice) Kind() string { return "invoice" }

// settings are parameters of the set: they can change while workers run.
type settings struct{ Printer string }

func send(_ context.Context, t *handlers.Task[invoice]) error {
	var s settings
	if err := t.DecodeParams(&s); err != nil {
		return err
	}
	if s.Printer != "office" {
		return fmt.Errorf("invoice %d: no printer %q", t.Args.Number, s.Printer)
	}
	return nil // it is printed
}

func main() {
	url := flag.String("store", "memory://", "where the jobs live")
	namespace := flag.String("namespace", "operate", "of the jobs")
	flag.Parse()
	set := handlers.NewSet("billing", handlers.SetConfig{Attributes: handlers.Attributes{
		Queue: "billing", MaxRetries: handlers.NoRetries, Params: json.RawMessage(`{"Printer":"ofice"}`),
	}})
	handlers.Handle(set, send, nil)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	m := must(syncjob.Open(ctx, *url, syncjob.Config{
		Registry: must(handlers.NewRegistry(set)), Namespace: *namespace,
	}))
	defer m.Close()
	must(m.Ensure(ctx, syncjob.Job{Name: "invoices", Set: "billing", Open: true}))

	// Two workers, and what producers send. The last two invoices are for the end of the month.
	var ends []chan error
	for i := range 2 {
		w := must(
			m.NewWorker(syncjob.WorkerConfig{Name: fmt.Sprint("worker-", i+1), Concurrency: 4, Lease: 3 * time.Second}),
		)
		end := make(chan error, 1)
		go func() { end <- w.Run(ctx) }()
		ends = append(ends, end)
	}
	for n := range 12 {
		o := &enqueue.Options{ID: fmt.Sprint("invoice-", n)}
		if n >= 10 {
			o.Delay = 24 * time.Hour
		}
		must(m.Enqueue(ctx, "invoices", invoice{n}, o))
	}
	run := must(m.Latest(ctx, "invoices"))
	until(ctx, run, func(s states.Run) bool { return s.Counts.Failed == 10 })

	operate(syncjob.WithActor(ctx, "ann"), m, run)

	fmt.Println("worker-1 ended by itself:", errors.Is(<-ends[0], syncjob.ErrDrained))
	until(ctx, run, func(s states.Run) bool { return s.Counts.Succeeded == 12 })
	story(ctx, m)
	stop()
	must(0, <-ends[1])
}

// operate is what the operator does.
func operate(ctx context.Context, m *syncjob.Manager, run *syncjob.Run) {
	// What fails, and why?
	for _, g := range must(m.FailureGroups(ctx, nil)).Groups {
		fmt.Printf("%d of %s failed: %s\n", g.Count, g.Kind, syncjob.Printable(g.Example.Error))
		task := must(run.Task(g.Example.TaskID).State(ctx))
		fmt.Printf("%s is %s after attempt %d\n", g.Kind, task.State, task.Attempt)
	}

	// It is a typing error in the settings. The queue is paused until every worker has the new ones.
	scope := syncjob.Scope{Queue: "billing"}
	must(0, m.Pause(ctx, scope, "the printer is set up"))
	changed := must(m.Configure(ctx, "billing", &syncjob.ConfigureOptions{Reason: "ofice is a typing error"},
		func(c *syncjob.Configuration) error {
			c.Set.Params = json.RawMessage(`{"Printer":"office"}`)
			return nil
		}))
	retried := must(run.Retry(syncjob.WithReason(ctx, "the printer is right now"), nil))
	fmt.Printf("%d tasks wait in a queue that is paused\n", retried.Moved)
	obeyed(ctx, m, changed.Version)
	must(0, m.Resume(syncjob.WithReason(ctx, "the printer is set up"), scope))
	until(ctx, run, func(s states.Run) bool { return s.Counts.Succeeded == 10 })

	// Invoice 10 is wrong, and invoice 11 is wanted today. A new one takes the place of the former.
	fmt.Println("invoice-10:", must(run.Task("invoice-10").Cancel(syncjob.WithReason(ctx, "the customer has gone"))))
	must(0, run.Task("invoice-11").RunNow(syncjob.WithReason(ctx, "wanted today")))
	until(ctx, run, func(s states.Run) bool { return s.Counts.Succeeded == 11 })

	// A machine is to be replaced. The other worker does what comes.
	must(0, m.Worker("worker-1").Drain(syncjob.WithReason(ctx, "a new machine")))
	must(m.Enqueue(ctx, "invoices", invoice{12}, nil))
}

// obeyed waits until all workers have a version of the configuration. They tell of it with their
// heartbeats.
func obeyed(ctx context.Context, m *syncjob.Manager, version int64) {
	behind := func(w states.Worker) bool { return w.Configurations["billing"] < version }
	for slices.ContainsFunc(must(m.Workers(ctx)), behind) {
		time.Sleep(100 * time.Millisecond)
	}
}

// story prints the audit, the oldest line first.
func story(ctx context.Context, m *syncjob.Manager) {
	var lines []states.AuditEntry
	for line, err := range m.Audit(ctx, &syncjob.AuditOptions{By: "ann"}) {
		lines = append(lines, must(line, err))
	}
	slices.Reverse(lines)
	for _, l := range lines {
		fmt.Printf("%s: %s %s (%s)\n", l.By, l.Action, l.Subject, syncjob.Printable(l.Reason))
	}
}

// until waits for a state of the run.
func until(ctx context.Context, run *syncjob.Run, reached func(states.Run) bool) {
	for s, err := range run.Watch(ctx) {
		if reached(must(s, err)) {
			return
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(syncjob.Printable(err.Error()))
	}
	return v
}
