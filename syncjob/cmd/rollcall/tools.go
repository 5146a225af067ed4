package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// tools are the commands that are about the installation.
func (a *app) tools() []*cobra.Command {
	return []*cobra.Command{a.ui(), a.check(), a.doctor(), a.acl()}
}

func (a *app) ui() *cobra.Command {
	var listen, password string
	var readOnly, open, payloads bool
	c := a.command(
		"ui",
		"Serve the dashboard, by default on this machine only",
		cobra.NoArgs,
		true,
		func(ctx context.Context, _ []string) error {
			password = os.Getenv("ROLLCALL_UI_PASSWORD")
			host, _, err := net.SplitHostPort(listen)
			if err != nil {
				return usageError{fmt.Errorf("--listen needs HOST:PORT: %w", err)}
			}
			if !loopback(host) && password == "" && !open {
				return usageError{
					errors.New("other machines could reach this address: set ROLLCALL_UI_PASSWORD, or say --open"),
				}
			}
			options := dashboard.Options{
				Title: "Rollcall " + a.namespace,
				Actor: func(*http.Request) string { return a.who() + " (ui)" },
			}
			if !readOnly {
				options.Authorize = func(*http.Request, dashboard.Action) error { return nil }
			}
			if payloads {
				options.Payload = dashboard.ShowPayloads
			}
			handler := guard(dashboard.New(a.m, options), password, loopback(host))
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
			if err != nil {
				return err
			}
			server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
			context.AfterFunc(ctx, func() { _ = server.Close() })
			a.say("look at http://%s/", listener.Addr().String())
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
	)
	f := c.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8079", "`address` to listen on")
	f.BoolVar(&readOnly, "read-only", false, "only show")
	f.BoolVar(&open, "open", false, "let everybody who reaches the address do everything")
	f.BoolVar(&payloads, "payloads", false, "show arguments, results and headers")
	return c
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guard asks for the password, if there is one. Where only this machine may come in, it refuses
// other names for this machine: else a page of another site could reach it by a name of its own.
func guard(next http.Handler, password string, local bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			host = name
		}
		if local && !loopback(strings.Trim(host, "[]")) {
			http.Error(w, "this address is for this machine only", http.StatusMisdirectedRequest)
			return
		}
		if _, given, _ := r.BasicAuth(); password != "" &&
			subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="rollcall"`)
			http.Error(w, "the password is wrong", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// The exit codes of check are those of monitoring plugins.
const (
	checkWarning  = 1
	checkCritical = 2
	checkUnknown  = 3
)

// limits are what check compares with; zero means that it does not look.
type limits struct {
	wait, late time.Duration
	failed     int64
	workers    int
}

// checked is what check prints as JSON.
type checked struct {
	State    string        `json:"state"` // OK, WARNING, CRITICAL or UNKNOWN
	Problems []string      `json:"problems,omitempty"`
	Figures  *checkFigures `json:"figures,omitempty"`
}

// checkFigures are those that monitoring systems keep.
type checkFigures struct {
	Workers int     `json:"workers"`
	Waiting int64   `json:"waiting"`
	Oldest  float64 `json:"oldest_s"` // how long the first task waits
	Failed  int64   `json:"failed"`   // of active runs
}

// String writes them as plugins of monitoring systems do.
func (f *checkFigures) String() string {
	if f == nil {
		return ""
	}
	return fmt.Sprintf(" | workers=%d waiting=%d oldest=%.0fs failed=%d", f.Workers, f.Waiting, f.Oldest, f.Failed)
}

func (a *app) check() *cobra.Command {
	var l limits
	c := a.command("check", "Say in one line whether all is well; for monitoring systems", cobra.NoArgs, false, nil)
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := a.within(c.Context(), false)
		defer cancel()
		code, problems, figures := checkUnknown, []string(nil), (*checkFigures)(nil)
		err := a.connect(ctx)
		if err == nil {
			code, problems, figures, err = l.look(ctx, a.m)
		}
		if err != nil {
			code, problems = checkUnknown, []string{err.Error()}
		}
		word := []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[code]
		text := strings.Join(problems, "; ")
		if text == "" {
			text = "all is well"
		}
		if a.output == "table" {
			_, _ = fmt.Fprintf(a.out, "%s: %s%s\n", word, syncjob.Printable(text), figures)
		} else if err := one(a, checked{word, problems, figures}, nil); err != nil {
			return err
		}
		if code == 0 {
			return nil
		}
		return exit(code)
	}
	f := c.Flags()
	f.DurationVar(&l.wait, "max-wait", 5*time.Minute, "critical if a task has waited for longer; 0 does not look")
	f.DurationVar(&l.late, "max-late", time.Minute, "critical if a schedule is later than this; 0 does not look")
	f.Int64Var(
		&l.failed,
		"max-failed",
		0,
		"warn if active runs have more failed tasks than this in all; -1 does not look",
	)
	f.IntVar(&l.workers, "min-workers", 1, "critical if fewer workers are alive")
	return c
}

// look compares what there is with the limits.
func (l limits) look(
	ctx context.Context,
	m *syncjob.Manager,
) (code int, problems []string, figures *checkFigures, err error) {
	report := func(level int, format string, args ...any) {
		code = max(code, level)
		problems = append(problems, fmt.Sprintf(format, args...))
	}
	workers, err := m.Workers(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	if len(workers) < l.workers {
		report(checkCritical, "%s alive", many(len(workers), "worker"))
	}
	for _, w := range workers {
		if w.Overdue {
			report(checkWarning, "worker %s has not been heard from", w.Name)
		}
	}
	queues, err := m.Queues(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	waiting, oldest := int64(0), time.Duration(0)
	for _, q := range queues {
		waiting += q.Waiting
		if q.Unserved {
			report(checkCritical, "no worker serves queue %s", q.Name)
		}
		if q.Oldest.IsZero() {
			continue
		}
		age := time.Since(q.Oldest)
		oldest = max(oldest, age)
		if l.wait > 0 && age > l.wait {
			report(checkCritical, "a task of queue %s has waited for %s", q.Name, cell(age))
		}
	}
	failed := int64(0)
	for s, err := range m.Jobs(ctx, nil) {
		if err != nil {
			return 0, nil, nil, err
		}
		if s.Active() {
			failed += s.Run.Counts.Failed
		}
		if late := time.Since(s.NextDue); l.late > 0 && !s.NextDue.IsZero() && late > l.late && !s.Active() {
			report(checkCritical, "schedule %s is late by %s", s.Name, cell(late))
		}
		if s.Problem != "" {
			report(checkCritical, "schedule %s cannot be fired: %s", s.Name, s.Problem)
		}
	}
	if l.failed >= 0 && failed > l.failed {
		report(checkWarning, "%s of active runs failed", many(failed, "task"))
	}
	figures = &checkFigures{Workers: len(workers), Waiting: waiting, Oldest: oldest.Seconds(), Failed: failed}
	return code, problems, figures, nil
}

func (a *app) acl() *cobra.Command {
	return &cobra.Command{
		Use: "acl", Short: "Print the rights that a Redis user needs for the namespace", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			namespace := a.namespace
			if namespace == "" {
				namespace = syncjob.DefaultNamespace
			}
			rules := redisstore.ACLRules(namespace)
			if a.output != "table" {
				return one(a, rules, nil)
			}
			_, err := fmt.Fprintf(
				a.out,
				"ACL SETUSER rollcall on >PASSWORD %s\n",
				strings.Join(rules, " "),
			)
			return err
		},
	}
}
