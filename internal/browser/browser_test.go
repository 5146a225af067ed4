package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// browse starts a browser for the test. complaints returns what it complained about since the last
// call: errors on the console, violations of the policy, requests that failed.
func browse(t *testing.T) (ctx context.Context, complaints func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("ROLLCALL_REQUIRE_BROWSER") != "" {
			t.Fatal("chromium is required: ", err)
		}
		t.Skip("no chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(stop)
	var mu sync.Mutex
	var list []string
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, fmt.Sprintf(format, args...))
	}
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError {
				complain("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				complain("console: %v", e.Args)
			}
		case *runtime.EventExceptionThrown:
			complain("exception: %s", e.ExceptionDetails.Error())
		case *network.EventLoadingFailed:
			if !e.Canceled { // a page that was left cancels its requests
				complain("request failed: %s", e.ErrorText)
			}
		}
	})
	require.NoError(t, chromedp.Run(ctx, network.Enable(), log.Enable()))
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		seen := list
		list = nil
		return seen
	}
}

// house is a scene with a worker and things to see, and its pages below a prefix.
type house struct {
	*scene.Place
	server *httptest.Server
	url    string // of the first page
	failed *syncjob.Run
	busy   *syncjob.Run
	task   string // runs in busy
}

// long is a name that fits nowhere, and that looks like markup.
const long = "import/<b>tenant-0001</b>/2026-11-30/a-very-long-name-without-any-place-to-break-it-in-two-parts"

func build(t *testing.T) *house {
	t.Helper()
	h := &house{Place: scene.New(t, nil)}
	h.Work()
	broken := "open /data/<script>alert(1)</script>.jpg: " + strings.Repeat("no-such-file", 20)
	h.failed = h.Ended(h.Started(long, scene.Leaf{Fail: broken}, scene.Leaf{}, scene.Leaf{}))
	h.busy = h.Started("busy", scene.Leaf{Block: true})
	h.Nightly(t.Context(), "nightly")
	require.NoError(t, h.M.Pause(syncjob.WithActor(t.Context(), "ann"), syncjob.Scope{Queue: "gpu"}, "new driver"))
	h.task = h.Reporting(h.busy)
	mux := http.NewServeMux()
	mux.Handle("/ops/rollcall/", dashboard.New(h.M, dashboard.Options{
		Authorize: func(*http.Request, dashboard.Action) error { return nil }, Payload: dashboard.ShowPayloads,
		Produce: true,
	}))
	mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h.server = httptest.NewServer(mux)
	t.Cleanup(h.server.Close)
	h.url = h.server.URL + "/ops/rollcall/"
	return h
}

func (h *house) pages() map[string]string { return scene.Pages(h.failed, h.busy, h.task) }

// picture keeps what the browser shows.
func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	var png []byte
	require.NoError(t, chromedp.Run(ctx, chromedp.FullScreenshot(&png, 100)))
	require.NoError(t, os.MkdirAll("pictures", 0o755))
	require.NoError(t, os.WriteFile(filepath.Join("pictures", name+".png"), png, 0o600))
}

func TestEveryPageFitsAndComplainsAboutNothing(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	for _, screen := range []struct {
		name          string
		width, height int64
		scheme        string
	}{{"wide", 1200, 800, "light"}, {"dark", 1200, 800, "dark"}, {"phone", 360, 740, "light"}} {
		require.NoError(t, chromedp.Run(ctx,
			chromedp.EmulateViewport(screen.width, screen.height),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: screen.scheme}}),
		))
		for name, page := range h.pages() {
			var overflow int64
			var unlabelled []string
			require.NoError(t, chromedp.Run(ctx,
				chromedp.Navigate(h.url+page),
				chromedp.WaitVisible("main h1"),
				chromedp.Evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth", &overflow),
				chromedp.Evaluate(`[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
					.filter(f => !f.labels.length).map(f => f.name)`, &unlabelled),
			))
			picture(t, ctx, name+"-"+screen.name)
			want := 0
			if name == "missing" {
				want = 1 // that there is no such task
			}
			require.Len(t, complaints(), want, "%s on %s", name, screen.name)
			require.Zero(t, overflow, "%s on %s is wider than its window", name, screen.name)
			require.Empty(t, unlabelled, "%s: fields without a label", name)
		}
	}
}

