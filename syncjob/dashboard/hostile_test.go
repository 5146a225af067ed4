package dashboard_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// Whatever users choose is shown as text on pages, and exactly in JSON; and each of these texts is
// really seen, or the test would not say much.
func TestHostileTextsOfAllPlacesAreText(t *testing.T) {
	h := scene.NewHostile(t)
	d := dashboard.New(h.M, open)
	get := func(page string) string {
		w := httptest.NewRecorder()
		d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+page, http.NoBody))
		return w.Body.String()
	}
	seen, told := make(map[string]bool), make(map[string]bool)
	addresses := scene.Pages(h.Failed, h.Busy, h.Task)
	for name, page := range addresses {
		body := get(page)
		require.NotContains(t, body, "could not be made", name)
		require.NotContains(t, body, "<script>alert", name)
		require.NotContains(t, body, "<img", name)
		require.NotRegexp(t, `(href|action|src)="\s*javascript:`, body, name)
		words := withoutAttributes(body)
		for _, sign := range []string{"\x1b", "\r", "\u202e", "\u2066", "\u200b"} {
			require.NotContains(t, words, sign, name)
		}
		plain := html.UnescapeString(words)
		for place, text := range h.Texts {
			inJSON := syncjob.Printable(strings.Trim(quoted(t, text), `"`))
			raw := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(inJSON, `\u003c`, "<"), `\u003e`, ">"), `\u0026`, "&")
			for _, form := range []string{syncjob.Printable(text), inJSON, raw} {
				seen[place] = seen[place] || strings.Contains(plain, form)
			}
		}
	}
	for _, call := range []string{
		"jobs", "runs", "run", "job", "explain", "timeline", "tasks", "task", "failures", "failure-groups", "queues", "workers",
		"lost-workers", "audit", "limits", "semaphores", "pauses",
	} {
		for _, of := range []string{"run-failed", "task"} {
			_, query, _ := strings.Cut(addresses[of], "?")
			body := get("api/v1/" + call + "?" + query)
			require.True(t, json.Valid([]byte(body)), body)
			require.NotContains(t, body, "<script>", "a browser that takes it for a page runs nothing")
			for place, text := range h.Texts {
				told[place] = told[place] || strings.Contains(body, strings.Trim(quoted(t, text), `"`))
			}
		}
	}
	for place := range h.Texts {
		require.True(t, seen[place], "no page shows %s: %q", place, h.Texts[place])
		told[place] = told[place] || place == "note" || place == "parameter" ||
			place == "reason of a change" // are on pages only
		require.True(t, told[place], "no call tells %s", place)
	}
	huge := "9007199254740993"
	require.Contains(t, get(addresses["run-failed"]), "9,007,199,254,740,993")
	_, query, _ := strings.Cut(addresses["run-failed"], "?")
	require.Contains(t, get("api/v1/run?"+query), `"bytes":"`+huge+`"`)
	require.Contains(t, html.UnescapeString(get(addresses["set"])), huge, "a parameter of a configuration")
	require.Contains(t, html.UnescapeString(get(addresses["failures"])), huge, "an argument")
}

// quoted is a text as JSON has it.
func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	require.NoError(t, err)
	return string(b)
}
