package faults

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestAWholeRunOverTLS(t *testing.T) {
	server := redistest.StartTLS(t)
	w := unpeopled(t, longLease)
	w.server, w.url = server.Server, server.TLSURL()
	w.nodes = func() []*redistest.Server { return []*redistest.Server{server.Server} }
	s, err := redisstore.New(t.Context(), server.TrustingClient(t), redisstore.Config{Namespace: w.namespace, SweepInterval: sweepInterval})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	w.m = w.managerOn(s)
	w.oracle = w.m

	_, err = redisstore.Open(t.Context(), server.TLSURL(), redisstore.Config{Namespace: w.namespace})
	require.ErrorContains(t, err, "certificate", "one that nobody vouches for is refused")
	_, err = redisstore.Open(t.Context(), "redis://"+server.Address, redisstore.Config{Namespace: w.namespace})
	require.Error(t, err, "the port speaks TLS only")

	worker := w.enlist(order{Concurrency: 8, Certificate: server.Certificate})
	run := w.grow(moody(1))
	run.requireGrown(0)
	worker.drain()
	run.requireNothingLeft()
}

// secrets are what no log and no error may hold.
const (
	password = "p4ssw0rd-of-the-url"
	secret   = "s3cret-of-the-payload"
	card     = "4111111111111111999999" // too large a number for where it is given
)

// limited makes a user who may do what the README says, and returns its URL.
func (w *world) limited() string {
	w.t.Helper()
	rules := append([]string{"ACL", "SETUSER", "limited", "on", ">" + password}, redisstore.ACLRules(w.namespace)...)
	w.do(rules...)
	return "redis://limited:" + password + "@" + w.proxy.Addr
}

