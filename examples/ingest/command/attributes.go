package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// attributes are flags about attempts of tasks. Those that are not given change nothing.
type attributes struct {
	retries        *int
	timeout, delay *time.Duration
	script         *string
}

// register adds the flags. Only a program whose set takes scripts has one for them.
func (a *attributes) register(fs *flag.FlagSet, program mirror.Config) {
	if program.NewSet != nil {
		fs.Func("event-handler", "a `file` with a script that decides and acts for the tasks of the job", a.read)
	}
	fs.Func("retries", "try a task that failed `N` times again (default 3)", func(text string) error {
		n, err := strconv.Atoi(text)
		a.retries = &n
		return err
	})
	duration := func(to **time.Duration) func(string) error {
		return func(text string) error {
			d, err := time.ParseDuration(text)
			*to = &d
			return err
		}
	}
	fs.Func("timeout", "end an attempt of a task after this `time`; 0 is never (default 0)", duration(&a.timeout))
	fs.Func("delay", "wait this `time` before the first retry, and twice as long before each other one,\n"+
		"up to a minute (default 500ms)", duration(&a.delay))
}

// read reads the script.
func (a *attributes) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, handlers.MaxScript+1)) // what is longer is refused later
	script := string(text)
	a.script = &script
	return err
}

// given reports whether there is one.
func (a *attributes) given() bool {
	return a.retries != nil || a.timeout != nil || a.delay != nil || a.script != nil
}

// inputError turns an error about the script into one about its flag.
func (a *attributes) inputError(err error) error {
	var fe *syncjob.FieldError
	if a.script != nil && errors.As(err, &fe) && strings.HasSuffix(fe.Field, "Set.Script") {
		return &usageError{Flag: "event-handler", Reason: fe.Reason}
	}
	return err
}

func (a *attributes) validate() error {
	var problems []error
	if a.retries != nil && *a.retries < 0 {
		problems = append(problems, &usageError{Flag: "retries", Reason: "is negative"})
	}
	for name, d := range map[string]*time.Duration{"timeout": a.timeout, "delay": a.delay} {
		if d != nil && (*d < 0 || *d > 0 && *d < time.Millisecond) {
			reason := fmt.Sprintf("is not 0 or at least %v", time.Millisecond)
			problems = append(problems, &usageError{Flag: name, Reason: reason})
		}
	}
	return errors.Join(problems...)
}

// apply sets the attributes that are given.
func (a *attributes) apply(to *handlers.Attributes) {
	if a.script != nil {
		to.Script = *a.script
	}
	if a.retries != nil {
		if to.MaxRetries = *a.retries; *a.retries == 0 {
			to.MaxRetries = handlers.NoRetries
		}
	}
	if a.timeout != nil {
		if to.Timeout = *a.timeout; *a.timeout == 0 {
			to.Timeout = handlers.NoTimeout
		}
	}
	if a.delay != nil {
		to.Backoff = handlers.Exponential{First: *a.delay, Cap: max(*a.delay, time.Minute)}
		if *a.delay == 0 {
			to.Backoff.First = handlers.NoDelay
		}
	}
}
