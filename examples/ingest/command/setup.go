package command

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// setup is the common part of the commands that may run tasks: a log, a profile, and the handlers.
type setup struct {
	handlers mirror.Config // of the program
	level    slog.Level
	logFile  string
	logSize  int64
	profile  string
}

func (s *setup) register(fs *flag.FlagSet, level slog.Level) {
	fs.TextVar(&s.level, "log-level", level, "log records of at least this `level`: DEBUG, INFO, WARN or ERROR")
	fs.StringVar(&s.logFile, "log-file", "", "append the log to a `file` instead of standard error")
	fs.Int64Var(&s.logSize, "log-size", 0,
		"begin a new log file when it has `N` bytes, and keep 4 full ones: FILE.1 to FILE.4 (default never)")
	fs.StringVar(&s.profile, "profile", "",
		"write a JSON line to a `file` when a task starts in this process, and another one when it ends")
}

// opened holds files that a command writes to until it ends.
type opened []io.Closer

// Close completes them.
func (o opened) Close() error {
	var problems []error
	for _, f := range o {
		problems = append(problems, f.Close())
	}
	return errors.Join(problems...)
}

// open returns the configuration of a manager. Close the files also after an error.
func (s *setup) open(stderr io.Writer) (cfg syncjob.Config, files opened, err error) {
	if s.logSize < 0 || s.logSize > 0 && s.logFile == "" {
		return cfg, files, &usageError{Flag: "log-size", Reason: "is a number of bytes, for a -log-file"}
	}
	if s.logFile != "" {
		f, err := newRotating(s.logFile, s.logSize)
		if err != nil {
			return cfg, files, &usageError{Flag: "log-file", Reason: err.Error()}
		}
		files, stderr = append(files, f), f
	}
	var tasks *profile
	if s.profile != "" {
		if tasks, err = newProfile(s.profile); err != nil {
			return cfg, files, err
		}
		files = append(files, tasks)
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: s.level}))
	registry, err := s.registry(log, tasks)
	return syncjob.Config{Registry: registry, Namespace: namespace, Logger: log}, files, err
}

// registry returns the handlers of the program, with a log of changes and a profile.
func (s *setup) registry(log *slog.Logger, tasks *profile) (*handlers.Registry, error) {
	c, logs := s.handlers, mirror.LogEvents(log)
	if own := c.Hooks.After; own != nil {
		logs.After = inOrder(own, logs.After)
	}
	c.Hooks.After = logs.After
	c.Open = s.openSource
	c.Middleware = append([]handlers.Middleware{tasks.middleware()}, c.Middleware...)
	return mirror.NewRegistry(c)
}

// inOrder calls two hooks, the second unless the first returns an error.
func inOrder(first, second func(context.Context, handlers.Event) error) func(context.Context, handlers.Event) error {
	return func(ctx context.Context, e handlers.Event) error {
		if err := first(ctx, e); err != nil {
			return err
		}
		return second(ctx, e)
	}
}

// openSource opens the source of a job: a directory, or one with a scheme.
func (s *setup) openSource(ctx context.Context, src string) (mirror.Source, error) {
	if hasScheme(src) && s.handlers.Open != nil {
		return s.handlers.Open(ctx, src)
	}
	return mirror.DirectorySource(src), nil
}

// hasScheme reports whether a source is no directory.
func hasScheme(src string) bool { return strings.Contains(src, "://") }
