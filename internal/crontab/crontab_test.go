package crontab_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/crontab"
)

// nasty are zones whose clocks are changed at midnight, by half an hour, by a day, in the month of
// Ramadan, by rules that lie in the other half of the year, or that have a quarter of an hour.
var nasty = []string{
	"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "Africa/Cairo", "Africa/Casablanca",
	"America/Asuncion", "America/Havana", "America/Nuuk", "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll",
	"Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu", "Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Chatham",
}

// sample is an expression beside what it means, written down a second time.
type sample struct {
	spec string
	due  func(minute, hour, day int, month time.Month, weekday time.Weekday) bool
}

var samples = []sample{
	{"* * * * *", func(_, _, _ int, _ time.Month, _ time.Weekday) bool { return true }},
	{"*/15 * * * *", func(m, _, _ int, _ time.Month, _ time.Weekday) bool { return m%15 == 0 }},
	{"5/25 1-3 * * *", func(m, h, _ int, _ time.Month, _ time.Weekday) bool {
		return (m == 5 || m == 30 || m == 55) && h >= 1 && h <= 3
	}},
	{"@hourly", func(m, _, _ int, _ time.Month, _ time.Weekday) bool { return m == 0 }},
	{"@daily", func(m, h, _ int, _ time.Month, _ time.Weekday) bool { return m == 0 && h == 0 }},
	{"59 23 * * *", func(m, h, _ int, _ time.Month, _ time.Weekday) bool { return m == 59 && h == 23 }},
	{"30 0 * * *", func(m, h, _ int, _ time.Month, _ time.Weekday) bool { return m == 30 && h == 0 }},
	{"30 1 * * 4", func(m, h, _ int, _ time.Month, w time.Weekday) bool {
		return m == 30 && h == 1 && w == time.Thursday
	}},
	{"30 2 * * FRI-SUN", func(m, h, _ int, _ time.Month, w time.Weekday) bool {
		return m == 30 && h == 2 && (w >= time.Friday || w == time.Sunday)
	}},
	{"15,45 2 31 * ?", func(m, h, d int, _ time.Month, _ time.Weekday) bool {
		return (m == 15 || m == 45) && h == 2 && d == 31
	}},
	{"0 */6 1,15 * 7", func(m, h, d int, _ time.Month, w time.Weekday) bool {
		return m == 0 && h%6 == 0 && (d == 1 || d == 15 || w == time.Sunday)
	}},
	{"0 3 29 feb *", func(m, h, d int, mo time.Month, _ time.Weekday) bool {
		return m == 0 && h == 3 && d == 29 && mo == time.February
	}},
	{"1-59/29 0,2 */10 mar,apr-oct/3 *", func(m, h, d int, mo time.Month, _ time.Weekday) bool {
		return (m == 1 || m == 30 || m == 59) && (h == 0 || h == 2) && d%10 == 1 &&
			(mo == time.March || mo == time.April || mo == time.July || mo == time.October)
	}},
}

// compare walks over the minutes of a time, as the clocks of a zone show them, and requires each
// sample to be due when they first show a time that it means, or jump over one.
func compare(t *testing.T, name string, from, to time.Time) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	reading := func(at time.Time) time.Time {
		year, month, day := at.Date()
		return time.Date(year, month, day, at.Hour(), at.Minute(), 0, 0, time.UTC)
	}
	expressions := make([]*crontab.Expression, len(samples))
	next := make([]time.Time, len(samples))
	highest := from
	for at := from.Add(-48 * time.Hour); at.Before(from); at = at.Add(time.Minute) {
		if shown := reading(at.In(zone)); shown.After(highest) || highest.Equal(from) {
			highest = shown
		}
	}
	for i, s := range samples {
		expressions[i], err = crontab.Parse(s.spec)
		require.NoError(t, err)
		next[i] = expressions[i].Next(from.Add(-time.Nanosecond), zone)
	}
	for at := from; at.Before(to); at = at.Add(time.Minute) {
		shown := reading(at.In(zone))
		for i, s := range samples {
			due := false
			for r := highest.Add(time.Minute); !r.After(shown); r = r.Add(time.Minute) {
				due = due || s.due(r.Minute(), r.Hour(), r.Day(), r.Month(), r.Weekday())
			}
			if due != next[i].Equal(at) {
				require.Failf(
					t, "due at another time", "%q in %s at %v: due is %v, computed is %v", s.spec, name, at.In(zone), due,
					next[i],
				)
			}
			if due {
				next[i] = expressions[i].Next(at, zone)
			}
		}
		if shown.After(highest) {
			highest = shown
		}
	}
}

