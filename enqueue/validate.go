package enqueue

import (
	"time"

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
	problems = append(problems, store.ValidateTime("At", o.At), o.validateExpires())
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

// validateExpires refuses a task that would expire before it is due, by the clock of this process.
func (o *Options) validateExpires() error {
	expires := o.expires()
	switch {
	case expires.IsZero():
		return nil
	case !o.At.IsZero() && !expires.After(o.At):
		return invalid("Expires", "is not after At")
	case o.Delay > 0 && !expires.After(time.Now().Add(o.Delay)):
		return invalid("Expires", "is over before Delay is")
	}
	return store.ValidateTime("Expires", o.Expires)
}

// expires is Expires as stores keep it. All times before 1970 are past.
func (o *Options) expires() time.Time {
	if o.Expires.IsZero() {
		return o.Expires
	}
	return time.UnixMilli(max(1, o.Expires.UnixMilli())).UTC()
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
