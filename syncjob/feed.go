package syncjob

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
)

// TopicType says what a topic is about.
type TopicType string

// The types of topics, each with what to read again.
const (
	// TopicResync means that changes may have been missed: read everything again.
	TopicResync TopicType = "resync"
	// TopicJob is about the job Topic.Job itself: it was declared, changed, stopped, enabled or
	// removed, its next due time changed, or it has one run more or less. What its runs do is
	// [TopicRun].
	TopicJob TopicType = "job"
	// TopicRun is about the state, the counts, the configuration or the progress of the run with the
	// number Topic.Run. Queues grow and shrink with the counts of their runs.
	TopicRun TopicType = "run"
	// TopicQueue means that tasks came to Topic.Queue where workers had none to fetch.
	TopicQueue TopicType = "queue"
	// TopicWorkers means that a worker started, ended or was lost. It may have published its sets.
	TopicWorkers TopicType = "workers"
	// TopicPauses means that something was paused or resumed, or that the mode changed.
	TopicPauses TopicType = "pauses"
	// TopicConfiguration means that the configuration of a set changed.
	TopicConfiguration TopicType = "configuration"
)

// Topic says what has changed. It does not say how: read it again. Topics can be compared.
type Topic struct {
	Type  TopicType `json:"type"`
	Job   string    `json:"job,omitempty"`   // of [TopicJob]
	Run   int64     `json:"run,omitempty"`   // of [TopicRun]
	Queue string    `json:"queue,omitempty"` // of [TopicQueue]
	// Partition is the partition of the store in which it changed; 0 for [TopicResync]. The number of
	// a run is unique in its partition.
	Partition int `json:"partition"`
}

// IsAbout reports whether the state of the run may have changed: the topic is about this run, or is
// [TopicResync].
func (t Topic) IsAbout(r *Run) bool {
	return t.Type == TopicResync ||
		t.Type == TopicRun && t.Run == r.id.Number && t.Partition == store.PartitionOf(r.id.Job, r.m.store.Partitions())
}

const (
	// maxTopics is how many topics wait for a slow watcher. One [TopicResync] replaces more.
	maxTopics = 1024
	// feedGap is the shortest time between two looks at what has changed.
	feedGap = 50 * time.Millisecond
)

// Watch yields what changes in the namespace, in any process: topics, not states. The first topic
// is [TopicResync]: whoever reads everything then, and after each topic what it is about, has seen
// the last state of everything.
//
// Each change is followed by a topic about it, or by [TopicResync] where signals of the store may
// have been lost: after a lost connection, or if more than 1,024 topics wait for a slow caller. A
// topic may come without a change. Equal topics that wait are one topic, and each comes at most 20
// times a second; so a caller may be as slow as it wants. With Redis a topic usually comes within
// milliseconds. A store may signal the counts of a run only four times a second, so [TopicRun] and
// [TopicResync] come once more within half a second then.
//
// What has no topic: values, semaphores, what workers use of limits, and what a worker runs. Read
// these from time to time.
//
// All watchers of a process share one subscription of the store. Without watchers nothing is
// received; a store publishes its signals in any case. The sequence ends with the error of ctx, or
// with [ErrClosed] when the manager is closed.
func (m *Manager) Watch(ctx context.Context) iter.Seq2[Topic, error] {
	return func(yield func(Topic, error) bool) {
		f := &feed{moved: make(chan struct{}, 1), complete: m.hub.complete}
		defer m.hub.Listen(f.hear)()
		f.hear(store.Signal{Type: signals.Sync})
		var aged <-chan time.Time // nil while no topic is to come again
		for {
			if aged == nil && f.ages() {
				aged = time.After(bounds.SignalEvery)
			}
			select {
			case <-ctx.Done():
				yield(Topic{}, ctx.Err())
				return
			case <-m.roster.Closed():
				yield(Topic{}, ErrClosed)
				return
			case <-aged:
				aged = nil
				f.age()
			case <-f.moved:
				for _, t := range f.take() {
					if ctx.Err() == nil && !yield(t, nil) {
						return
					}
				}
				lifecycle.Pause(ctx, feedGap)
			}
		}
	}
}

// feed has the topics that wait for one watcher.
type feed struct {
	moved    chan struct{} // has a token while topics wait
	complete bool          // the store signals every change

	mu      sync.Mutex
	waiting topics
	// The counts of a run may change without a signal within [bounds.SignalEvery] of one. So topics of
	// runs come again after that time. They are young for one turn of age, and old for another.
	young, old topics
}

// topics is a set in the order of arrival.
type topics struct {
	list  []Topic
	known map[Topic]struct{}
}

func (s *topics) add(t Topic) {
	if _, ok := s.known[t]; ok {
		return
	}
	if len(s.list) >= maxTopics {
		*s, t = topics{}, Topic{Type: TopicResync}
	}
	if s.known == nil {
		s.known = make(map[Topic]struct{})
	}
	s.known[t] = struct{}{}
	s.list = append(s.list, t)
}

// hear adds the topic of a signal. It does not block.
func (f *feed) hear(s store.Signal) {
	t, ok := topicOf(s)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.waiting.add(t)
	if !f.complete && (t.Type == TopicRun || t.Type == TopicResync) {
		f.young.add(t)
	}
	lifecycle.Wake(f.moved)
}

// take removes the topics that wait. If one says that everything is to be read, it is the only one.
func (f *feed) take() []Topic {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.waiting
	f.waiting = topics{}
	if _, ok := all.known[Topic{Type: TopicResync}]; ok {
		return []Topic{{Type: TopicResync}}
	}
	return all.list
}

// ages reports whether topics are to come again.
func (f *feed) ages() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.young.list)+len(f.old.list) > 0
}

// age lets the old topics come again, and makes the young ones old.
func (f *feed) age() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.old.list {
		f.waiting.add(t)
		lifecycle.Wake(f.moved)
	}
	f.old, f.young = f.young, topics{}
}

// topicOf translates a signal. Some are of no interest outside of workers.
func topicOf(s store.Signal) (Topic, bool) {
	t := Topic{Partition: s.Partition}
	switch s.Type {
	case signals.Sync:
		return Topic{Type: TopicResync}, true
	case signals.Job:
		t.Type, t.Job = TopicJob, s.Job
	case signals.Run, signals.Progress:
		t.Type, t.Run = TopicRun, s.Run
	case signals.Work:
		t.Type, t.Queue = TopicQueue, s.Queue
	case signals.Workers, signals.Worker:
		t.Type = TopicWorkers
	case signals.Pause:
		t.Type = TopicPauses
	case signals.Configuration:
		t.Type = TopicConfiguration
	default:
		return t, false
	}
	return t, true
}
