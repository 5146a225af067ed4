package syncjob_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// hostile is a text that clears the screen, turns what follows around, hides, and forges a line.
const hostile = "a.txt\x1b[2J\u009b1m\u202e\u2066\u200b\u061c\x7f\u2028\xff\r\nrun 7 of job \"x\" is succeeded"

// spoil sets every text in a value, at any depth, to the hostile one, and fills each slice with one
// element.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" && v.CanSet() {
			v.SetString(hostile)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type() != reflect.TypeFor[time.Time]() && v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			spoil(v.Index(0))
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	}
}

func requirePrintable(t *testing.T, text string, lines int) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.Equal(t, lines, strings.Count(text, "\n"), text)
	for _, r := range strings.ReplaceAll(text, "\n", "") {
		require.False(t, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp), "%U in %q", r, text)
	}
}

func TestNoTextForgesALineOfAnExplanation(t *testing.T) {
	for _, status := range []states.Status{
		statuses.Starting, statuses.Running, statuses.Stopping, statuses.Finishing, statuses.Failed, states.Status(hostile),
	} {
		t.Run(fmt.Sprintf("%.9q", status), func(t *testing.T) {
			x := syncjob.Explanation{Run: states.Run{Status: status}}
			spoil(reflect.ValueOf(&x).Elem())
			requirePrintable(t, x.String(), 1) // that it is out of reach
			x.Unreachable = ""
			for _, line := range strings.Split(strings.TrimSuffix(x.String(), "\n"), "\n") {
				requirePrintable(t, line, 0)
				require.NotRegexp(t, `^run 7 `, line)
			}
			require.Contains(t, x.String(), `a.txt\x1b[2J\u009b1m\u202e`)
		})
	}
}

func TestNoTextForgesALineOfARepair(t *testing.T) {
	report := states.RepairReport{}
	spoil(reflect.ValueOf(&report).Elem())
	requirePrintable(t, report.String(), 2)
	requirePrintable(t, report.Damage[0].String(), 0)
	requirePrintable(t, states.Progress{Done: 1, Message: hostile}.String(), 0)
}

func TestPrintableKeepsWhatIsSeen(t *testing.T) {
	require.Equal(t, "größer: 日本 \\x1b 👍", syncjob.Printable("größer: 日本 \\x1b 👍"))
	requirePrintable(t, syncjob.Printable(hostile), 0)
}
