package script_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

type photo struct {
	Path string `json:"path"`
}

func (photo) Kind() string { return "photo" }

// album is a set whose photos ask the script whether they are wanted, and under which name.
func album() (*handlers.Registry, error) {
	set, err := script.NewSet("album", handlers.SetConfig{}, &script.Options{
		Functions: []string{"include", "target_path"},
	})
	if err != nil {
		return nil, err
	}
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[photo]) error {
		wanted, err := script.Call(ctx, "include", true, t.Args.Path)
		if err != nil || !wanted {
			return err
		}
		target, err := script.Call(ctx, "target_path", t.Args.Path, t.Args.Path)
		if err != nil {
			return err
		}
		fmt.Println("copy to", target)
		return nil
	}, nil)
	return handlers.NewRegistry(set)
}

// manage makes a manager with a store in memory.
func manage(ctx context.Context, registry *handlers.Registry) (*syncjob.Manager, error) {
	return syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
}

// finish starts a job, and runs a worker until no task is left.
func finish(ctx context.Context, m *syncjob.Manager, job syncjob.Job) (states.Run, error) {
	run, err := m.Start(ctx, job, nil)
	if err != nil {
		return states.Run{}, err
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		return states.Run{}, err
	}
	if _, err := w.RunOnce(ctx); err != nil {
		return states.Run{}, err
	}
	return run.State(ctx)
}

// An operator changes what handlers do.
func Example() {
	ctx := context.Background()
	registry, err := album()
	if err != nil {
		log.Fatal(err)
	}
	m, err := manage(ctx, registry)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	change := func(source string) error {
		_, err := m.Configure(ctx, "album", &syncjob.ConfigureOptions{By: "ann", Reason: "new layout"},
			func(c *syncjob.Configuration) error {
				c.Set.Script = source
				return nil
			})
		return err
	}
	copies := func(job, path string) {
		if _, err := finish(ctx, m, syncjob.Job{Name: job, Set: "album", Root: photo{path}}); err != nil {
			log.Fatal(err)
		}
	}

	copies("monday", "/in/a.jpg")
	fmt.Println(change("def include(path)\n  return False"))
	if err := change(`
def include(path):
  return not path.endswith(".tmp")

def target_path(path):
  return path.replace("/in/", "/out/2026/", 1)
`); err != nil {
		log.Fatal(err)
	}
	copies("tuesday", "/in/b.tmp")
	copies("wednesday", "/in/b.jpg")
	// Output:
	// copy to /in/a.jpg
	// configure "album": Set.Script does not compile: 2:1: got newline, want ':'
	// copy to /out/2026/b.jpg
}

// A kind without a handler in code, attributes that depend on the task, and a hook.
func ExampleHandle() {
	set, err := script.NewSet("mail", handlers.SetConfig{
		Attributes: handlers.Attributes{Script: `
def max_retries(task):
  return 5 if task.args["to"].endswith("@example.com") else 0

def handle_send(task):
  fail("no route to " + task.args["to"])

def post_job(run):
  permanent("%d of %d failed, %d attempts were repeated" % (run.failed, run.total, run.retried))
`},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	script.Handle(set, "send", nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	m, err := manage(ctx, registry)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	final, err := finish(ctx, m, syncjob.Job{Name: "news", Set: "mail", Root: send{To: "ann@example.org"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(final.Status)
	fmt.Println(final.HookErr)
	// Output:
	// failed
	// script: post_job: 1 of 1 failed, 0 attempts were repeated (at 9:12 in post_job)
}

type send struct {
	To string `json:"to"`
}

func (send) Kind() string { return "send" }

// A handler asks first whether a function is there, before it prepares what it is called with.
func ExampleDefines() {
	set, err := script.NewSet("album", handlers.SetConfig{
		Attributes: handlers.Attributes{Script: "def include(path):\n  return True"},
	}, &script.Options{Functions: []string{"include", "target_path"}})
	if err != nil {
		log.Fatal(err)
	}
	handlers.Handle(set, func(ctx context.Context, _ *handlers.Task[photo]) error {
		fmt.Println(script.Defines(ctx, "include"), script.Defines(ctx, "target_path"), script.Defines(ctx, "pre_job"))
		return nil
	}, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	m, err := manage(ctx, registry)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := finish(ctx, m, syncjob.Job{Name: "a", Set: "album", Root: photo{}}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(script.Defines(ctx, "include"))
	// Output:
	// true false false
	// false
}
