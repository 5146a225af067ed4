package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// place says where a task of the model is.
type place string

const (
	waiting  place = "waiting"
	awaiting place = "awaiting" // a time
	held     place = "held"
	ended    place = "ended"
)

// modelTask is a task of the model.
type modelTask struct {
	item      store.Item
	place     place
	due       time.Duration // while awaiting: when, on the model's clock
	verdict   string        // once ended: "succeeded", "failed" or "cancelled"
	recovered bool
	retry     int
	snoozes   int
	crashes   int
	staged    []store.Item // children of the current delivery
	asked     bool         // while held: its cancellation was requested
}

// is reports whether the task is one of the run's counted tasks in the place.
func (t *modelTask) is(p place) bool { return t.place == p && t.item.Route.Counted() }

// end takes the task out of the remaining tasks of the run.
func (t *modelTask) end(verdict string) { t.place, t.verdict = ended, verdict }
