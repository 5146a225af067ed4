package redisstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Places that one round trip reads.
const (
	maxPlaces       = 64 // lists and sorted sets
	maxListSessions = 32
)

// minSought is how many tasks a page looks at that seeks one: so many take a script 2 ms.
const minSought = 4000

// Tasks implements [store.Runs].
func (s *Store) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	l, err := s.listing(ctx, &p)
	if err != nil {
		return store.TasksReply{}, err
	}
	if err := l.walk(ctx); err != nil {
		return store.TasksReply{}, err
	}
	if !l.Found(len(l.reply.Tasks)) {
		l.reply.Next = l.at.String()
	}
	return l.reply, nil
}

// listing begins a page.
func (s *Store) listing(ctx context.Context, p *store.TasksParams) (*listing, error) {
	at, err := tasklist.Parse(p.Cursor)
	if err != nil {
		return nil, err
	}
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	l := &listing{
		Store: s,
		space: s.space(p.Run.Job),
		run:   format.RunID(p.Run.Number),
		at:    at,
		left:  p.Limit,
		bytes: bounds.PageBytes,
	}
	if p.ID != "" {
		l.left = max(l.left, minSought)
	}
	return l, l.begin(ctx, p)
}

// listing is one page of tasks as it fills. Each place is read from its back to its front: what
// leaves at the front moves nothing, and what comes at the back is at worst read twice.
type listing struct {
	*Store
	tasklist.Filter
	space *format.Keyspace
	run   string
	root  rootTask
	at    tasklist.Cursor // behind what was looked at
	left  int             // tasks that may still be looked at
	bytes int             // likewise
	reply store.TasksReply
	guess guess // about the task with the ID

	change *taskChange // what becomes of the task with the ID; nil if it is only listed
}

// rootTask is the root of a run whose pre-job hook has not passed.
type rootTask struct {
	route, message, when string
}

// begin reads what of the run says where its tasks are.
func (l *listing) begin(ctx context.Context, p *store.TasksParams) error {
	b := l.client.B
	cmds := rueidis.Commands{
		b().Hmget().
			Key(l.space.Run(l.run)).
			Field("job", "state", "paused", "routes", "root", "rootwhen", "pending").
			Build(),
		b().Hgetall().Key(l.space.Pauses).Build(),
	}
	if p.ID != "" {
		digest, bucket := format.Digest(p.ID)
		cmds = append(cmds, b().Zscore().Key(l.space.IDs(l.run, bucket)).Member(digest).Build())
	}
	replies := l.client.DoMulti(ctx, cmds...)
	v, err := replies[0].ToArray()
	if err != nil {
		return l.server.Translate(ctx, "read a run", err)
	}
	paused, err := replies[1].AsStrMap()
	if err = script.Empty(l.server.Translate(ctx, "read what is paused", err)); err != nil {
		return err
	}
	if script.Text(v[0]) != p.Run.Job {
		return store.ErrRunNotFound
	}
	meta := format.ParseMeta(p.Run.Job, script.Text(v[3]))
	pauses := format.ParsePauses(paused)
	l.Filter = tasklist.NewFilter(p, l.estimate(), statuses.Status(script.Text(v[1])), !v[2].IsNil(), &pauses)
	l.root = rootTask{meta.Root, script.Text(v[4]), script.Text(v[5])}
	if p.ID == "" {
		return nil
	}
	score, err := replies[2].AsFloat64()
	if err != nil && !rueidis.IsRedisNil(err) {
		if err = l.server.Translate(ctx, "read a claim", err); !errors.Is(err, store.ErrCorrupt) {
			return err
		}
	}
	l.guess = guessOf(p, score, !errors.Is(err, store.ErrCorrupt), script.Number(v[6]))
	return nil
}

// walk looks at one source after the other until the page is full. To change a task it looks at one
// source: a call that is repeated should not have many replies to lose.
func (l *listing) walk(ctx context.Context) error {
	if begins := l.at == (tasklist.Cursor{Source: tasklist.Held}); begins && !l.guess.at.IsZero() {
		if err := l.near(ctx); err != nil || l.full() {
			return err
		}
	}
	for looked := false; l.at.Source < tasklist.End && !(looked && l.change != nil); {
		if l.Source(l.at.Source) && !l.guess.excludes(l.at.Source) {
			if ended, err := l.source(ctx); err != nil || !ended {
				return err
			}
			looked = true
		}
		l.at = tasklist.Cursor{Source: l.at.Source + 1}
	}
	return nil
}

// source looks at the places of a source, from the cursor on. It reports whether it came to its
// end.
func (l *listing) source(ctx context.Context) (ended bool, err error) {
	switch l.at.Source {
	case tasklist.Held:
		return l.sessions(ctx)
	case tasklist.Root:
		return l.readRoot(ctx)
	case tasklist.Delayed:
		return l.lanes(ctx, l.space.Delayed)
	case tasklist.Recovered:
		return l.lanes(ctx, l.space.Recovered)
	case tasklist.Waiting:
		return l.lanes(ctx, l.space.Waiting)
	case tasklist.Staged:
		return l.staged(ctx)
	}
	return l.failures(ctx)
}

func (l *listing) full() bool {
	return l.left <= 0 || l.bytes <= 0 || l.change.done() || l.Found(len(l.reply.Tasks))
}

// add adds the task of a message, if it is selected, to the page. The cursor stands behind it.
func (l *listing) add(route store.Route, message string, due time.Time) *store.TaskRecord {
	task, err := format.DecodeTask(message)
	if err != nil {
		task = store.Task{Headers: map[string]string{store.HeaderCorrupt: err.Error()}}
	}
	if !l.Filter.Task(l.at.Source, route, &task) {
		return nil
	}
	if !l.Payload {
		task.Payload = nil
	}
	l.reply.Tasks = append(l.reply.Tasks, store.TaskRecord{
		Route: route, Status: l.StatusOf(l.at.Source, route, &task), Task: task, Due: due, Cursor: l.at.String(),
	})
	return &l.reply.Tasks[len(l.reply.Tasks)-1]
}

// readRoot looks at the root task that waits in the run itself.
func (l *listing) readRoot(ctx context.Context) (ended bool, err error) {
	route, ok := format.ParseRoute(l.root.route)
	if l.root.message == "" || !ok || !l.Route(tasklist.Root, route) || l.at.At > 0 {
		return true, nil
	}
	if l.full() {
		return false, nil
	}
	l.at.At = 1
	l.left, l.bytes = l.left-1, l.bytes-len(l.root.message)
	due := format.ParseMillis(l.root.when)
	if strings.HasPrefix(l.root.when, "+") {
		ms, _ := format.ParseInt(l.root.when[1:])
		due = l.estimate().Add(format.Duration(ms))
	}
	if rec := l.add(route, l.root.message, due); rec != nil && l.change != nil {
		return l.changeAt(ctx, "r", l.space.Run(l.run), "")
	}
	return true, nil
}
