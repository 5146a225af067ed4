package handlers

import (
	"encoding/json"

	"github.com/rollcall-go/rollcall/store"
)

// given holds the attributes that a JSON document has, zero or not.
type given struct {
	Queue            *string       `json:"queue"`
	MaxRetries       *float64      `json:"max_retries"`
	Timeout          *float64      `json:"timeout"`
	Backoff          *givenBackoff `json:"backoff"`
	MaxDeliveries    *float64      `json:"max_deliveries"`
	MaxSnoozes       *float64      `json:"max_snoozes"`
	MaxRunning       *float64      `json:"max_running"`
	MaxRunningPerJob *float64      `json:"max_running_per_job"`
	Rate             *givenRate    `json:"rate"`
	ResultRetention  *givenResults `json:"result_retention"`
	Weight           *float64      `json:"weight"`
	Script           *string       `json:"script"`
}

type givenBackoff struct {
	First  *float64 `json:"first"`
	Factor *float64 `json:"factor"`
	Jitter *float64 `json:"jitter"`
	Cap    *float64 `json:"cap"`
}

type givenResults struct {
	Age    *float64 `json:"age"`
	Number *float64 `json:"number"`
}

type givenRate struct {
	Events *float64 `json:"events"`
	Per    *float64 `json:"per"`
	Burst  *float64 `json:"burst"`
}

// refuseZeros reports the fields of a JSON document that are present and zero or empty. In code
// such a field would inherit.
func refuseZeros(b []byte) error {
	var g given
	if err := json.Unmarshal(b, &g); err != nil {
		return err
	}
	var problems []error
	refuse := func(field string, number *float64, none string) {
		if number != nil && *number == 0 {
			problems = append(problems, &store.FieldError{Field: field, Reason: "is 0: leave it out to inherit" + none})
		}
	}
	if g.Queue != nil && *g.Queue == "" {
		problems = append(problems, &store.FieldError{Field: "Queue", Reason: "is empty: leave it out to inherit"})
	}
	if g.Script != nil && *g.Script == "" {
		problems = append(problems, &store.FieldError{Field: "Script", Reason: "is empty: leave it out to inherit"})
	}
	refuse("MaxRetries", g.MaxRetries, ", or write -1 for no retries")
	refuse("Timeout", g.Timeout, ", or write -1 for no timeout")
	refuse("MaxDeliveries", g.MaxDeliveries, "")
	refuse("MaxSnoozes", g.MaxSnoozes, "")
	refuse("MaxRunning", g.MaxRunning, ", or write -1 for no limit")
	refuse("MaxRunningPerJob", g.MaxRunningPerJob, ", or write -1 for no limit")
	refuse("Weight", g.Weight, "")
	if backoff := g.Backoff; backoff != nil {
		refuse("Backoff.First", backoff.First, ", or write -1 for no delay")
		refuse("Backoff.Factor", backoff.Factor, "")
		refuse("Backoff.Jitter", backoff.Jitter, ", or write -1 for no jitter")
		refuse("Backoff.Cap", backoff.Cap, "")
	}
	if rate := g.Rate; rate != nil {
		refuse("Rate.Events", rate.Events, ", or write -1 for no limit")
		refuse("Rate.Per", rate.Per, "")
		refuse("Rate.Burst", rate.Burst, "")
	}
	if results := g.ResultRetention; results != nil {
		refuse("ResultRetention.Age", results.Age, ", or write -1 for no results")
		refuse("ResultRetention.Number", results.Number, "")
	}
	return store.JoinFields(problems...)
}
