package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what all commands share: the flags, and the manager once it is needed.
type app struct {
	streams
	store, namespace, output string
	limit                    int
	timeout                  time.Duration
	yes                      bool
	reason, actor            string
	columns                  int // of the terminal; 0 asks it
	m                        *syncjob.Manager
}

// Exit codes, as the package's doc lists them.
const (
	codeError       = 1
	codeUsage       = 2
	codeNotFound    = 3
	codeState       = 4
	codeUnavailable = 5
)

// exit is an error that only sets the exit code: everything was said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is an error of the command line.
type usageError struct{ error }

// run runs a command line and returns the exit code.
func run(ctx context.Context, args []string, io streams) int {
	return (&app{streams: io}).execute(ctx, args)
}

func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	cmd, err := root.ExecuteContextC(ctx)
	if a.m != nil {
		err = errors.Join(err, a.m.Close())
	}
	return a.code(cmd, err)
}

// code says what is wrong, and returns the exit code.
func (a *app) code(cmd *cobra.Command, err error) int {
	var only exit
	var field *syncjob.FieldError
	var wrong usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &only):
		return int(only)
	}
	text, _, _ := strings.Cut(err.Error(), "\n") // cobra appends suggestions
	_, _ = fmt.Fprintln(a.err, "rollcall:", syncjob.Printable(text))
	switch {
	case errors.As(err, &wrong) || !cmd.HasParent() || strings.HasPrefix(err.Error(), "unknown "):
		_, _ = fmt.Fprintf(a.err, "Try: %s --help\n", cmd.CommandPath())
		return codeUsage
	case errors.As(err, &field):
		return codeUsage
	case errors.Is(err, syncjob.ErrJobNotFound),
		errors.Is(err, syncjob.ErrRunNotFound),
		errors.Is(err, syncjob.ErrTaskNotFound),
		errors.Is(err, syncjob.ErrWorkerNotFound):
		return codeNotFound
	case errors.Is(err, syncjob.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return codeUnavailable
	case errors.Is(err, syncjob.ErrRunFinished),
		errors.Is(err, syncjob.ErrRunActive), errors.Is(err, syncjob.ErrNotHeld),
		errors.Is(err, syncjob.ErrJobExists),
		errors.Is(
			err,
			syncjob.ErrJobDisabled,
		),
		errors.Is(err, syncjob.ErrJobStopped),
		errors.Is(err, syncjob.ErrConflict),
		errors.Is(err, syncjob.ErrTaskNotDelayed), errors.Is(err, syncjob.ErrResultPending),
		errors.Is(err, syncjob.ErrNothingToRedrive),
		errors.Is(err, states.ErrNoResult):
		return codeState
	}
	return codeError
}

// root is the command without a verb.
func (a *app) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "rollcall",
		Short: "Shows what the jobs of a store do, and acts on them",
		Long: "rollcall shows what the jobs of a store do, and acts on them.\n\n" +
			"Exit codes: 0 done, 1 error, 2 wrong command line, 3 not found,\n" +
			"4 not in such a state, 5 the store does not answer.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch a.output {
			case "table", "json", "jsonl":
				return nil
			}
			return usageError{fmt.Errorf("--output is table, json or jsonl, not %q", a.output)}
		},
	}
	f := c.PersistentFlags()
	f.StringVar(
		&a.store,
		"store",
		os.Getenv("ROLLCALL_STORE"),
		"`URL` of the store, redis://HOST:PORT; or set ROLLCALL_STORE",
	)
	f.StringVar(
		&a.namespace,
		"namespace",
		os.Getenv("ROLLCALL_NAMESPACE"),
		"namespace of the store; or set ROLLCALL_NAMESPACE (default \"rollcall\")",
	)
	f.StringVarP(&a.output, "output", "o", "table", "`form` of the output: table, json or jsonl")
	f.IntVar(&a.limit, "limit", 0, "print at most so many (default all)")
	f.DurationVar(
		&a.timeout,
		"timeout",
		0,
		"give up after this time (default 30s; commands that follow something: never)",
	)
	f.BoolVarP(&a.yes, "yes", "y", false, "do not ask before something is stopped or removed")
	f.StringVar(&a.reason, "reason", "", "why, for those who look at it later")
	f.StringVar(&a.actor, "actor", "", "who does it (default the user, at this machine)")
	c.SetUsageTemplate(strings.ReplaceAll(c.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	c.AddGroup(
		&cobra.Group{ID: "read", Title: "See:"},
		&cobra.Group{ID: "act", Title: "Act:"},
		&cobra.Group{ID: "tool", Title: "Tools:"},
	)
	for id, commands := range map[string][]*cobra.Command{
		"read": append(a.lists(), a.aboutRuns()...),
		"act":  slices.Concat(a.actions(), a.ofWorkers(), a.producers()),
		"tool": a.tools(),
	} {
		for _, sub := range commands {
			sub.GroupID = id
			c.AddCommand(sub)
		}
	}
	a.completeFlags(c)
	c.SetHelpCommandGroupID("tool")
	c.SetCompletionCommandGroupID("tool")
	return c
}

// command makes a command that needs the store. follows is true for one that goes on until it is
// told to stop.
func (a *app) command(
	use, short string,
	args cobra.PositionalArgs,
	follows bool,
	do func(ctx context.Context, args []string) error,
) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				return usageError{err}
			}
			return nil
		},
		ValidArgsFunction: a.complete,
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := a.within(c.Context(), follows)
			defer cancel()
			if err := a.connect(ctx); err != nil {
				return err
			}
			return do(ctx, args)
		},
	}
}

func (a *app) within(ctx context.Context, follows bool) (context.Context, context.CancelFunc) {
	limit := a.timeout
	if limit == 0 && !follows {
		limit = 30 * time.Second
	}
	ctx = syncjob.WithReason(syncjob.WithActor(ctx, a.who()), a.reason)
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// who is the actor: the user, at this machine.
func (a *app) who() string {
	if a.actor != "" {
		return a.actor
	}
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}

// connect opens the store.
func (a *app) connect(ctx context.Context) error {
	if a.m != nil {
		return nil
	}
	if a.store == "" {
		return usageError{
			errors.New("which store? Set ROLLCALL_STORE or --store, for example to redis://localhost:6379"),
		}
	}
	m, err := syncjob.Open(ctx, a.store, syncjob.Config{Namespace: a.namespace})
	a.m = m
	return err
}

// sure asks before something that cannot be taken back. what says what would be touched.
func (a *app) sure(what string) error {
	if a.yes {
		return nil
	}
	if !terminal(a.in) {
		return usageError{fmt.Errorf("%s Say --yes, since nobody can be asked here", what)}
	}
	_, _ = fmt.Fprintf(a.err, "%s Go on? [y/N] ", what)
	answer, _ := bufio.NewReader(a.in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		_, _ = fmt.Fprintln(a.err, "Nothing was done.")
		return exit(codeError)
	}
	return nil
}

// terminal reports whether a stream is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many signs a line of the output has room for; 0 if it is not a terminal.
func (a *app) width() int {
	if f, ok := a.out.(*os.File); ok && a.columns == 0 {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return a.columns
}