func TestAPageFollowsWhatHappens(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(h.url+"jobs"), chromedp.WaitVisible("main h1"), chromedp.Evaluate("window.same = true", nil),
	))
	_, err := h.M.Start(t.Context(), syncjob.Job{Name: "newcomer", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	same := false
	require.NoError(t, chromedp.Run(ctx,
		chromedp.WaitVisible(`//a[text()="newcomer"]`, chromedp.BySearch), chromedp.Evaluate("window.same === true", &same),
	))
	require.True(t, same, "the page was not loaded again as a whole")
	require.Empty(t, complaints())
}

func TestAReaderActsOnARun(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	var text string
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(h.url+h.pages()["run-busy"]),
		chromedp.Click(`//a[text()="Stop"]`, chromedp.BySearch),
		chromedp.WaitVisible("form.ask"),
		chromedp.SendKeys(`input[name="reason"]`, "the disk is <full>"),
		chromedp.Click("form.ask button"),
		chromedp.WaitVisible(".done"),
		chromedp.Text("main", &text),
	))
	require.Contains(t, text, "The run was stopped.")
	final, err := h.busy.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Stopped, final.Status)
	require.Equal(t, "the disk is <full>", final.Reason)

	// The configuration is edited, refused with what was written kept, and stored.
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(h.url+"act?action=configure&set=tree"),
		chromedp.WaitVisible("textarea"),
		chromedp.SetValue("textarea", `{"set": {"max_retrys": 2}}`),
		chromedp.Click("form.ask button"),
		chromedp.WaitVisible("[role=alert]"),
		chromedp.Text("[role=alert]", &text),
	))
	require.Contains(t, text, "max_retrys")
	require.Len(t, complaints(), 1, "the answer 400 is on the console, and nothing else")
	require.NoError(t, chromedp.Run(ctx,
		chromedp.SetValue("textarea", `{"set": {"max_retries": 2}}`),
		chromedp.Click("form.ask button"),
		chromedp.WaitVisible(".done"),
	))
	c, err := h.M.Configuration(t.Context(), "tree", nil)
	require.NoError(t, err)
	require.Equal(t, 2, c.Configuration.Set.MaxRetries)
	require.Empty(t, complaints())
}

// A program in another language than Go gives work to a handler in Go.
func TestAProgramInJavaScriptEnqueuesTasks(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	const program = `(async () => {
		const call = async (name, body) => {
			const answer = await fetch("api/v1/" + name, {
				method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
			});
			if (!answer.ok) throw new Error(await answer.text());
			return answer.json();
		};
		const run = await call("start", { job: "feed", set: "tree", open: true, key: "once" });
		for (let i = 0; i < 3; i++) {
			await call("enqueue", { job: "feed", kind: "leaf", args: i ? {} : { fail: "by JavaScript" }, id: "task-" + i % 2 });
		}
		await call("act", { action: "seal-run", job: "feed", run: run.run });
		return run.run;
	})()`
	var number string
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(h.url), chromedp.WaitVisible("main h1"),
		chromedp.Evaluate(program, &number, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }),
	))
	n, err := strconv.ParseInt(number, 10, 64)
	require.NoError(t, err, "the number is a string")
	final, err := h.M.Run("feed", n).Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, final.Counts.Failed)
	require.Equal(t, "by JavaScript", final.LastError)
	require.Empty(t, complaints())
}

func TestPagesWorkWithoutScript(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	var text string
	require.NoError(t, chromedp.Run(ctx,
		emulation.SetScriptExecutionDisabled(true),
		chromedp.Navigate(h.url+"jobs"), chromedp.WaitVisible("main h1"),
		chromedp.Click(`//a[text()="busy"]`, chromedp.BySearch), chromedp.WaitVisible(".acts"),
		chromedp.Click(`//a[text()="Stop"]`, chromedp.BySearch), chromedp.WaitVisible("form.ask"),
		chromedp.Click("form.ask button"), chromedp.WaitVisible(".done"),
		chromedp.Text(".done", &text),
	))
	require.Equal(t, "The job was stopped.", text)
	require.Empty(t, complaints())
}

func TestAnotherSiteCannotAct(t *testing.T) {
	ctx, _ := browse(t)
	h := build(t)
	form := map[string]string{"action": "stop-run", "job": "busy", "run": strconv.FormatInt(h.busy.Number(), 10)}
	fields, err := json.Marshal(form)
	require.NoError(t, err)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<form method="post" action="%sact"></form><script>
			for (const [name, value] of Object.entries(%s)) {
				const field = document.createElement("input");
				field.name = name; field.value = value; document.forms[0].append(field);
			}
			document.forms[0].submit();</script>`, h.url, fields)
	}))
	defer evil.Close()
	require.NoError(t, chromedp.Run(ctx, chromedp.Navigate(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1))))
	require.NoError(t, chromedp.Run(ctx, chromedp.WaitReady("body")))
	require.Eventually(t, func() bool {
		var body string
		require.NoError(t, chromedp.Run(ctx, chromedp.Text("body", &body)))
		return strings.Contains(body, "cross-origin") || strings.Contains(strings.ToLower(body), "forbidden")
	}, 20*time.Second, 50*time.Millisecond)
	s, err := h.busy.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Running, s.Status)
}

// An action on all jobs that are shown goes on step by step by itself, and says when it is done.
func TestAReaderActsOnManyJobs(t *testing.T) {
	ctx, complaints := browse(t)
	h := build(t)
	h.Started("many/1", scene.Leaf{Block: true})
	h.Started("many/2", scene.Leaf{Block: true})
	var text string
	require.NoError(t, chromedp.Run(ctx,
		chromedp.Navigate(h.url+"jobs?prefix=many"),
		chromedp.Click(`//section[@aria-labelledby="many"]//a[text()="Stop"]`, chromedp.BySearch),
		chromedp.WaitVisible("form.ask"), chromedp.Text("main", &text),
	))
	require.Contains(t, text, "2 jobs selected: 2 would change, with 2 tasks.")
	picture(t, ctx, "many-asked")
	require.NoError(t, chromedp.Run(ctx,
		chromedp.SendKeys(`input[name="reason"]`, "maintenance"), chromedp.Click("form.ask button"),
		chromedp.WaitVisible(".done"), chromedp.Text("main", &text),
	))
	require.Contains(t, text, "It is done. 2 jobs selected: 2 changed, with 2 tasks.")
	picture(t, ctx, "many-done")
	require.Empty(t, complaints())
}
