package storetest

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var signalsContract = []testCase{
	{"a subscriber first hears that it listens", func(s *scene) {
		l := s.listen()
		l.stop()
		s.Equal(signals.Sync, l.first.Type)
	}},
	{"work that comes into an idle queue is signalled", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		l := s.listen()
		defer l.stop()
		p.add(r, task(scan, "t"))
		l.hears("work", func(sig store.Signal) bool {
			return sig.Type == signals.Work && sig.Partition == r.partition && sig.Queue == scan.Queue
		})
		w := r.worker()
		w.settle(success(w.one(), task(file, "child")))
		l.hears("work for another queue", func(sig store.Signal) bool {
			return sig.Type == signals.Work && sig.Queue == file.Queue
		})
	}},
	{"a task that is to be run earlier than all others is signalled", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		p.add(r, delayed(scan, "late", never))
		l := s.listen()
		defer l.stop()
		p.add(r, delayed(scan, "early", time.Hour))
		l.hears("an earlier due time", func(sig store.Signal) bool {
			return sig.Type == signals.Due && sig.Partition == r.partition
		})
	}},
	{"the end of a run is signalled", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		d := w.one()
		l := s.listen()
		defer l.stop()
		w.succeed(d)
		l.hears("the run", func(sig store.Signal) bool {
			return sig.Type == signals.Run && sig.Partition == r.partition && sig.Run == r.id.Number
		})
	}},
	{"a stop is signalled", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		w := r.worker()
		w.one()
		l := s.listen()
		defer l.stop()
		r.stop(false)
		l.hears("the run", func(sig store.Signal) bool {
			return sig.Type == signals.Run && sig.Run == r.id.Number
		})
	}},
	{"resuming a run signals its work", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, task(scan, "t"))
		r.pause(true)
		l := s.listen()
		defer l.stop()
		r.pause(false)
		l.hears("work", func(sig store.Signal) bool { return sig.Type == signals.Work && sig.Queue == scan.Queue })
	}},
	{"a run that is paused is signalled", func(s *scene) {
		r := s.open("import")
		l := s.listen()
		defer l.stop()
		r.pause(true)
		l.hears("the run", func(sig store.Signal) bool { return sig.Type == signals.Run && sig.Run == r.id.Number })
	}},
	{"a run that one of its tasks stops is signalled at once", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, tasks(scan, "t", 2)...)
		w := r.worker()
		held := w.take(2)
		l := s.listen()
		defer l.stop()
		w.settle(plain(held[0], verdicts.StopRun)) // directly after the fetch
		l.hears("the run", func(sig store.Signal) bool { return sig.Type == signals.Run && sig.Run == r.id.Number })
	}},
	{"a delayed task that is due is signalled, whoever promotes it", func(s *scene) {
		r := s.open("import")
		r.producer().add(r, delayed(scan, "soon", tick))
		l := s.listen()
		defer l.stop()
		for range patience {
			reply, err := s.store.Promote(s.ctx, r.partition)
			s.NoError(err)
			if reply.Promoted > 0 {
				break
			}
			s.h.Advance(s.tb, tick)
		}
		l.hearsOfWork(r.partition, scan.Queue)
	}},
	{"a due time that comes sooner than what was known is signalled", func(s *scene) {
		p := s.periodic("nightly")
		hears := func(what string, move func()) {
			l := s.listen()
			defer l.stop()
			move()
			l.hears(what, func(sig store.Signal) bool {
				return sig.Type == signals.Due && sig.Partition == p.partition
			})
		}
		s.NoError(s.store.SetJobDisabled(s.ctx, p.job, true))
		hears("that a job was enabled", func() { s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false)) })
		p.told("it has no due time yet")
		hears("its first due time", func() { p.fires(p.due(tick), verdicts.FireMoved, "it has none") })
		p.told("it is due")
		hears("the next one", func() { p.started(p.due(tick), "it is due") })
		p.told("the next time has come")
		hears("the one after that", func() { p.fires(p.due(tick), verdicts.FireSkipped, "a run is active") })
	}},
	{"all that happens to a job itself is signalled", func(s *scene) {
		var p *periodic
		hears := func(what string, move func()) {
			l := s.listen()
			defer l.stop()
			move()
			l.hears(what, func(sig store.Signal) bool {
				return sig.Type == signals.Job && sig.Job == "nightly" && sig.Partition == s.partition("nightly")
			})
		}
		hears("that it was declared", func() { p = s.periodic("nightly") })
		hears("that it was disabled", func() { s.NoError(s.store.SetJobDisabled(s.ctx, p.job, true)) })
		hears("that it was enabled", func() { s.NoError(s.store.SetJobDisabled(s.ctx, p.job, false)) })
		p.told("it has no due time yet")
		hears("its due time", func() { p.fires(p.due(tick), verdicts.FireMoved, "it has none") })
		p.told("it is due")
		hears("that it cannot be fired", func() {
			s.NoError(s.store.PostponeJob(s.ctx, store.PostponeParams{Job: p.job, Problem: "no zone"}))
		})
		p.told("it is due again")
		var first *run
		hears("its run", func() { first = p.started(p.due(tick), "it is due") })
		p.told("the next time has come")
		hears("that a time was skipped", func() { p.fires(p.due(tick), verdicts.FireSkipped, "a run is active") })
		s.NoError(s.store.StopRun(s.ctx, store.StopParams{Run: first.id, Reason: "over"}))
		hears("that its run was removed", func() { s.NoError(s.store.DeleteRun(s.ctx, first.id)) })
		hears("that it was removed", func() { s.NoError(s.store.DeleteJob(s.ctx, p.job)) })
	}},
	{"a run that is started and one that expires signal their job", func(s *scene) {
		hears := func(what string, move func()) {
			l := s.listen()
			defer l.stop()
			move()
			l.hears(what, func(sig store.Signal) bool { return sig.Type == signals.Job && sig.Job == "import" })
		}
		var r *run
		hears("that it began", func() { r = s.start(store.StartParams{Job: "import", Retention: tick}) })
		w := r.worker()
		w.succeed(w.one())
		s.h.Advance(s.tb, 2*tick)
		hears("that it is gone", func() { s.sweep(r.partition) })
	}},
	{"sessions that are opened, closed or lost are signalled", func(s *scene) {
		hears := func(what string, move func()) {
			l := s.listen()
			defer l.stop()
			move()
			l.hears(what, func(sig store.Signal) bool { return sig.Type == signals.Workers && sig.Partition == 0 })
		}
		var a, b *worker
		hears("a worker", func() { a = s.worker(0, steady) })
		hears("its end", a.close)
		hears("another worker", func() { b = s.worker(0, brief) })
		hears("its loss", func() { s.lapse(b) })
	}},
	{"a new configuration of a set is signalled", func(s *scene) {
		l := s.listen()
		defer l.stop()
		_, err := s.configure(ofSet("ingest"), store.AnyVersion, "a")
		s.NoError(err)
		l.hears("the configuration", func(sig store.Signal) bool {
			return sig.Type == signals.Configuration && sig.Partition == s.partition("ingest")
		})
	}},
	{"counts that change a while after a signal are signalled", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		p.add(r, task(scan, "first"))
		s.h.Advance(s.tb, bounds.SignalEvery)
		l := s.listen()
		defer l.stop()
		p.add(r, task(scan, "second"))
		l.hears("the run", func(sig store.Signal) bool { return sig.Type == signals.Run && sig.Run == r.id.Number })
	}},
	{"a pre-job hook that passes signals what came before", func(s *scene) {
		r := s.start(store.StartParams{Job: "import", Open: true, PreJob: hook(preJob)})
		w := r.worker()
		d := w.one()
		r.producer().add(r, task(scan, "t"), task(file, "u"))
		w.none("the hook has not passed")
		l := s.listen()
		defer l.stop()
		w.settle(plain(d, verdicts.Begin))
		l.hearsOfWork(r.partition, scan.Queue, file.Queue)
	}},
	{"a store that tells of everything tells what is configured and published", func(s *scene) {
		if !store.SignalsAreComplete(s.store) {
			return
		}
		s.True(store.SignalsAreComplete(store.WithRetry(s.store, nil)), "also with repeats")
		l := s.listen()
		defer l.stop()
		for _, document := range []string{"a", "b"} {
			v, err := s.configure(ofSet("ingest"), store.AnyVersion, document)
			s.NoError(err)
			l.hears("a new version", func(sig store.Signal) bool {
				return sig.Type == signals.Configuration && sig.Partition == s.partition("ingest")
			})
			s.configured(ofSet("ingest"), v, document)
		}
		_, err := s.store.WriteConfiguration(s.ctx, store.ConfigurationWrite{
			ID: ofSet("ingest"), Token: "t", IfVersion: store.AnyVersion,
		})
		s.NoError(err)
		l.hears("a removal", func(sig store.Signal) bool { return sig.Type == signals.Configuration })
		for _, description := range []string{"a", "b"} {
			s.NoError(s.store.PublishSet(s.ctx, store.SetRecord{Name: "ingest", Description: []byte(description)}))
			l.hears("another description", func(sig store.Signal) bool { return sig.Type == signals.Configuration })
		}
	}},
	{"a subscriber that panics, or ends its goroutine, gets an error, and others hear on", func(s *scene) {
		r := s.open("import")
		other := s.listen()
		defer other.stop()
		for _, end := range []func(){func() { panic("rude") }, runtime.Goexit} {
			err := s.store.Subscribe(s.ctx, func(store.Signal) { end() })
			s.Error(err)
			s.NotErrorIs(err, store.ErrClosed)
		}
		r.producer().add(r, task(scan, "t"))
		other.hears("work", func(sig store.Signal) bool { return sig.Type == signals.Work })
	}},
	{"every subscriber hears, and none holds up another", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		a, b := s.listen(), s.listen()
		defer b.stop()
		a.stop()
		p.add(r, task(scan, "t"))
		b.hears("work", func(sig store.Signal) bool { return sig.Type == signals.Work })
	}},
}