func TestDueTimesAreThoseOfAWalkOverMinutes(t *testing.T) {
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	names, until := nasty, from.AddDate(1, 0, 0)
	if os.Getenv("ROLLCALL_ALL_ZONES") != "" {
		names, until = everyZone(t), from.AddDate(10, 0, 0)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			compare(t, name, from, until)
		})
	}
}

// A day that a zone left out, one that it had twice, and a leap day.
func TestDueTimesAreThoseOfAWalkWhereADayIsMissingOrComesTwice(t *testing.T) {
	for name, day := range map[string]time.Time{
		"Pacific/Apia":      time.Date(2011, 12, 30, 0, 0, 0, 0, time.UTC),
		"Pacific/Kwajalein": time.Date(1993, 8, 21, 0, 0, 0, 0, time.UTC),
		"Pacific/Guam":      time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		"Asia/Manila":       time.Date(1978, 3, 22, 0, 0, 0, 0, time.UTC),
		"America/Caracas":   time.Date(2016, 5, 1, 0, 0, 0, 0, time.UTC),
	} {
		compare(t, name, day.AddDate(0, 0, -40), day.AddDate(0, 0, 40))
	}
}

// everyZone lists the names of the time zone database of this machine.
func everyZone(t *testing.T) (names []string) {
	const root = "/usr/share/zoneinfo"
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, root+"/")
		if err != nil || entry.IsDir() || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
			return err
		}
		if _, bad := time.LoadLocation(name); bad == nil {
			names = append(names, name)
		}
		return nil
	}))
	require.Greater(t, len(names), 400)
	return names
}

func TestARuleHoldsWhereClocksAreChanged(t *testing.T) {
	for _, c := range []struct {
		what, spec, zone, after string
		want                    []string
	}{
		{"midnight does not exist on 30 April", "30 1 * * 4", "Africa/Cairo", "2027-04-28T00:00:00Z",
			[]string{"2027-04-29T01:30:00+02:00", "2027-05-06T01:30:00+03:00"}},
		{"a day begins at one", "@daily", "Africa/Cairo", "2027-04-28T23:00:00Z",
			[]string{"2027-04-30T01:00:00+03:00", "2027-05-01T00:00:00+03:00"}},
		{"a day ends twice", "30 23 * * *", "Africa/Cairo", "2027-10-28T00:00:00Z",
			[]string{"2027-10-28T23:30:00+03:00", "2027-10-29T23:30:00+02:00"}},
		{"02:30 does not exist", "30 2 * * *", "Europe/Berlin", "2027-03-27T03:00:00Z",
			[]string{"2027-03-28T03:00:00+02:00", "2027-03-29T02:30:00+02:00"}},
		{"several that do not exist", "*/20 2 * * *", "Europe/Berlin", "2027-03-27T03:00:00Z",
			[]string{"2027-03-28T03:00:00+02:00", "2027-03-29T02:00:00+02:00"}},
		{"02:30 comes twice", "30 2 * * *", "Europe/Berlin", "2027-10-31T00:00:00Z",
			[]string{"2027-10-31T02:30:00+02:00", "2027-11-01T02:30:00+01:00"}},
		{"an hour comes twice", "@hourly", "Europe/Berlin", "2027-10-30T23:30:00Z",
			[]string{"2027-10-31T02:00:00+02:00", "2027-10-31T03:00:00+01:00"}},
		{"half an hour does not exist", "15 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z",
			[]string{"2027-10-03T02:30:00+11:00", "2027-10-04T02:15:00+11:00"}},
		{"half an hour comes twice", "45 1 * * *", "Australia/Lord_Howe", "2027-04-03T00:00:00Z",
			[]string{"2027-04-04T01:45:00+11:00", "2027-04-05T01:45:00+10:30"}},
		{"what is there beside it", "45 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z",
			[]string{"2027-10-03T02:45:00+11:00", "2027-10-04T02:45:00+11:00"}},
		{"no leap day in 2100", "0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z",
			[]string{"2104-02-29T00:00:00Z", "2108-02-29T00:00:00Z"}},
		{"before the epoch", "30 4 1 1 *", "Europe/Paris", "1905-06-01T00:00:00Z",
			[]string{"1906-01-01T04:30:00+00:09", "1907-01-01T04:30:00+00:09"}},
	} {
		e, err := crontab.Parse(c.spec)
		require.NoError(t, err)
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		at, err := time.Parse(time.RFC3339, c.after)
		require.NoError(t, err)
		var got []string
		for range c.want {
			at = e.Next(at, zone)
			got = append(got, at.Format(time.RFC3339))
		}
		require.Equal(t, c.want, got, c.what)
	}
}

