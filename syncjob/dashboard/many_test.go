package dashboard_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// manyActs has a scene for each action on many jobs: it makes two jobs "import/…" that it changes, and
// one that it must leave, and returns what must hold for one of them after it.
var manyActs = map[string]func(p *place) func(job string) (changed bool){
	"stop-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) { p.Started(job, leaf{}) }, func(s states.Job) bool { return s.Run.Status == states.Stopped })
	},
	"pause-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) { p.Started(job, leaf{}) }, func(s states.Job) bool { return s.Run.Paused })
	},
	"resume-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) { require.NoError(p.t, p.Started(job, leaf{}).Pause(p.t.Context())) },
			func(s states.Job) bool { return !s.Run.Paused })
	},
	"enable-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) {
			_, err := p.M.Ensure(p.t.Context(), syncjob.Job{
				Name: job, Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Cron: "@yearly"},
			})
			require.NoError(p.t, err)
			require.NoError(p.t, p.M.Stop(p.t.Context(), job, nil))
		}, func(s states.Job) bool { return !s.Disabled })
	},
	"retry-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) { p.failed(job) }, func(s states.Job) bool { return s.Run.Retried > 0 })
	},
	"discard-jobs": func(p *place) func(string) bool {
		return p.three(func(job string) { p.failed(job) }, func(s states.Job) bool { return s.Run.Counts.Cancelled == 1 })
	},
}

func (p *place) three(start func(job string), holds func(states.Job) bool) func(string) bool {
	for _, job := range []string{"import/1", "import/2", "other"} {
		start(job)
	}
	return func(job string) bool {
		s, err := p.M.State(p.t.Context(), job)
		require.NoError(p.t, err)
		return holds(s)
	}
}

// First a page says which jobs, and how many; nothing is done yet. Then it is done to these, in the
// name of the user, and to no other. Programs do the same by JSON.
func TestAnActionOnManyJobsIsShownFirstAndThenDone(t *testing.T) {
	for name, scene := range manyActs {
		t.Run(name, func(t *testing.T) {
			opts, asked := asAnn()
			p := newPlace(t, opts)
			changed := scene(p)
			form := []string{"action", name, "prefix", "import/"}
			status, page := p.get("act", form...)
			require.Equal(t, http.StatusOK, status, page)
			require.Contains(t, page, "2 jobs selected: 2 would change, with ")
			require.Contains(t, page, "name begins with import/")
			require.Contains(t, page, ">import/1<")
			require.NotContains(t, page, ">other<")
			body := map[string]any{"action": name, "jobs": map[string]any{"prefix": "import/"}, "dry_run": true}
			status, would := p.postJSON("act-on-jobs", body)
			require.Equal(t, http.StatusOK, status, would)
			require.Len(t, would["jobs"], 2)
			require.False(t, changed("import/1"))

			status, page = p.post(append(form, "reason", "because", "of", "2")...)
			require.Equal(t, http.StatusOK, status, page)
			require.Contains(t, page, "It is done. 2 jobs selected: 2 changed, with ")
			require.NotContains(t, page, "data-onward")
			require.True(t, changed("import/1"))
			require.True(t, changed("import/2"))
			require.False(t, changed("other"))
			last := asked()[len(asked())-1]
			require.Equal(t, dashboard.Action{Name: name, Jobs: &dashboard.JobFilter{Prefix: "import/"}}, last)
			for e, err := range p.M.Audit(t.Context(), nil) {
				require.NoError(t, err)
				require.Equal(t, []string{"ann", "because"}, []string{e.By, e.Reason}, "%+v", e)
				break // the newest
			}
			body["dry_run"] = false
			status, done := p.postJSON("act-on-jobs", body)
			require.Equal(t, http.StatusOK, status, done)
			require.Equal(t, false, done["more"])
			require.InDelta(t, 2, done["result"].(map[string]any)["matched"], 0)
		})
	}
}

func keys[V any](m map[string]V) (list []string) {
	for name := range m {
		list = append(list, name)
	}
	return list
}