var closeContract = []testCase{
	{"it refuses calls and can be closed twice", func(s *scene) {
		r := s.start(store.StartParams{Job: "import"})
		p, w := r.producer(), r.worker()
		l := s.listen()
		s.NoError(s.store.Ping(s.ctx))
		s.NoError(s.store.Close())
		s.NoError(s.store.Close())
		_, err := p.try(store.EnqueueParams{Entries: []store.Entry{{Run: r.id, Item: task(scan, "t")}}})
		s.ErrorIs(err, store.ErrClosed)
		_, err = w.tryFetch(1)
		s.ErrorIs(err, store.ErrClosed)
		_, err = s.store.Run(s.ctx, r.id)
		s.ErrorIs(err, store.ErrClosed)
		s.ErrorIs(s.store.Ping(s.ctx), store.ErrClosed)
		select {
		case <-l.ended:
		case <-time.After(deaf):
			s.Fail("a subscription outlives its store")
		}
		l.group.Wait()
		if l.err != nil {
			s.ErrorIs(l.err, store.ErrClosed)
		}
	}},
	{"a call whose context has ended changes nothing for long", func(s *scene) {
		r := s.open("import")
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		_, err := s.store.Run(ctx, r.id)
		s.ErrorIs(err, context.Canceled)
		r.counts(store.Counts{}, "a call with a context that has ended")
	}},
}