func TestTwoWaysToWriteAnExpression(t *testing.T) {
	for one, other := range map[string]string{
		"@yearly":                       "0 0 1 1 *",
		"@ANNUALLY":                     "@yearly",
		"@monthly":                      "0 0 1 * ?",
		"@weekly":                       "0 0 ? * SUN",
		"@midnight":                     "@daily",
		" 0\t0 * *  7 ":                 "0 0 * * 0",
		"0 0 * * 5-7":                   "0 0 * * sun,fri,Sat",
		"0 0 * * fri-sun":               "0 0 * * 5-0",
		"0 0 * * 0-7":                   "0 0 * * *",
		"0 0 * * 7/2":                   "0 0 * * SUN",
		"0 0 * * 4/2":                   "0 0 * * 4,6",
		"0 0 */1 * *":                   "0 0 * * *",
		"50/3 * * * *":                  "50,53,56,59 * * * *",
		"0 0 1 JAN-MAR,DEC *":           "0 0 1 1,2,3,12 *",
		"0 0 1-31/300 * *":              "0 0 1 * *",
		"007 0 1 1 *":                   "7 0 1 1 *",
		"0 0 1,*/10 * *":                "0 0 1,11,21,31 * *",
		"0 0 1,* * 1":                   "0 0 * * 1",
		"0 0 30 2 mon":                  "0 0 30 2 1",
		"*/7 10-20/5 5-25/10 */4 1-5/2": "0,7,14,21,28,35,42,49,56 10,15,20 5,15,25 1,5,9 1,3,5",
	} {
		a, err := crontab.Parse(one)
		require.NoError(t, err)
		b, err := crontab.Parse(other)
		require.NoError(t, err)
		at, bt := time.Unix(0, 0), time.Unix(0, 0)
		for range 50 {
			at, bt = a.Next(at, time.UTC), b.Next(bt, time.UTC)
			require.Equal(t, at, bt, "%q and %q", one, other)
		}
	}
}

func TestExpressionsThatAreNoneSayWhatIsWrong(t *testing.T) {
	for spec, want := range map[string]string{
		"":                    "it has 0",
		"* * * *":             "it has 4",
		"0 * * * * *":         "it has 6",
		"60 24 0 13 8":        "minute has 60, which is not between 0 and 59; hour has 24",
		"-1 * * * *":          `minute has "", which it does not know`,
		"* * * * * ":          "",
		"? * * * *":           `minute has "?"`,
		"1, * * * *":          `minute has "", which`,
		"5-1 * * * *":         "begins after its end",
		"*/0 * * * *":         `the step "0"`,
		"*/ * * * *":          `the step ""`,
		"*/-5 * * * *":        `the step "-5"`,
		"1/2/3 * * * *":       `the step "2/3"`,
		"*-5 * * * *":         `minute has "*"`,
		"1-2-3 * * * *":       `minute has "2-3"`,
		"+5 * * * *":          `minute has "+5"`,
		"00000000005 * * * *": "minute has",
		"* * L * *":           `day of month has "L"`,
		"* * 15W * *":         `day of month has "15W"`,
		"* * * * 5#2":         `day of week has "5#2"`,
		"* * * january *":     `month has "january"`,
		"* jan * * *":         `hour has "jan"`,
		"0 0 30 2 *":          "is never due",
		"0 0 31 2,4,6,9,11 ?": "is never due",
		"@every 5m":           "it has 2",
		"@reboot":             "is not one of @yearly",
		"TZ=UTC * * * * *":    "it has 6",
	} {
		_, err := crontab.Parse(spec)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want, "%q", spec)
	}
	_, err := crontab.Parse("0 0 30 2 *")
	require.ErrorIs(t, err, crontab.ErrNever)
}

func FuzzParse(f *testing.F) {
	for _, s := range samples {
		f.Add(s.spec, int64(0))
	}
	f.Fuzz(func(t *testing.T, spec string, after int64) {
		e, err := crontab.Parse(spec)
		if err != nil {
			return
		}
		at := time.Unix(after%(1<<36), 0)
		next := e.Next(at, time.UTC)
		require.True(t, next.After(at))
		require.Less(t, next.Sub(at), 9*366*24*time.Hour)
	})
}
