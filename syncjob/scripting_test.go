package syncjob_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// words is a language whose scripts are the word "fine".
type words struct{}

func (words) Compile(source string) (handlers.Script, error) {
	if source != "fine" {
		return nil, errors.New("1:1: not fine")
	}
	return words{}, nil
}

func (words) Attributes() handlers.Attributes { return handlers.Attributes{} }

func withScript(source string) func(*syncjob.Configuration) error {
	return func(c *syncjob.Configuration) error {
		c.Set.Script = source
		return nil
	}
}

func TestAScriptIsConfiguredOnlyWhereItCompiles(t *testing.T) {
	ctx := t.Context()
	shared := memstore.New(nil)
	m := managerOn(t, shared, set(t, handlers.SetConfig{Scripting: words{}}, noop))
	run := standing(t, m, syncjob.Job{Name: "a"})
	stop := work(t, m, syncjob.WorkerConfig{}) // publishes the set
	defer func() { require.NoError(t, stop()) }()
	_, err := m.Configure(ctx, "tree", nil, withScript("ill"))
	require.Equal(t, "Set.Script", fieldOf(t, err))
	require.ErrorContains(t, err, "does not compile: 1:1: not fine")
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{Run: run}, withScript("ill"))
	require.Equal(t, "Set.Script", fieldOf(t, err))
	bad := syncjob.Configuration{Set: handlers.Attributes{Script: "ill"}}
	_, err = m.Start(ctx, syncjob.Job{Name: "b", Set: "tree", Root: node{}, Configuration: &bad}, nil)
	require.Equal(t, "Configuration.Set.Script", fieldOf(t, err))
	is, err := m.Configuration(ctx, "tree", nil)
	require.NoError(t, err)
	require.Zero(t, is.Version, "nothing was written")

	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{By: "ann", Reason: "try it"}, withScript("fine"))
	require.NoError(t, err)
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{By: "ben"}, withScript(""))
	require.NoError(t, err)
	history, err := m.History(ctx, "tree", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"ben", "ann"}, []string{history[0].By, history[1].By})
	require.Equal(t, "fine", history[0].Before.Set.Script)

	operator := managerOn(t, shared, nil)
	require.Eventually(
		t,
		func() bool { sets, err := operator.Sets(ctx); return err == nil && len(sets) == 1 },
		time.Minute,
		time.Millisecond,
	)
	_, err = operator.Configure(ctx, "tree", nil, withScript("fine"))
	require.ErrorContains(t, err, `Set.Script can only be configured by a process that has the set "tree" in its registry`)
	_, err = m.Configure(ctx, "tree", nil, withScript("fine"))
	require.NoError(t, err)
	_, err = operator.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error {
		c.Kind("leaf").Timeout = time.Minute
		return nil
	})
	require.NoError(t, err, "what was compiled before may stay")
}

func fieldOf(t *testing.T, err error) string {
	t.Helper()
	var bad *syncjob.FieldError
	require.ErrorAs(t, err, &bad)
	return bad.Field
}
