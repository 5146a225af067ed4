package promrollcall_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/promrollcall"
)

type page struct{ Fail bool }

func (page) Kind() string { return "page" }

type book struct{ Pages int }

func (book) Kind() string { return "book" }

func library(t testing.TB) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("library", handlers.SetConfig{
		Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }},
	})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[book]) error {
		for i := range t.Args.Pages {
			if _, err := t.Enqueue(ctx, page{Fail: i == 0}, &enqueue.Options{Queue: "pages"}); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[page]) error {
		if t.Args.Fail {
			return handlers.Permanent(errors.New("torn"))
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return reg
}

// scrape reads metrics as a server of Prometheus does.
func scrape(t testing.TB, collectors ...prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collectors...)
	server := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	return families
}

// value is that of the metric with these labels: the count of a histogram; NaN if there is none.
func value(families map[string]*dto.MetricFamily, name string, labels map[string]string) float64 {
	for _, m := range families[name].GetMetric() {
		got := make(map[string]string)
		for _, l := range m.GetLabel() {
			if l.GetName() != "messaging_system" {
				got[l.GetName()] = l.GetValue()
			}
		}
		if maps.Equal(got, labels) || len(got)+len(labels) == 0 {
			switch {
			case m.Histogram != nil:
				return float64(m.Histogram.GetSampleCount())
			case m.Counter != nil:
				return m.Counter.GetValue()
			}
			return m.Gauge.GetValue()
		}
	}
	return math.NaN()
}

// full runs jobs so that every metric has a value, and scrapes.
func full(t *testing.T) map[string]*dto.MetricFamily {
	metrics := promrollcall.New(&promrollcall.Options{Slots: 4})
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: library(t), Observer: metrics.Observer()})
	require.NoError(t, err)
	defer m.Close()
	ctx := t.Context()
	_, err = m.Start(ctx, syncjob.Job{Name: "b", Set: "library", Root: book{Pages: 5}}, nil)
	require.NoError(t, err)
	w, err := m.NewWorker(syncjob.WorkerConfig{Queues: []syncjob.Queue{{Name: "default"}, {Name: "pages"}}, Concurrency: 4})
	require.NoError(t, err)
	_, err = w.RunOnce(ctx)
	require.NoError(t, err)
	_, err = m.Ensure(ctx, syncjob.Job{Name: "mail", Set: "library", Open: true})
	require.NoError(t, err)
	for range 3 {
		_, err = m.Enqueue(ctx, "mail", page{}, &enqueue.Options{Queue: "far"})
		require.NoError(t, err)
	}
	o := metrics.Observer() // what no healthy store does
	o.Reclaimed(ctx, observe.Reclaim{Sessions: 2, Tasks: 7})
	o.StoreRetry(store.RetryEvent{Method: "Fetch"})
	return scrape(t, metrics, promrollcall.NewStoreCollector(m, &promrollcall.StoreOptions{Jobs: true}))
}

