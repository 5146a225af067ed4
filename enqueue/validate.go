package enqueue

import (
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
)

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
		problems = append(problems, invalid("At", "cannot be set together with Delay"))
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
	if err := store.JoinFields(encode.ValidateHeaders(o.Headers), o.overrides().Validate()); err != nil {
		problems = append(problems, err)
	}
	return store.JoinFields(problems...)
}

func (o *Options) overrides() encode.Overrides {
	return encode.Overrides{MaxRetries: o.MaxRetries, Timeout: o.Timeout}
}

func validateRun(run store.RunID) error {
	err := store.ValidateJobName(run.Job)
	if run.Number <= 0 {
		err = store.JoinFields(err, invalid("Number", "is not the number of a run"))
	}
	return err
}
