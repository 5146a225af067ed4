package dashboard_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

func TestResultsOfTasksAreShownWherePayloadsAre(t *testing.T) {
	for _, opts := range []dashboard.Options{open, {Authorize: open.Authorize}} {
		p := newPlace(t, opts)
		p.Work()
		r := p.Ended(p.Started("a", leaf{Bytes: 4711}))
		status, body := p.get("api/v1/results", of(r)...)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, body, `"kind":"leaf"`)
		if opts.Payload != nil {
			require.Contains(t, body, `"value":4711`)
		} else {
			require.NotContains(t, body, "4711")
		}
		status, body = p.get("api/v1/results", append(of(r), "kind", "other")...)
		require.Equal(t, http.StatusOK, status)
		require.NotContains(t, body, `"kind"`)
	}
}