func TestAScrapeHasWhatHappened(t *testing.T) {
	got := full(t)
	type labels = map[string]string
	for _, c := range []struct {
		name   string
		labels labels
		want   float64
	}{
		{"messaging_client_sent_messages_total", labels{"messaging_destination_name": "pages"}, 5},
		{"messaging_client_sent_messages_total", labels{"messaging_destination_name": "far"}, 3},
		{"messaging_client_consumed_messages_total", labels{"messaging_destination_name": "pages"}, 5},
		{"messaging_process_duration_seconds", labels{"messaging_destination_name": "pages", "set": "library", "kind": "page"}, 5},
		{"rollcall_task_attempts_total", labels{"queue": "pages", "set": "library", "kind": "page", "verdict": "success"}, 4},
		{"rollcall_task_attempts_total", labels{"queue": "pages", "set": "library", "kind": "page", "verdict": "fail"}, 1},
		{"rollcall_task_attempts_total", labels{"queue": "default", "set": "library", "kind": "@post", "verdict": "hook done"}, 1},
		{"rollcall_task_wait_seconds", labels{"queue": "pages", "set": "library", "kind": "page"}, 5},
		{"rollcall_run_started_total", labels{"set": "library"}, 2},
		{"rollcall_run_finished_total", labels{"set": "library", "status": "failed"}, 1},
		{"rollcall_run_duration_seconds", labels{"set": "library", "status": "failed"}, 1},
		{"rollcall_task_reclaimed_total", labels{}, 7},
		{"rollcall_session_lost_total", labels{}, 2},
		{"rollcall_store_retries_total", labels{"method": "Fetch"}, 1},
		{"rollcall_worker_slots", labels{"state": "busy"}, 0},
		{"rollcall_worker_slots", labels{"state": "idle"}, 4},
		{"rollcall_queue_tasks", labels{"queue": "far", "state": "waiting"}, 3},
		{"rollcall_queue_tasks", labels{"queue": "far", "state": "running"}, 0},
		{"rollcall_queue_tasks", labels{"queue": "far", "state": "held"}, 0},
		{"rollcall_queue_tasks", labels{"queue": "far", "state": "delayed"}, 0},
		{"rollcall_queue_tasks", labels{"queue": "far", "state": "retrying"}, 0},
		{"rollcall_queue_unserved", labels{"queue": "far"}, 1},
		{"rollcall_workers", labels{}, 0},
		{"rollcall_runs_active", labels{}, 1},
		{"rollcall_schedule_lateness_seconds", labels{}, 0},
	} {
		require.InDelta(t, c.want, value(got, c.name, c.labels), 0, "%s %v: %v", c.name, c.labels, got[c.name])
	}
	require.Positive(t, value(got, "messaging_client_operation_duration_seconds", labels{"messaging_operation_name": "settle"}))
	require.Positive(t, value(got, "messaging_client_operation_duration_seconds", labels{"messaging_operation_name": "receive"}))
	require.GreaterOrEqual(t, value(got, "rollcall_queue_oldest_age_seconds", labels{"queue": "far"}), 0.0)
}

// documented reads a table of the doc: "name   what it is; label, label: value".
func documented(t *testing.T) map[string][]string {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	table := make(map[string][]string)
	for _, m := range regexp.MustCompile(`(?m)^//\t((?:rollcall|messaging)_\w+) +(.*)$`).FindAllStringSubmatch(string(doc), -1) {
		labels := []string{}
		_, list, _ := strings.Cut(m[2], "; ")
		for part := range strings.SplitSeq(list, ", ") {
			name, _, _ := strings.Cut(part, ":")
			if regexp.MustCompile(`^(messaging_\w+|queue|set|kind|verdict|status|method|state)$`).MatchString(name) {
				labels = append(labels, name)
			}
		}
		table[m[1]] = labels
	}
	return table
}

func TestTheDocListsEveryMetricAndItsLabels(t *testing.T) {
	want := documented(t)
	require.Len(t, want, 19)
	got := make(map[string][]string)
	for name, family := range full(t) {
		names := []string{}
		for _, l := range family.GetMetric()[0].GetLabel() {
			if l.GetName() != "messaging_system" {
				names = append(names, l.GetName())
			}
		}
		slices.Sort(names)
		got[name] = names
	}
	for name := range want {
		slices.Sort(want[name])
	}
	require.Equal(t, want, got)
	for name, labels := range want {
		for _, bad := range []string{"job", "run", "task", "id"} {
			require.NotContains(t, labels, bad, name)
		}
	}
}

// exprs finds the expressions of a file of package ops.
func exprs(v any) (found []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if s, ok := e.(string); ok && (key == "expr" || key == "query") && s != "prometheus" {
				found = append(found, s)
			}
			found = append(found, exprs(e)...)
		}
	case []any:
		for _, e := range v {
			found = append(found, exprs(e)...)
		}
	}
	return found
}

