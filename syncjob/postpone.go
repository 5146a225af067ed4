package syncjob

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// ErrDueUnknown is returned by [Manager.NextRuns] when the due times of a job cannot be computed:
// the machine does not know its time zone, or a newer version of this package declared the job. The
// text says which. If a worker has the problem, see Problem of [states.Job].
var ErrDueUnknown = errors.New("its due times cannot be computed")

// problems remembers why jobs cannot be fired. It prevents repeated log records.
type problems struct {
	mu   sync.Mutex
	told map[string]problem // by job
}

// problem says why one definition of a job cannot be fired.
type problem struct {
	changes int64
	reason  string
}

// news stores a problem, and reports whether it differs from the last one of the job.
func (p *problems) news(job string, now problem) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told[job] == now {
		return false
	}
	if p.told == nil {
		p.told = make(map[string]problem)
	}
	p.told[job] = now
	return true
}

// solved forgets the problem of a job, if there is one.
func (p *problems) solved(job string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.told, job)
}

// Fire fires the jobs that Promote returned. A job that cannot be fired is postponed, with the
// reason. The reason is logged once; it is logged again if the definition or the reason changes, or
// if the job was fired in between. If the store does not answer, the job is not postponed: Promote
// returns it again.
func (f *firing) Fire(ctx context.Context, jobs []string) {
	for _, job := range jobs {
		changes, err := f.fire(ctx, job)
		switch {
		case err == nil:
			f.problems.solved(job)
			continue
		case ctx.Err() != nil:
			return
		case f.problems.news(job, problem{changes, err.Error()}):
			f.journal.log.WarnContext(ctx, events.JobNotFired, "partition", f.partition, "job", job, "error", err)
		}
		if !errors.Is(err, ErrUnavailable) {
			f.postpone(ctx, job, err)
		}
	}
}

// postpone makes Promote return a job later. If that fails, Promote returns it soon.
func (f *firing) postpone(ctx context.Context, job string, why error) {
	reason := strings.ToValidUTF8(fmt.Sprintf("worker %q: %v", f.journal.worker, why), "\uFFFD")
	if len(reason) > bounds.MaxProblemLen {
		reason = strings.ToValidUTF8(reason[:bounds.MaxProblemLen], "")
	}
	err := f.m.store.PostponeJob(ctx, store.PostponeParams{Job: job, Problem: reason})
	if err != nil && !errors.Is(err, ErrJobNotFound) && ctx.Err() == nil {
		f.journal.log.WarnContext(
			ctx, "cannot postpone a periodic job", "partition", f.partition, "job", job, "error", err,
		)
	}
}