func TestAUserWithTheRightsOfTheReadmeSuffices(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	var mu journal
	w.logger = slog.New(slog.NewTextHandler(&mu, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.url = w.limited()
	w.m = w.manager(w.url)
	w.oracle = w.m
	victim, worker := w.enlist(order{Concurrency: 4, Debug: true}), w.enlist(order{Concurrency: 4, Debug: true})
	ctx := t.Context()

	// A job that is declared, fed, paused, stopped by halves of its workers' lives, and listed.
	_, err := w.m.Ensure(ctx, syncjob.Job{Name: "declared", Set: "tree", Open: true})
	require.NoError(t, err)
	_, err = w.m.Enqueue(
		ctx, "declared", node{Path: "declared", Fan: []int{300}, Moods: 1, Secret: secret},
		&enqueue.Options{ID: "a", IDFor: time.Second},
	)
	require.NoError(t, err)
	held := w.grow(node{Path: "root", Fan: []int{8}, Leaf: waits})
	w.await("all in hand", startedOf(held, 9))
	victim.kill()
	w.open()
	held.requireGrown(0)
	tree := w.begin(syncjob.Job{Name: "moody", Set: "tree", Root: moody(1)}, moody(1).grown())
	require.NoError(t, tree.Pause(ctx))
	require.NoError(t, tree.Resume(ctx))
	tree.requireGrown(0)
	failing := w.begin(
		syncjob.Job{Name: "failing", Set: "tree", Root: node{Path: "root", Leaf: fails, Secret: secret}},
		growth{quiet: true},
	)
	require.Equal(t, states.Failed, failing.finish().Status)
	for _, err := range failing.Failures(ctx, nil) {
		require.NoError(t, err)
	}
	damaged, err := w.m.Start(ctx, syncjob.Job{Name: "damaged", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = damaged.Enqueue(ctx, enqueue.Raw("node", []byte(`{"p":"`+secret+`","f":[`+card+`]}`), nil), nil)
	require.NoError(t, err)
	require.NoError(t, damaged.Seal(ctx))
	why, err := damaged.Wait(ctx)
	require.NoError(t, err)
	require.Contains(t, why.LastError, "does not fit int of field f")
	for _, err := range w.m.Jobs(ctx, nil) {
		require.NoError(t, err)
	}
	_, err = tree.Explain(ctx)
	require.NoError(t, err)
	require.NoError(t, w.m.Stop(ctx, "declared", nil))

	data := values.NewMap[string](w.m.Values(), store.JobScope("declared"), "seen")
	require.NoError(t, data.Set(ctx, "a", secret))
	for _, err := range data.Range(ctx) {
		require.NoError(t, err)
	}
	require.NoError(t, data.Remove(ctx, "a"))
	list := values.NewList[string](w.m.Values(), store.NamespaceScope(time.Minute), "list")
	require.NoError(t, list.Append(ctx, secret))
	for _, err := range list.Range(ctx, 0) {
		require.NoError(t, err)
	}
	require.NoError(t, list.Delete(ctx))
	_, err = values.NewCounter(w.m.Values(), store.JobScope("declared"), "c").Add(ctx, 1)
	require.NoError(t, err)
	sems := semaphore.New(w.m.Store())
	lease, err := sems.Acquire(ctx, "gate", &semaphore.Options{Holder: "the test"})
	require.NoError(t, err)
	waiting := make(chan error, 1)
	go func() {
		second, err := sems.Acquire(ctx, "gate", &semaphore.Options{Holder: "the next"})
		if err == nil {
			err = second.Release(ctx)
		}
		waiting <- err
	}()
	require.NoError(t, lease.Refresh(ctx))
	require.NoError(t, lease.Release(ctx))
	require.NoError(t, <-waiting)
	worker.drain()
	held.requireNothingLeft()
	tree.requireNothingLeft()

	// Nothing was refused, and the user may do nothing else.
	for _, log := range []string{mu.String(), victim.log.all(), worker.log.all()} {
		require.NotContains(t, log, "NOPERM")
	}
	require.Zero(t, w.refusals.count("NOPERM"))
	for _, words := range [][]string{{"GET", "other"}, {"GET", "{" + w.namespace + "x:0}:meta"}, {"FLUSHALL"}, {"KEYS", "*"}, {"CONFIG", "GET", "*"}, {"PUBLISH", "other", "a"}} {
		require.ErrorContains(t, w.asLimited(words...), "NOPERM", "%v", words)
	}
	w.requireNoSecret(&mu, victim, worker)
}

// asLimited runs a command as the limited user, on a connection of its own.
func (w *world) asLimited(words ...string) error {
	w.t.Helper()
	conn, err := openLedger(w.server.Addr, "", "")
	require.NoError(w.t, err)
	defer conn.close()
	_, err = conn.do("AUTH", "limited", password)
	require.NoError(w.t, err)
	_, err = conn.do(words...)
	return err
}

// requireNoSecret provokes the errors in which a secret could be, and looks for it there and in all
// logs.
func (w *world) requireNoSecret(mu *journal, workers ...*process) {
	t := w.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var texts []string
	note := func(err error) {
		t.Helper()
		require.Error(t, err)
		texts = append(texts, err.Error())
	}
	_, err := redisstore.Open(ctx, "redis://limited:"+password+"wrong@"+w.proxy.Addr, redisstore.Config{})
	note(err)
	require.NoError(t, values.NewValue[string](w.m.Values(), store.NamespaceScope(time.Minute), "text").Set(ctx, secret))
	_, _, err = values.NewValue[time.Time](w.m.Values(), store.NamespaceScope(time.Minute), "text").Get(ctx)
	note(err)
	for _, url := range []string{
		"redis://limited:" + password + "@127.0.0.1:1", "redis://limited:" + password + "@127.0.0.1:port",
		"redis://limited:" + password + "@[::", "http://limited:" + password + "@127.0.0.1", "redis://limited:" + password + "@127.0.0.1/1/2",
		"redis://limited:" + password + "@127.0.0.1/" + password,
	} {
		_, err := syncjob.Open(ctx, url, syncjob.Config{})
		note(err)
	}
	_, err = w.m.Start(ctx, syncjob.Job{Name: jobName, Set: "tree", Root: bulky(secret, bounds.DefaultMaxPayload+1)}, nil)
	note(err)
	run, err := w.m.Start(ctx, syncjob.Job{Name: jobName, Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.Enqueue(ctx, enqueue.Raw("node", []byte(`{"p":"`+secret+`"`), nil), nil)
	note(err)
	w.do("DEL", w.key(fmt.Sprintf("run:%d", run.Number())))
	_, err = run.Enqueue(ctx, node{Path: "gone", Secret: secret}, nil)
	note(err)
	w.refusals.mu.Lock()
	texts = append(texts, w.refusals.texts...)
	w.refusals.mu.Unlock()
	for _, p := range workers {
		texts = append(texts, p.log.all())
	}
	texts = append(texts, mu.String())
	require.NotEmpty(t, texts)
	require.True(
		t, slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "DEBUG") }),
		"nothing was logged at debug level",
	)
	for _, text := range texts {
		for _, hidden := range []string{password, secret, card} {
			if at := strings.Index(text, hidden); at >= 0 {
				t.Fatalf("%q is in a log or an error: %s", hidden, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}
