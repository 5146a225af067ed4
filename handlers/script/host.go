package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"go.starlark.net/starlark"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

// caller is for whom a function of a script runs.
type caller struct {
	language *language
	attempt  *handlers.Attempt // nil for hooks of a job
	run      *handlers.Run     // nil for tasks
	effects  bool              // the handler runs, so it can enqueue and count
	events   bool              // it is a whole handler
}

// function is a function of the host. Its error ends the call of the script.
type function func(
	c *caller, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple,
) (starlark.Value, error)

// callSteps is what each call of the host costs.
const callSteps = 50

// builtins are the functions of the host, by name.
var builtins = func() starlark.StringDict {
	all := make(starlark.StringDict)
	for name, fn := range map[string]function{
		"log":         logLine,
		"params":      params,
		"counter":     counter,
		"enqueue":     enqueueTask,
		"event":       fireEvent,
		"permanent":   permanent,
		"retry_after": retryAfter,
		"snooze":      snooze,
		"cancel_job":  cancelJob,
		"skip_run":    skipRun,
	} {
		all[name] = starlark.NewBuiltin(name, func(
			thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
		) (starlark.Value, error) {
			c, ok := sandbox.HostOf(thread).(*caller)
			if !ok {
				return nil, fmt.Errorf("%s cannot be called at the top level", name)
			}
			if err := sandbox.Spend(thread, callSteps); err != nil {
				return nil, err
			}
			return fn(c, thread, args, kwargs)
		})
	}
	return all
}()

// maxText is how many bytes of a text a log line or an error has.
const maxText = 1 << 10

// logLine is log(text, level = "info", **attributes).
func logLine(c *caller, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	message, level := "", "info"
	attrs := []any{"text", nil}
	for _, pair := range kwargs {
		name := string(pair[0].(starlark.String))
		if name == "level" {
			level, _ = starlark.AsString(pair[1])
			continue
		}
		if err := sandbox.Charge(thread, 4, pair[1]); err != nil {
			return nil, err
		}
		v, err := toGo(pair[1])
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, name, v)
	}
	if err := starlark.UnpackPositionalArgs("log", args, nil, 1, &message); err != nil {
		return nil, err
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log: %.20q is not debug, info, warn or error", level)
	}
	attrs[1] = message[:min(len(message), maxText)]
	c.log().Log(sandbox.ContextOf(thread), l, logScript, attrs...)
	return starlark.None, nil
}

// logScript is the message of lines that scripts log.
const logScript = "script"

func (c *caller) log() *slog.Logger {
	if c.run != nil {
		return c.run.Log()
	}
	return c.attempt.Log()
}

// params is params().
func params(c *caller, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs("params", args, kwargs); err != nil {
		return nil, err
	}
	decode := c.run.DecodeParams
	if c.attempt != nil {
		decode = c.attempt.DecodeParams
	}
	document := rawJSON("{}") // if there are none
	if err := decode(&document); err != nil {
		return nil, err
	}
	if err := sandbox.Spend(thread, uint64(len(document))); err != nil {
		return nil, err
	}
	return fromJSON(document)
}

var errNoEffects = errors.New("can only be called while the handler of a task runs")

// counter is counter(name, n = 1).
func counter(c *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var name string
	n := starlark.MakeInt(1)
	if err := starlark.UnpackArgs("counter", args, kwargs, "name", &name, "n?", &n); err != nil {
		return nil, err
	}
	if !c.effects {
		return nil, fmt.Errorf("counter %w", errNoEffects)
	}
	declared, ok := c.language.counters[name]
	if !ok {
		return nil, fmt.Errorf("counter: %.80q is not one of the counters of the set", name)
	}
	by, ok := n.Int64()
	if !ok {
		return nil, errors.New("counter: n is not within 64 bits")
	}
	declared.Add(c.attempt, by)
	return starlark.None, nil
}

// raw is a task whose arguments are JSON already.
type raw struct {
	kind string
	args json.RawMessage
}

