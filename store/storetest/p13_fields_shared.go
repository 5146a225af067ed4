package storetest

import (
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func refusedSemaphores() []refusal {
	type params = store.SemaphoreClaim
	claim := spoilt[params]{
		func() params { return params{Key: "key", Token: "token", Holder: "holder", Max: 1, TTL: time.Second} },
		func(s *scene, p params) error { _, err := s.store.AcquireSemaphore(s.ctx, p); return err },
	}
	return []refusal{
		claim.by("Key", func(p *params) { p.Key = "" }),
		claim.by("Key", func(p *params) { p.Key = strings.Repeat("k", bounds.MaxSemaphoreKeyLen+1) }),
		claim.by("Token", func(p *params) { p.Token = "" }),
		claim.by("Token", func(p *params) { p.Token = longName }),
		claim.by("Holder", func(p *params) { p.Holder = "" }),
		claim.by("Holder", func(p *params) { p.Holder = strings.Repeat("ä", bounds.MaxHolderLen+1) }),
		claim.by("Max", func(p *params) { p.Max = 0 }),
		claim.by("Max", func(p *params) { p.Max = bounds.MaxSlots + 1 }),
		claim.by("TTL", func(p *params) { p.TTL = time.Millisecond - 1 }),
		claim.by("Wait", func(p *params) { p.Wait = 1 }),
		claim.by("Wait", func(p *params) { p.Wait = -time.Second }),
		argument(
			"Key", func(s *scene) error { _, err := s.store.RefreshSemaphore(s.ctx, "", "t", time.Second); return err },
		),
		argument(
			"Token", func(s *scene) error { _, err := s.store.RefreshSemaphore(s.ctx, "k", "", time.Second); return err },
		),
		argument("TTL", func(s *scene) error { _, err := s.store.RefreshSemaphore(s.ctx, "k", "t", 0); return err }),
		argument("Key", func(s *scene) error { return s.store.ReleaseSemaphore(s.ctx, "", "t") }),
		argument("Token", func(s *scene) error { return s.store.ReleaseSemaphore(s.ctx, "k", "") }),
		argument("Key", func(s *scene) error { _, err := s.store.ForceReleaseSemaphore(s.ctx, "", 1, 1); return err }),
		argument("First", func(s *scene) error { _, err := s.store.ForceReleaseSemaphore(s.ctx, "k", 0, 1); return err }),
		argument("Last", func(s *scene) error { _, err := s.store.ForceReleaseSemaphore(s.ctx, "k", 2, 1); return err }),
		argument("Key", func(s *scene) error { _, err := s.store.Semaphore(s.ctx, binary); return err }),
	}
}

func refusedLimits() []refusal {
	type params = store.DrawParams
	draw := spoilt[params]{
		func() params {
			rate := store.Rate{Events: 1, Per: time.Second, Burst: 1}
			return params{Limit: "limit", Holder: "holder", Number: 1, TTL: time.Second, Rate: rate}
		},
		func(s *scene, p params) error { _, err := s.store.Draw(s.ctx, p); return err },
	}
	return []refusal{
		draw.by("Limit", func(p *params) { p.Limit = "" }),
		draw.by("Limit", func(p *params) { p.Limit = strings.Repeat("l", bounds.MaxLimitLen+1) }),
		argument("Limit", func(s *scene) error { _, err := s.store.Limit(s.ctx, ""); return err }),
		draw.by("Holder", func(p *params) { p.Holder = "a b" }),
		draw.by("Number", func(p *params) { p.Number = 0 }),
		draw.by("TTL", func(p *params) { p.TTL = 0 }),
		draw.by("Max", func(p *params) { p.Max = -1 }),
		draw.by("Keep", func(p *params) { p.Keep = -1 }),
		draw.by("Want", func(p *params) { p.Want = -1 }),
		draw.by("Tokens", func(p *params) { p.Tokens = -1 }),
		draw.by("Unused", func(p *params) { p.Unused = -1 }),
		draw.by("Used", func(p *params) { p.Used = beforeTime }),
		draw.by("Rate.Events", func(p *params) { p.Rate.Events = 0 }),
		draw.by("Rate.Events", func(p *params) { p.Rate.Events = bounds.MaxRateEvents + 1 }),
		draw.by("Rate.Per", func(p *params) { p.Rate.Per = bounds.MinPer - 1 }),
		draw.by("Rate.Per", func(p *params) { p.Rate.Per = bounds.MaxPer + 1 }),
		draw.by("Rate.Burst", func(p *params) { p.Rate.Burst = 0 }),
		draw.by("Rate.Burst", func(p *params) { p.Rate.Burst = bounds.MaxRateEvents + 1 }),
		argument("Limit", func(s *scene) error { return s.store.Forfeit(s.ctx, "", store.Holding{Holder: "h"}) }),
		argument("Holder", func(s *scene) error { return s.store.Forfeit(s.ctx, "limit", store.Holding{}) }),
	}
}

func refusedValues() []refusal {
	type params = store.WriteParams
	good := store.Write{Scope: store.RunScope(aRun), Name: "list", Type: store.ValueList, Op: store.WriteAppend}
	write := spoilt[params]{
		func() params { return params{Stream: "stream", Number: 1, Writes: []store.Write{good, good}} },
		func(s *scene, p params) error {
			p.Partition = s.partition(aRun.Job)
			_, err := s.store.WriteValues(s.ctx, p)
			return err
		},
	}
	second := func(field string, spoil func(w *store.Write)) refusal {
		return write.by("Writes[1]."+field, func(p *params) { spoil(&p.Writes[1]) })
	}
	read := spoilt[store.ReadParams]{
		func() store.ReadParams {
			return store.ReadParams{Scope: good.Scope, Name: "list", Type: store.ValueList}
		},
		func(s *scene, p store.ReadParams) error { _, err := s.store.ReadValue(s.ctx, p); return err },
	}
	add := func(typ store.ValueType, text string) refusal {
		return second("Data[0]", func(w *store.Write) {
			w.Type, w.Op, w.Data = typ, store.WriteAdd, []store.Datum{{Bytes: []byte(text)}}
		})
	}
	all := []refusal{
		write.by("Stream", func(p *params) { p.Stream = "" }),
		write.by("Number", func(p *params) { p.Number = 0 }),
		write.by("Writes", func(p *params) {
			for range bounds.MaxBatch {
				p.Writes = append(p.Writes, good)
			}
		}),
		second("Scope.Of", func(w *store.Write) { w.Scope = store.ValueScope{} }),
		second("Scope.Job", func(w *store.Write) { w.Scope = store.JobScope("") }),
		second("Scope.Job", func(w *store.Write) { w.Scope.Job = binary }),
		second("Scope.Run", func(w *store.Write) { w.Scope.Run = 0 }),
		second("Scope.Run", func(w *store.Write) { w.Scope.Run = bounds.MaxNumber + 1 }),
		second("Scope.Expiry", func(w *store.Write) { w.Scope = store.NamespaceScope(-1) }),
		second("Scope.Expiry", func(w *store.Write) { w.Scope = store.NamespaceScope(1) }),
		second("Name", func(w *store.Write) { w.Name = "a/b" }),
		second("Type", func(w *store.Write) { w.Type = "set" }),
		second("Op", func(w *store.Write) { w.Op = store.WriteAdd }),
		second("Op", func(w *store.Write) { w.Op = 0 }),
		second("Cap", func(w *store.Write) { w.Cap = -1 }),
		second("Data", func(w *store.Write) { w.Type, w.Op = store.ValueCounter, store.WriteAdd }),
		second("Data", func(w *store.Write) { w.Data = make([]store.Datum, bounds.MaxData+1) }),
		second("Data", func(w *store.Write) {
			w.Data = make([]store.Datum, bounds.MaxWriteLen/bounds.MaxValueLen+1)
			for i := range w.Data {
				w.Data[i].Bytes = make([]byte, bounds.MaxValueLen)
			}
		}),
		second(
			"Data[0]", func(w *store.Write) { w.Data = []store.Datum{{Field: strings.Repeat("f", bounds.MaxFieldLen+1)}} },
		),
		second("Data[0]", func(w *store.Write) { w.Data = []store.Datum{{Bytes: make([]byte, bounds.MaxValueLen+1)}} }),
		read.by("Scope.Of", func(p *store.ReadParams) { p.Scope = store.ValueScope{} }),
		read.by("Name", func(p *store.ReadParams) { p.Name = "" }),
		read.by("Type", func(p *store.ReadParams) { p.Type = "" }),
		read.by("Fields", func(p *store.ReadParams) { p.Fields = make([]string, bounds.MaxData+1) }),
		read.by("Offset", func(p *store.ReadParams) { p.Offset = -1 }),
		read.by("Limit", func(p *store.ReadParams) { p.Limit = -1 }),
		read.by("Limit", func(p *store.ReadParams) { p.Limit = bounds.MaxData + 1 }),
	}
	for _, text := range []string{"", "+5", "007", " 1", "9223372036854775808", "-0", "1.5"} {
		all = append(all, add(store.ValueCounter, text))
	}
	for _, text := range []string{"", "0x1p-2", "inf", "1_0", "nan", "1e400"} {
		all = append(all, add(store.ValueFloat, text))
	}
	return all
}

func refusedConfigurations() []refusal {
	type params = store.ConfigurationWrite
	write := spoilt[params]{
		func() params {
			return params{ID: store.ConfigurationID{Set: "set"}, Token: "token", IfVersion: store.AnyVersion}
		},
		func(s *scene, p params) error { _, err := s.store.WriteConfiguration(s.ctx, p); return err },
	}
	longText := strings.Repeat("t", bounds.MaxNoteLen+1)
	return []refusal{
		write.by("Run.Job", func(p *params) { p.ID = store.ConfigurationID{} }),
		write.by("Run", func(p *params) { p.ID.Run = aRun }),
		write.by("Set", func(p *params) { p.ID.Set = "a/b" }),
		write.by("Token", func(p *params) { p.Token = "" }),
		write.by("Token", func(p *params) { p.Token = longText }),
		write.by("Token", func(p *params) { p.Token = binary }),
		write.by("IfVersion", func(p *params) { p.IfVersion = -2 }),
		write.by("Document", func(p *params) { p.Document = make([]byte, bounds.MaxConfigurationLen+1) }),
		write.by("By", func(p *params) { p.By = longText }),
		write.by("By", func(p *params) { p.By = binary }),
		write.by("Reason", func(p *params) { p.Reason = longText }),
		argument("Set", func(s *scene) error { return s.store.PublishSet(s.ctx, store.SetRecord{}) }),
		argument("Description", func(s *scene) error {
			return s.store.PublishSet(
				s.ctx, store.SetRecord{Name: "set", Description: make([]byte, bounds.MaxConfigurationLen+1)},
			)
		}),
		argument(
			"Run.Job", func(s *scene) error { _, err := s.store.Configuration(s.ctx, store.ConfigurationID{}); return err },
		),
		argument("Run.Job", func(s *scene) error {
			_, err := s.store.ConfigurationHistory(s.ctx, store.ConfigurationID{})
			return err
		}),
		argument(
			"Sets[1]",
			func(s *scene) error { _, err := s.store.WatchConfigurations(s.ctx, []string{"set", ""}); return err },
		),
	}
}

// refusedPartitions has calls for partitions that do not exist, or for another partition.
func refusedPartitions() (all []refusal) {
	for _, outside := range []func(s *scene) int{func(*scene) int { return -1 }, func(s *scene) int { return s.store.Partitions() }} {
		of := func(field string, call func(s *scene, partition int) error) {
			all = append(all, argument(field, func(s *scene) error { return call(s, outside(s)) }))
		}
		session := func(partition int) store.SessionID { return store.SessionID{Partition: partition, ID: "session"} }
		of("Partition", func(s *scene, p int) error {
			_, err := s.store.ListJobs(s.ctx, store.ListParams{Partition: p, Limit: 1})
			return err
		})
		of("Partition", func(s *scene, p int) error {
			_, err := s.store.ListRuns(s.ctx, store.RunsParams{Partition: p, Limit: 1})
			return err
		})
		of("Partition", func(s *scene, p int) error { return s.store.OpenProducer(s.ctx, p, "stream") })
		of("Partition", func(s *scene, p int) error { return s.store.CloseProducer(s.ctx, p, "stream") })
		of("Partition", func(s *scene, p int) error {
			_, err := s.store.Enqueue(s.ctx, store.EnqueueParams{Partition: p, Stream: "stream", Number: 1})
			return err
		})
		of("Partition", func(s *scene, p int) error {
			_, err := s.store.WriteValues(s.ctx, store.WriteParams{Partition: p, Stream: "stream", Number: 1})
			return err
		})
		of("Session.Partition", func(s *scene, p int) error {
			return s.store.OpenSession(s.ctx, session(p), store.WorkerInfo{}, time.Minute)
		})
		of("Session.Partition", func(s *scene, p int) error {
			_, err := s.store.Fetch(s.ctx, store.FetchParams{Session: session(p), Number: 1, Max: 1})
			return err
		})
		of("Session.Partition", func(s *scene, p int) error {
			_, err := s.store.Settle(s.ctx, store.SettleParams{Session: session(p), Number: 1})
			return err
		})
		of("Session.Partition", func(s *scene, p int) error {
			return s.store.Stage(s.ctx, store.StageParams{Session: session(p), Lease: aLease, Route: file})
		})
		of("Session.Partition", func(s *scene, p int) error {
			_, err := s.store.Heartbeat(s.ctx, store.HeartbeatParams{Session: session(p), Lease: time.Minute})
			return err
		})
		of(
			"Session.Partition", func(s *scene, p int) error { _, err := s.store.Held(s.ctx, session(p), nil); return err },
		)
		of("Session.Partition", func(s *scene, p int) error {
			return s.store.SetWorkerStatus(s.ctx, store.WorkerStatusParams{Session: session(p)})
		})
		of("Session.Partition", func(s *scene, p int) error { return s.store.CloseSession(s.ctx, session(p)) })
		of("Partition", func(s *scene, p int) error { _, err := s.store.LiveSessions(s.ctx, p); return err })
		of("Partition", func(s *scene, p int) error { _, err := s.store.LostSessions(s.ctx, p); return err })
		of("Partition", func(s *scene, p int) error {
			_, err := s.store.Audit(s.ctx, store.AuditParams{Partition: p, Limit: 1})
			return err
		})
		of("Partition", func(s *scene, p int) error { _, err := s.store.SessionsLeft(s.ctx, p, ""); return err })
		of("Partition", func(s *scene, p int) error { _, err := s.store.QueueStats(s.ctx, p); return err })
		of("Partition", func(s *scene, p int) error { return s.store.Reconsider(s.ctx, p, nil) })
		of("Partition", func(s *scene, p int) error { _, err := s.store.Promote(s.ctx, p); return err })
		of("Partition", func(s *scene, p int) error { _, err := s.store.Sweep(s.ctx, p); return err })
		of("Partition", func(s *scene, p int) error { return s.store.Pause(s.ctx, p, store.Pause{}) })
		of("Partition", func(s *scene, p int) error { return s.store.Resume(s.ctx, p, store.PauseScope{}) })
		of("Partition", func(s *scene, p int) error { _, err := s.store.Pauses(s.ctx, p); return err })
	}
	return all
}

// refusesOtherPartitions has what lies in another partition than the call; there is none in a store
// of one partition.
func refusesOtherPartitions(s *scene) {
	n := s.store.Partitions()
	if n < 2 {
		return
	}
	here, elsewhere := s.partition(aRun.Job), (s.partition(aRun.Job)+1)%n
	_, err := s.store.Enqueue(s.ctx, store.EnqueueParams{
		Partition: elsewhere, Stream: "stream", Number: 1, Entries: []store.Entry{{Run: aRun, Item: task(scan, "t")}},
	})
	s.refuses(err, "Entries[0].Run.Job")
	_, err = s.store.Enqueue(s.ctx, store.EnqueueParams{
		Partition: elsewhere, Stream: "stream", Number: 1, Holds: []store.HoldChange{{Run: aRun, Name: "h"}},
	})
	s.refuses(err, "Holds[0].Run.Job")
	redo := store.RedoParams{
		Partition: elsewhere, Stream: "stream", Number: 1, Run: aRun, Action: actions.RedoRetry, Limit: 1,
	}
	_, err = s.store.RedoFailures(s.ctx, redo)
	s.refuses(err, "Run.Job")
	session := store.SessionID{Partition: elsewhere, ID: "session"}
	beat := store.HeartbeatParams{Session: session, Lease: time.Minute, Runs: []store.RunID{aRun}}
	_, err = s.store.Heartbeat(s.ctx, beat)
	s.refuses(err, "Runs[0].Run.Job")
	beat.Runs, beat.Running = nil, []store.RunningTask{{Run: aRun}}
	_, err = s.store.Heartbeat(s.ctx, beat)
	s.refuses(err, "Running[0].Run.Job")
	write := store.Write{Scope: store.JobScope(aRun.Job), Name: "list", Type: store.ValueList, Op: store.WriteAppend}
	_, err = s.store.WriteValues(
		s.ctx, store.WriteParams{Partition: elsewhere, Stream: "stream", Number: 1, Writes: []store.Write{write}},
	)
	s.refuses(err, "Writes[0].Scope")
	s.NoError(s.store.OpenProducer(s.ctx, here, "stream"))
}

var refusedByField = []testCase{
	{"whatever no store accepts is refused by its field, by every method", func(s *scene) {
		before := s.leftovers()
		for _, r := range everyRefusal() {
			s.refuses(r.call(s), r.field)
		}
		refusesOtherPartitions(s)
		unwritten(s, before)
	}},
}

func refusedInventory() []refusal {
	keys := spoilt[store.KeysParams]{
		func() store.KeysParams { return store.KeysParams{Limit: 1} },
		func(s *scene, p store.KeysParams) error { _, err := s.store.SemaphoreKeys(s.ctx, p); return err },
	}
	list := spoilt[store.ValuesParams]{
		func() store.ValuesParams { return store.ValuesParams{Scope: store.NamespaceScope(0), Limit: 1} },
		func(s *scene, p store.ValuesParams) error { _, err := s.store.ListValues(s.ctx, p); return err },
	}
	history := spoilt[store.HistoryParams]{
		func() store.HistoryParams { return store.HistoryParams{From: time.Unix(0, 0), To: time.Unix(60*64, 0)} },
		func(s *scene, p store.HistoryParams) error { _, err := s.store.ReadHistory(s.ctx, p); return err },
	}
	return []refusal{
		history.by("Partition", func(p *store.HistoryParams) { p.Partition = -1 }),
		history.by("From", func(p *store.HistoryParams) { p.From = afterTime }),
		history.by("To", func(p *store.HistoryParams) { p.To = beforeTime }),
		history.by("To", func(p *store.HistoryParams) { p.To = time.Unix(-1, 0) }),
		history.by("To", func(p *store.HistoryParams) { p.To = p.To.Add(1) }),
		history.by("To", func(p *store.HistoryParams) { p.From, p.To = afterTime.Add(-time.Minute), afterTime }),
		history.by("To", func(p *store.HistoryParams) { p.Hours, p.To = true, time.Unix(3600*64+1, 0) }),
		keys.by("Limit", func(p *store.KeysParams) { p.Limit = 0 }),
		keys.by("Limit", func(p *store.KeysParams) { p.Limit = bounds.MaxPage + 1 }),
		keys.by("Partition", func(p *store.KeysParams) { p.Partition = -1 }),
		list.by("Scope.Of", func(p *store.ValuesParams) { p.Scope.Of = 0 }),
		list.by("Scope.Job", func(p *store.ValuesParams) { p.Scope = store.JobScope("") }),
		list.by("Scope.Run", func(p *store.ValuesParams) { p.Scope = store.RunScope(store.RunID{Job: "job"}) }),
		list.by("Limit", func(p *store.ValuesParams) { p.Limit = 0 }),
		list.by("Limit", func(p *store.ValuesParams) { p.Limit = bounds.MaxPage + 1 }),
		list.by("Partition", func(p *store.ValuesParams) { p.Partition = -1 }),
		argument("Partition", func(s *scene) error {
			n := s.store.Partitions()
			if n == 1 { // there is no other one
				return &store.FieldError{Field: "Partition"}
			}
			p := store.ValuesParams{Scope: store.JobScope("import"), Partition: (s.partition("import") + 1) % n, Limit: 1}
			_, err := s.store.ListValues(s.ctx, p)
			return err
		}),
	}
}

func refusedPauses() []refusal {
	return []refusal{
		argument("Scope.Queue", func(s *scene) error { return s.store.Pause(s.ctx, 0, pauseOf("a/b", "s", "k", "")) }),
		argument("Scope.Set", func(s *scene) error { return s.store.Pause(s.ctx, 0, pauseOf("q", "@s", "k", "")) }),
		argument("Scope.Kind", func(s *scene) error { return s.store.Pause(s.ctx, 0, pauseOf("q", "s", "k k", "")) }),
		argument("Reason", func(s *scene) error { return s.store.Pause(s.ctx, 0, pauseOf("q", "s", "k", "\xff")) }),
		argument("By", func(s *scene) error { return s.store.Pause(s.ctx, 0, store.Pause{By: "\xff"}) }),
		argument("Scope.Queue", func(s *scene) error {
			return s.store.Resume(s.ctx, 0, store.PauseScope{Queue: strings.Repeat("q", bounds.MaxNameLen+1)})
		}),
	}
}