func TestDashboardAlertsAndAutoscalerUseMetricsThatThereAre(t *testing.T) {
	known := documented(t)
	used := make(map[string]bool)
	selector := regexp.MustCompile(`((?:rollcall|messaging)_\w+)(\{[^}]*\})?`)
	matcher := regexp.MustCompile(`(\w+)\s*=`)
	by := regexp.MustCompile(`by \(([^)]*)\)`)
	files, err := fs.Glob(os.DirFS("ops"), "*")
	require.NoError(t, err)
	require.Equal(t, []string{"alerts.yaml", "grafana.json", "keda.yaml"}, files)
	for _, file := range files {
		b, err := os.ReadFile("ops/" + file)
		require.NoError(t, err)
		var content any
		if strings.HasSuffix(file, ".json") {
			require.NoError(t, json.Unmarshal(b, &content))
		} else {
			require.NoError(t, yaml.Unmarshal(b, &content))
		}
		found := exprs(content)
		require.NotEmpty(t, found, file)
		for _, expr := range found {
			require.Equal(t, strings.Count(expr, "("), strings.Count(expr, ")"), expr)
			labels := []string{"le"}
			for _, m := range selector.FindAllStringSubmatch(by.ReplaceAllString(expr, ""), -1) {
				name := strings.TrimSuffix(m[1], "_bucket")
				require.Contains(t, known, name, "%s: %s", file, expr)
				used[name] = true
				labels = append(labels, known[name]...)
				for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
					require.Contains(t, known[name], l[1], "%s: %s", file, expr)
				}
			}
			for _, m := range by.FindAllStringSubmatch(expr, -1) {
				for l := range strings.SplitSeq(m[1], ", ") {
					require.Contains(t, labels, l, "%s: %s", file, expr)
				}
			}
		}
	}
	for name := range known {
		require.True(t, used[name], "%s is on no dashboard", name)
	}
}

// counting counts the readings of a store, and fails them when told.
type counting struct {
	store.Store
	stats, sessions int
	broken          bool
}

var errBroken = fmt.Errorf("broken: %w", store.ErrCorrupt)

func (c *counting) QueueStats(ctx context.Context, p int) ([]store.QueueRecord, error) {
	if c.stats++; c.broken {
		return nil, errBroken
	}
	return c.Store.QueueStats(ctx, p)
}

func (c *counting) LiveSessions(ctx context.Context, p int) ([]store.SessionRecord, error) {
	c.sessions++
	return c.Store.LiveSessions(ctx, p)
}

func TestACollectionReadsTheStoreOnce(t *testing.T) {
	s := &counting{Store: memstore.New(nil)}
	m, err := syncjob.New(s, syncjob.Config{})
	require.NoError(t, err)
	defer m.Close()
	var log strings.Builder
	c := promrollcall.NewStoreCollector(m, &promrollcall.StoreOptions{
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Timeout: time.Minute,
	})
	families := scrape(t, c)
	require.Equal(t, 1, s.stats)
	require.Equal(t, 2, s.sessions, "of the queues, and of the workers")
	require.NotContains(t, families, "rollcall_runs_active", "it would read all jobs")
	s.broken = true
	families = scrape(t, c)
	require.Contains(t, families, "rollcall_workers", "what can be read is there")
	require.Contains(t, log.String(), "broken")
}

func TestHostileNamesAreLabels(t *testing.T) {
	metrics := promrollcall.New(nil)
	o := metrics.Observer()
	queue := "a\"b\n{}\\"
	o.AttemptStarted(t.Context(), observe.Attempt{Queue: queue, Set: "é", Kind: "k", Wait: -time.Hour})
	o.AttemptDone(t.Context(), observe.Attempt{Queue: queue, Set: "é", Kind: "k"})
	got := scrape(t, metrics)
	require.InDelta(t, 1, value(got, "rollcall_task_attempts_total", map[string]string{
		"queue": queue, "set": "é", "kind": "k", "verdict": "lost",
	}), 0)
}

func ExampleNew() {
	metrics := promrollcall.New(nil)
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics)
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Observer: metrics.Observer()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	reg.MustRegister(promrollcall.NewStoreCollector(m, nil))
	families, err := reg.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		fmt.Println(f.GetName())
	}
	// Output:
	// messaging_client_operation_duration_seconds
	// rollcall_session_lost_total
	// rollcall_task_reclaimed_total
	// rollcall_worker_slots
	// rollcall_workers
}

// What a task costs more: two callbacks.
func BenchmarkTask(b *testing.B) {
	o := promrollcall.New(nil).Observer()
	e := observe.Attempt{Queue: "default", Set: "library", Kind: "page", Verdict: verdicts.Success, Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		o.AttemptStarted(b.Context(), e)
		o.AttemptDone(b.Context(), e)
	}
}
