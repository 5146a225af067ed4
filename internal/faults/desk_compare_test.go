package faults

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// compareAudit requires that each change is told once.
func (d *desk) compareAudit(ctx context.Context, run *syncjob.Run) error {
	told := make(map[actions.Action][]string)
	for e, err := range d.m.Audit(ctx, &syncjob.AuditOptions{Job: run.Job(), Run: run.Number()}) {
		if err != nil {
			return err
		}
		told[e.Action] = append(told[e.Action], e.Subject)
	}
	for action, of := range map[actions.Action][]chore{
		actions.Cancel:     chores(run.Job(), dropped, stuck),
		actions.Reschedule: chores(run.Job(), later),
	} {
		got := slices.Sorted(slices.Values(told[action]))
		if want := slices.Sorted(slices.Values(idsOf(of))); !slices.Equal(got, want) {
			return fmt.Errorf("the audit tells %s of %v, and not of %v", action, got, want)
		}
	}
	if !d.lossy && len(told[actions.Repeat]) != 1 {
		return fmt.Errorf("the audit tells %d times that the hook was repeated", len(told[actions.Repeat]))
	}
	if len(told[actions.Retry]) == 0 && !d.lossy || len(told[actions.Discard]) == 0 {
		return fmt.Errorf("the audit tells only %v", told)
	}
	return nil
}

// compareTimeline requires that the timeline begins with the begin, ends with the end, and tells of
// what was between.
func (d *desk) compareTimeline(ctx context.Context, run *syncjob.Run) error {
	all, err := run.Timeline(ctx)
	if err != nil {
		return err
	}
	var what []states.Moment
	for i, e := range all {
		what = append(what, e.What)
		if i > 0 && e.At.Before(all[i-1].At) {
			return fmt.Errorf("the timeline goes back from %v to %v", all[i-1], e)
		}
	}
	tells := func(a actions.Action) bool { return slices.Contains(what, states.Moment(a)) }
	between := (d.lossy || tells(actions.Retry)) && tells(actions.Discard)
	if !between || what[0] != states.MomentCreated || what[len(what)-1] != states.MomentEnded {
		return fmt.Errorf("the timeline tells %v", what)
	}
	return nil
}
