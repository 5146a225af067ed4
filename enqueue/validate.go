package enqueue

import (
	"fmt"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store"
)

// MaxHeaderBytes bounds the keys and values of a task's headers together.
const MaxHeaderBytes = 8 << 10

func invalid(field, reason string) error {
	return &store.FieldError{Field: field, Reason: reason}
}

// validate reports every problem of the options.
func (o *Options) validate() error {
	var problems []error
	if o.Queue != "" {
		problems = append(problems, store.ValidateName("Queue", o.Queue))
	}
	if o.Delay < 0 {
		problems = append(problems, invalid("Delay", "is negative"))
	}
	if o.Delay != 0 && !o.At.IsZero() {
		problems = append(problems, invalid("At", "excludes Delay"))
	}
	problems = append(problems, store.ValidateTime("At", o.At))
	if o.ID != "" {
		problems = append(problems, store.ValidateTaskID(o.ID))
	}
	switch {
	case o.IDFor < 0:
		problems = append(problems, invalid("IDFor", "is negative"))
	case o.IDFor > 0 && o.ID == "":
		problems = append(problems, invalid("IDFor", "needs ID"))
	}
	if err := store.JoinFields(validateHeaders(o.Headers), o.overrides().validate()); err != nil {
		problems = append(problems, err)
	}
	return store.JoinFields(problems...)
}

func (o *Options) overrides() Overrides {
	return Overrides{MaxRetries: o.MaxRetries, Timeout: o.Timeout}
}

func (o Overrides) validate() error {
	var problems []error
	if o.MaxRetries < NoRetries {
		problems = append(problems, invalid("MaxRetries", "is negative and not NoRetries"))
	}
	if o.Timeout < NoTimeout {
		problems = append(problems, invalid("Timeout", "is negative and not NoTimeout"))
	}
	return store.JoinFields(problems...)
}

func validateHeaders(headers map[string]string) error {
	size := 0
	for key, value := range headers {
		switch {
		case key == "":
			return invalid("Headers", "holds an empty key")
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return invalid("Headers", "holds invalid UTF-8")
		}
		size += len(key) + len(value)
	}
	if size > MaxHeaderBytes {
		return invalid("Headers", fmt.Sprintf("holds %d bytes, over the limit of %d", size, MaxHeaderBytes))
	}
	return nil
}

func validateRun(run store.RunID) error {
	err := store.ValidateJobName(run.Job)
	if run.Number <= 0 {
		err = store.JoinFields(err, invalid("Number", "is not that of a run"))
	}
	return err
}
