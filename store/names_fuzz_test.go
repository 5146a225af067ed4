package store_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// hostileNames are what users, and attackers, call things.
var hostileNames = []string{
	"", " ", "a", "A-b_c.9", "-a", ".", "_", "a b", "a/b", "a:b", "a@b", "{a}", "}", "{", "a{b}c", "@pre", "*", "a\nb", "a\r", "\x00", "a\x00b",
	"\x7f", "\xff", "\xc3\x28", "ünïcode", "import/42", " lead", "trail ", "trail\u00a0", "\u2028", "a\u0085", "👩‍🚀", "a\u202eb", "a\u200bb", "a\u00a0b", "a\u2066b\u2069", "a\ufe0f",
	strings.Repeat("a", bounds.MaxNameLen), strings.Repeat("a", bounds.MaxNameLen+1),
	strings.Repeat("j", bounds.MaxJobNameLen), strings.Repeat("j", bounds.MaxJobNameLen+1),
	strings.Repeat("i", bounds.MaxTaskIDLen), strings.Repeat("i", bounds.MaxTaskIDLen+1), strings.Repeat("x", 10_000),
}

// requireField checks that err is typed and names the field.
func requireField(t *testing.T, field string, err error) {
	t.Helper()
	var fieldErr *store.FieldError
	require.ErrorAs(t, err, &fieldErr)
	require.Equal(t, field, fieldErr.Field)
	require.NotEmpty(t, fieldErr.Reason)
	require.ErrorIs(t, err, store.ErrInvalid)
}

func FuzzValidateName(f *testing.F) {
	for _, name := range hostileNames {
		f.Add(name)
	}
	allowed := regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z`)
	f.Fuzz(func(t *testing.T, name string) {
		err := store.ValidateName("Queue", name)
		if allowed.MatchString(name) {
			require.NoError(t, err)
			return
		}
		requireField(t, "Queue", err)
	})
}

func FuzzValidateJobName(f *testing.F) {
	fuzzText(f, "Name", bounds.MaxJobNameLen, seen(store.ValidateJobName))
}

func FuzzValidateSemaphoreKey(f *testing.F) {
	fuzzText(f, "Key", bounds.MaxSemaphoreKeyLen, seen(store.ValidateSemaphoreKey))
}

// seen is a validator of what people compare by eye, checked: it accepts no character that changes
// how text is shown, and no space but one.
func seen(validate func(string) error) func(string) error {
	return func(name string) error {
		err := validate(name)
		if err == nil && strings.ContainsFunc(name, hides) {
			panic("accepted: " + strconv.Quote(name))
		}
		return err
	}
}

func hides(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Bidi_Control, unicode.Variation_Selector) && r != ' '
}

// What reads alike, or otherwise than it is stored, is no name.
func TestNamesHoldOnlyWhatIsSeen(t *testing.T) {
	for field, validate := range map[string]func(string) error{
		"Name": store.ValidateJobName, "Key": store.ValidateSemaphoreKey,
	} {
		for _, r := range []rune{
			0, '\n', 0x1b, 0x7f, 0x85, 0x9b, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029,
			0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0x206f, 0x2800, 0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xe0041,
		} {
			requireField(t, field, validate("a"+string(r)+"b"))
		}
		require.ErrorContains(t, validate("pay\u202eroll"), "U+202E")
		for _, name := range []string{"Übergrößen/7", "日本", "e\u0301", "👍", "שלום", "\U0010f000", "\u0378"} {
			require.NoError(t, validate(name), name)
		}
	}
}

func FuzzValidateTaskID(f *testing.F) {
	fuzzText(f, "ID", bounds.MaxTaskIDLen, store.ValidateTaskID)
}

// fuzzText checks a validator of free text: what it accepts can be stored,
// shown on one line and sent as JSON, and comes back as it was.
func fuzzText(f *testing.F, field string, limit int, validate func(string) error) {
	f.Helper()
	for _, name := range hostileNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := validate(name); err != nil {
			requireField(t, field, err)
			plain := name != "" && len(name) <= limit && regexp.MustCompile(`\A[!-~]*\z`).MatchString(name)
			require.False(t, plain, "visible ASCII is always allowed")
			return
		}
		require.NotEmpty(t, name)
		require.LessOrEqual(t, len(name), limit)
		require.True(t, utf8.ValidString(name))
		require.NotContains(t, name, "\n")
		require.NotContains(t, name, "\x00")

		encoded, err := json.Marshal(name)
		require.NoError(t, err)
		var decoded string
		require.NoError(t, json.Unmarshal(encoded, &decoded))
		require.Equal(t, name, decoded)

		for _, bad := range []string{name + " ", "\t" + name, name + "\n", name + "\x00" + name, name + "\xff"} {
			requireField(t, field, validate(bad))
		}
	})
}

func FuzzPartitionOf(f *testing.F) {
	for _, name := range hostileNames {
		f.Add(name, 16)
	}
	f.Add("a", 0)
	f.Add("a", -1)
	f.Fuzz(func(t *testing.T, job string, n int) {
		if n > 1<<16 {
			return // far above any number of partitions
		}
		p := store.PartitionOf(job, n)
		require.GreaterOrEqual(t, p, 0)
		require.Less(t, p, max(n, 1))
		require.Equal(t, p, store.PartitionOf(job, n))
	})
}

func TestPartitionsAreTheStoredFormat(t *testing.T) {
	got := map[string]int{}
	for _, job := range []string{"", "a", "nightly", "import/42", "ünïcode"} {
		got[job] = store.PartitionOf(job, 16)
	}
	require.Equal(t, map[string]int{"": 5, "a": 12, "nightly": 10, "import/42": 7, "ünïcode": 11}, got,
		"a change would lose every job of a partitioned namespace")
}

func TestPartitionsAreEven(t *testing.T) {
	const jobs, partitions = 16_000, 16
	var load [partitions]int
	for i := range jobs {
		load[store.PartitionOf("import/"+strconv.Itoa(i), partitions)]++
	}
	for p, n := range load {
		require.InDelta(t, jobs/partitions, n, jobs/partitions/4, "partition %d", p)
	}
}