// deaf is the longest wait for a signal.
const deaf = 20 * time.Second

// listener is a subscription that runs until stop.
type listener struct {
	s       *scene
	first   store.Signal
	signals chan store.Signal
	ended   chan struct{} // closed when Subscribe has returned
	group   *lifecycle.Group
	err     error // read once the group has stopped
}

// listen subscribes, and returns when the subscription works.
func (s *scene) listen() *listener {
	s.tb.Helper()
	l := &listener{
		s:       s,
		signals: make(chan store.Signal, 1024),
		ended:   make(chan struct{}),
		group:   lifecycle.New(s.ctx),
	}
	l.group.Go(func(ctx context.Context) {
		defer close(l.ended)
		l.err = s.store.Subscribe(ctx, func(sig store.Signal) {
			select {
			case l.signals <- sig:
			default: // a listener that is this far behind has heard enough
			}
		})
	})
	select {
	case l.first = <-l.signals:
	case <-time.After(deaf):
		s.Fail("Subscribe does not say that it listens")
	}
	return l
}

// hears waits for a signal.
func (l *listener) hears(what string, is func(store.Signal) bool) {
	l.s.tb.Helper()
	timeout := time.After(deaf)
	for {
		select {
		case sig := <-l.signals:
			if is(sig) {
				return
			}
		case <-timeout:
			l.s.Failf("nothing was heard", "of %s", what)
		}
	}
}

// hearsOfWork waits for signals of all the queues.
func (l *listener) hearsOfWork(partition int, queues ...string) {
	l.s.tb.Helper()
	l.hears("work", func(sig store.Signal) bool {
		if sig.Type == signals.Work && sig.Partition == partition {
			queues = slices.DeleteFunc(queues, func(queue string) bool { return queue == sig.Queue })
		}
		return len(queues) == 0
	})
}

// stop ends the subscription. This is not an error.
func (l *listener) stop() {
	l.s.tb.Helper()
	l.group.Stop(context.Canceled)
	l.s.NoError(l.err)
}
