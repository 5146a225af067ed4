package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// twinForm writes an answer without what may differ between stores: numbers of runs are those in
// the order in which they began, times are there or not, and lists without an order are sorted.
type twinForm struct {
	strings.Builder
	runs   []store.RunID
	method string
}

// unlike are fields whose values are a store's own.
var unlike = map[string]bool{
	"SemaphoreHolder.Slot": true, "Lease.Index": true, "SemaphoreHolder.Fence": true, "SemaphoreReply.Place": true, "SemaphoreReply.Next": true,
	"AuditLine.Number": true, "AuditLine.Run": true,
	"ReadReply.Cursor": true, "JobPage.Next": true, "FetchReply.Short": true, "FetchReply.NextDue": true,
	"FetchReply.Drained":     true,
	"HeartbeatReply.NextDue": true, "HeartbeatReply.SweepDue": true, "PromoteReply.Next": true, "PromoteReply.More": true,
	"SweepReply.More": true, "SweepReply.Purged": true, "SessionRecord.Overdue": true, "LaneRecord.Oldest": true,
	"QueueRecord.Oldest": true, "Task.Enqueued": true, "Task.Ready": true,
	"DrawReply.Next": true, "DrawReply.Until": true, "ReadReply.Looked": true,
	"ChangeTaskReply.Next": true, "ResultsReply.Next": true, "TaskResult.Place": true,
	"TasksReply.Next": true, "RunPage.Next": true, "JobPage.Behind": true, "RunEntry.Place": true, "TaskRecord.Cursor": true, "Attempt.Took": true,
	"Damage.Detail": true, "Inspection.Stable": true, "RepairReport.Moving": true,
}

func (n *twinForm) add(format string, args ...any) { n.WriteString(fmt.Sprintf(format, args...)) }

func (n *twinForm) write(v reflect.Value) {
	if n.method == "QueueStats" && v.Type() != errorType {
		return // it may miss what moves
	}
	if v.Type().Implements(errorType) || v.Type() == errorType {
		n.WriteString(errorForm(v))
		return
	}
	switch v.Type() {
	case runType:
		id := v.Interface().(store.RunID)
		n.add("%q#%s", id.Job, n.number(id.Number))
		return
	case timeType:
		n.add("%t", v.Interface().(time.Time).IsZero())
		return
	}
	if in, ok := v.Interface().(store.Inspection); ok &&
		(in.Run.Status.Final() || in.Run.Status == statuses.Stopping) {
		v = reflect.ValueOf(store.Inspection{Run: in.Run}) // what is left in its sets goes with a sweep
	}
	switch v.Kind() {
	case reflect.Struct:
		n.writeFields(v)
	case reflect.Slice:
		n.writeList(v)
	case reflect.Map:
		lines := make([]string, 0, v.Len())
		for _, key := range v.MapKeys() {
			lines = append(lines, fmt.Sprintf("%v=%v", key, v.MapIndex(key)))
		}
		slices.Sort(lines)
		n.add("%v", lines)
	case reflect.Pointer:
		if v.IsNil() {
			n.WriteString("nil")
			return
		}
		n.write(v.Elem())
	default:
		n.add("%v", v)
	}
}

func (n *twinForm) writeFields(v reflect.Value) {
	n.WriteByte('{')
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch name := v.Type().Name() + "." + field.Name; {
		case unlike[name]:
		case strings.HasSuffix(name, ".Configured"), name == "FetchReply.Pauses", name == "HeartbeatReply.Pauses",
			name == "PauseSet.Version": // a mark of the store's own
			n.add("%s:%t ", field.Name, v.Field(i).Int() != 0)
		case name == "JobRecord.LastRun", name == "RunRecord.RedriveOf", name == "Damage.Run":
			n.add("%s:#%s ", field.Name, n.number(v.Field(i).Int()))
		default:
			n.WriteString(field.Name + ":")
			n.write(v.Field(i))
			n.WriteByte(' ')
		}
	}
	n.WriteByte('}')
}

// ordered are lists whose order is said by the contract, or by the call.
var ordered = map[string]bool{
	"EnqueueResult": true,
	"WriteResult":   true,
	"error":         true,
	"Failure":       true,
	"TaskResult":    true,
	"Datum":         true,
	"int64":         true,
}

func (n *twinForm) writeList(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		n.add("%q", v.Bytes())
		return
	}
	lines := make([]string, 0, v.Len())
	for i := range v.Len() {
		if l, ok := v.Index(i).Interface().(store.LaneRecord); ok && l.Waiting+l.Recovered+l.Staged+l.Delayed == 0 {
			continue // a store may list it, or not
		}
		part := &twinForm{runs: n.runs, method: n.method}
		if v.Type().Elem().Kind() == reflect.Int64 && n.method == "JobRuns" {
			part.WriteString("#" + n.number(v.Index(i).Int()))
		} else {
			part.write(v.Index(i))
		}
		lines = append(lines, part.String())
	}
	if !ordered[v.Type().Elem().Name()] {
		slices.Sort(lines)
	}
	n.WriteString("[" + strings.Join(lines, ", ") + "]")
}

// number says which run it is, if it is one.
func (n *twinForm) number(number int64) string {
	for i, id := range n.runs {
		if id.Number == number {
			return fmt.Sprint("run", i)
		}
	}
	return fmt.Sprint(number)
}

// kinds of errors that callers tell apart.
var kinds = []error{
	store.ErrInvalid, store.ErrJobNotFound, store.ErrRunNotFound, store.ErrJobExists, store.ErrJobDisabled, store.ErrJobStopped,
	store.ErrRunFinished, store.ErrRunActive, store.ErrConflict, store.ErrLeaseLost, store.ErrHoldLost, store.ErrChildrenLost,
	store.ErrResultUnknown, store.ErrStale, store.ErrOutOfMemory, store.ErrWrongType, store.ErrTooManyValues,
	store.ErrTooManyPauses,
	store.ErrOutOfRange, store.ErrUnavailable, store.ErrCorrupt, store.ErrStateLost, store.ErrClosed,
}

// errorForm says the kinds of an error, and the fields that it names.
func errorForm(v reflect.Value) string {
	err, _ := v.Interface().(error)
	if err == nil {
		return "<nil>"
	}
	var form []string
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			form = append(form, kind.Error())
		}
	}
	if len(form) == 0 {
		return "unknown error: " + err.Error()
	}
	form = append(form, fieldsOf(err)...)
	return strings.Join(form, ", ")
}

// fieldsOf lists the fields that an error names.
func fieldsOf(err error) (fields []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			fields = append(fields, fieldsOf(err)...)
		}
		slices.Sort(fields)
		return fields
	}
	if bad := (*store.FieldError)(nil); errors.As(err, &bad) {
		return []string{bad.Error()}
	}
	return nil
}