func (r raw) Kind() string { return r.kind }

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) { return r.args, nil }

// enqueueTask is enqueue(kind, args = None, id = "", queue = "", delay = 0).
func enqueueTask(
	c *caller, thread *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple,
) (starlark.Value, error) {
	var (
		r            raw
		opts         enqueue.Options
		given, delay starlark.Value = starlark.None, starlark.None
	)
	err := starlark.UnpackArgs(
		"enqueue",
		args,
		kwargs,
		"kind",
		&r.kind,
		"args?",
		&given,
		"id?",
		&opts.ID,
		"queue?",
		&opts.Queue,
		"delay?",
		&delay,
	)
	if err != nil {
		return nil, err
	}
	if !c.effects {
		return nil, fmt.Errorf("enqueue %w", errNoEffects)
	}
	if delay != starlark.None {
		if opts.Delay, err = seconds(delay); err != nil {
			return nil, fmt.Errorf("enqueue: delay: %w", err)
		}
	}
	if err := sandbox.Charge(thread, 8, given); err != nil {
		return nil, err
	}
	plain, err := toGo(given)
	if err == nil {
		r.args, err = json.Marshal(plain)
	}
	if err != nil {
		return nil, fmt.Errorf("enqueue: args: %w", err)
	}
	receipt, err := c.attempt.Enqueue(sandbox.ContextOf(thread), r, &opts)
	if err != nil {
		return nil, err
	}
	return starlark.String(receipt.ID), nil
}

// fireEvent is event(name, function).
func fireEvent(
	c *caller,
	thread *starlark.Thread,
	args starlark.Tuple,
	kwargs []starlark.Tuple,
) (starlark.Value, error) {
	var name string
	var fn starlark.Callable
	if err := starlark.UnpackArgs("event", args, kwargs, "name", &name, "function", &fn); err != nil {
		return nil, err
	}
	if !c.events {
		return nil, errors.New("event can only be called by a handler of a kind")
	}
	var result starlark.Value
	err := c.attempt.Event(sandbox.ContextOf(thread), name, func(context.Context) (err error) {
		result, err = starlark.Call(thread, fn, nil, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// reason reads the arguments of a verdict that has a text.
func reason(name string, args starlark.Tuple, kwargs []starlark.Tuple) (error, error) {
	text := ""
	if err := starlark.UnpackArgs(name, args, kwargs, "reason?", &text); err != nil {
		return nil, err
	}
	return errors.New(text[:min(len(text), maxText)]), nil
}

func permanent(_ *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	why, err := reason("permanent", args, kwargs)
	if err != nil {
		return nil, err
	}
	return nil, handlers.Permanent(why)
}

func cancelJob(_ *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	why, err := reason("cancel_job", args, kwargs)
	if err != nil {
		return nil, err
	}
	return nil, handlers.CancelJob(why)
}

func skipRun(_ *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	why, err := reason("skip_run", args, kwargs)
	if err != nil {
		return nil, err
	}
	return nil, handlers.SkipRun(why.Error())
}

// retryAfter is retry_after(seconds, reason = "").
func retryAfter(_ *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var delay starlark.Value
	text := ""
	if err := starlark.UnpackArgs("retry_after", args, kwargs, "seconds", &delay, "reason?", &text); err != nil {
		return nil, err
	}
	d, err := seconds(delay)
	if err != nil {
		return nil, fmt.Errorf("retry_after: %w", err)
	}
	return nil, handlers.RetryAfter(d, errors.New(text[:min(len(text), maxText)]))
}

// snooze is snooze(seconds).
func snooze(_ *caller, _ *starlark.Thread, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var delay starlark.Value
	if err := starlark.UnpackArgs("snooze", args, kwargs, "seconds", &delay); err != nil {
		return nil, err
	}
	d, err := seconds(delay)
	if err != nil {
		return nil, fmt.Errorf("snooze: %w", err)
	}
	return nil, handlers.Snooze(d)
}
