package printable_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/printable"
)

func TestWhatIsSeenStays(t *testing.T) {
	for _, text := range []string{
		"", "plain", `C:\temp\x1b`, "ünïcode", "e\u0301", "日本語.txt", "עברית", "العربية", "हिन्दी", "👍", "\ufffd", "\ue000", "a  b", `"quoted"`,
	} {
		require.True(t, printable.String(text), text)
		require.Equal(t, text, printable.Text(text))
	}
}

func TestWhatActsOnATerminalOrIsNotSeenIsEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"a\nrun 1 succeeded":      `a\nrun 1 succeeded`,
		"a\r\tb":                  `a\r\tb`,
		"\x1b[2J\x1b]0;title\x07": `\x1b[2J\x1b]0;title\x07`,
		"\u009b2J":                `\u009b2J`,
		"\x00\x7f":                `\x00\x7f`,
		"cod\u202etxt.exe":        `cod\u202etxt.exe`,
		"a\u200bb\u200d\ufeff":    `a\u200bb\u200d\ufeff`,
		"\u2028\u2029":            `\u2028\u2029`,
		"\u00ad\u034f\u115f":      `\u00ad\u034f\u115f`,
		"\u3164\ufe0f\uffa0":      `\u3164\ufe0f\uffa0`,
		"a\u00a0b\u3000\u2800":    `a\u00a0b\u3000\u2800`,
		"\U000e0041\U000e0100":    `\U000e0041\U000e0100`,
		"\xff\xc3(":               `\xff\xc3(`,
		"\xed\xa0\x80":            `\xed\xa0\x80`, // half of a surrogate pair
	} {
		require.False(t, printable.String(text), "%q", text)
		require.Equal(t, want, printable.Text(text))
	}
}

// Each by its number, as the lists of bidirectional and zero-width characters name them.
func TestNoMarkIsForgotten(t *testing.T) {
	span := func(from, to rune) {
		for r := from; r <= to; r++ {
			require.False(t, printable.Rune(r), "%U", r)
		}
	}
	span(0, 0x1f)
	span(0x7f, 0x9f)
	span(0x061c, 0x061c)
	span(0x200b, 0x200f)
	span(0x2028, 0x202e)
	span(0x2060, 0x206f)
	span(0xfe00, 0xfe0f)
	span(0xfeff, 0xfeff)
	span(0xe0000, 0xe0fff)
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"", "a\nb", "\x1b[0m", "\u202e", "\xff", "日本", "\U000e0041", `\n`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := printable.Text(text)
		require.True(t, utf8.ValidString(safe))
		require.True(t, printable.String(safe))
		require.Equal(t, safe, printable.Text(safe))
		for _, r := range safe {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Bidi_Control, r), "%U", r)
		}
		require.Equal(t, printable.String(text), safe == text)
		require.Len(t, strings.Split(safe, "\n"), 1)
	})
}

func TestJSONWithEscapesMeansTheSame(t *testing.T) {
	for _, text := range []string{"plain", "\u202e\u200b<b>\x1b[31m", "\U000e0041 tag", "a\nb", "", "ä→😀"} {
		document, err := json.MarshalIndent(map[string]string{text: text}, "", "  ")
		require.NoError(t, err)
		seen := printable.JSON(document)
		require.True(t, printable.String(strings.ReplaceAll(string(seen), "\n", "")), "%q", seen)
		var read map[string]string
		require.NoError(t, json.Unmarshal(seen, &read))
		require.Equal(t, map[string]string{text: text}, read)
	}
}