// A filter that is lost, or is none, touches no job.
func TestAnActionOnManyJobsNeedsAFilter(t *testing.T) {
	p := newPlace(t, open)
	r := p.Started("a", leaf{})
	for _, c := range []struct {
		form []string
		text string
	}{
		{nil, "All"}, {[]string{"label", "tenant"}, "key=value"}, {[]string{"group", "nonsense"}, "Group"},
		{[]string{"status", "nonsense"}, "Statuses"}, {[]string{"all", "yes", "so-far", "{"}, "done before"},
		{[]string{"set", "\x00"}, "Set"},
	} {
		form := append([]string{"action", "pause-jobs"}, c.form...)
		status, page := p.post(form...)
		require.Equal(t, http.StatusBadRequest, status, "%v %s", form, page)
		require.Contains(t, page, c.text)
	}
	status, answer := p.postJSON("act-on-jobs", map[string]any{"action": "stop-jobs"})
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer["error"], "All")
	status, answer = p.postJSON("act-on-jobs", map[string]any{"action": "stop-jobs", "all": true, "kinds": []string{"leaf"}})
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, answer["error"], "Kinds")
	status, _ = p.postJSON("act-on-jobs", map[string]any{"action": "stop-run", "all": true})
	require.Equal(t, http.StatusNotFound, status)
	status, _ = p.postJSON("act", map[string]any{"action": "stop-jobs", "prefix": "a"})
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, states.Running, p.state(r).Status)
}

// hidden are the hidden fields of a form.
var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// What does not fit into the time of a request goes on with the next one, and the page adds up.
func TestAnActionOnManyJobsGoesOnInSteps(t *testing.T) {
	defer dashboard.SetStepTime(-time.Second)() // each request does one job
	p := newPlace(t, open)
	const jobs = 5
	for i := range jobs {
		p.Started("import/"+strconv.Itoa(i), leaf{})
	}
	status, page := p.get("act", "action", "stop-jobs", "prefix", "import/")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "There are more than could be counted")
	form := []string{"action", "stop-jobs", "prefix", "import/", "of", strconv.Itoa(jobs)}
	for i := range jobs {
		status, page = p.post(form...)
		require.Equal(t, http.StatusOK, status, page)
		require.Contains(t, page, "data-onward")
		require.Contains(t, page, strconv.Itoa(i+1)+" changed, with ")
		form = nil
		for _, f := range hidden.FindAllStringSubmatch(page, -1) {
			form = append(form, f[1], html.UnescapeString(f[2]))
		}
	}
	status, page = p.post(form...)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "It is done. 5 jobs selected: 5 changed, with 5 tasks.")

	// The failed tasks of one run may need several steps, too.
	r := p.failed("failed")
	for range 600 {
		p.Enqueued(r, leaf{Fail: "no"}, nil)
	}
	p.Eventually("all have failed", func() bool { return p.state(r).Counts.Failed == 601 })
	body, moved, steps := map[string]any{"action": "discard-jobs", "all": true}, int64(0), 0
	for more := true; more; steps++ {
		status, answer := p.postJSON("act-on-jobs", body)
		require.Equal(t, http.StatusOK, status, answer)
		n, err := strconv.ParseInt(answer["result"].(map[string]any)["tasks"].(string), 10, 64)
		require.NoError(t, err)
		moved += n
		more, body["after"] = answer["more"].(bool), answer["next"]
	}
	require.EqualValues(t, 601, moved)
	require.Greater(t, steps, 3)
	require.EqualValues(t, 601, p.state(r).Counts.Cancelled)
}

func TestTheFilterOfJobsSelects(t *testing.T) {
	p := newPlace(t, open)
	p.Started("import/1", leaf{})
	p.Started("other", leaf{})
	_, page := p.get("jobs", "prefix", "import/", "status", "running", "set", "tree")
	require.Contains(t, page, ">import/1<")
	require.NotContains(t, page, ">other<")
	require.Contains(t, page, "action=stop-jobs&amp;prefix=import%2F&amp;set=tree&amp;status=running")
	_, page = p.get("jobs")
	for name := range manyActs {
		require.Contains(t, page, "action="+name+"&amp;all=yes")
	}
	for _, wrong := range []url.Values{{"label": {"x"}}, {"status": {"nonsense"}}, {"group": {"nonsense"}}} {
		for _, at := range []string{"jobs?", "api/v1/jobs?"} {
			res := p.do(http.MethodGet, p.url+at+wrong.Encode(), nil, nil)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusBadRequest, res.StatusCode, "%s%v", at, wrong)
		}
	}
}
