package store

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/bounds"

	"github.com/rollcall-go/rollcall/internal/printable"
)

// ValidateName checks the name of a namespace, queue, handler set or task kind: 1 to
// [bounds.MaxNameLen] bytes of ASCII letters, digits, '.', '_' and '-', the first a letter or
// digit. Names cannot have '/', ':', '@' and braces. These are separators in stored keys, so that
// names never collide there. The error is a [*FieldError] for the given field.
func ValidateName(field, name string) error {
	switch {
	case name == "":
		return &FieldError{Field: field, Reason: "is empty"}
	case len(name) > bounds.MaxNameLen:
		return &FieldError{Field: field, Reason: "is longer than 64 bytes"}
	}
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || c != '.' && c != '_' && c != '-') {
			return &FieldError{
				Field:  field,
				Reason: "may hold only ASCII letters, digits, '.', '_' and '-', and starts with a letter or digit",
			}
		}
	}
	return nil
}

// ValidateJobName checks the name of a job: 1 to [bounds.MaxJobNameLen] bytes of valid UTF-8 that
// neither begin nor end with a space. People compare names by reading, so every character must be
// visible and look like itself. These are refused: control characters, with line breaks and ESC;
// format characters, such as the bidirectional marks U+200E, U+200F, U+061C, U+202A to U+202E and
// U+2066 to U+2069, and those of no width, such as U+200B, U+200D, U+00AD and U+FEFF; variation
// selectors, fillers and tags; line and paragraph separators; and spaces other than U+0020. The
// error is a [*FieldError] for the field "Name".
func ValidateJobName(name string) error {
	return validateSeen("Name", name, bounds.MaxJobNameLen)
}

// ValidateTaskID checks a caller-chosen task ID: 1 to [bounds.MaxTaskIDLen] bytes of valid UTF-8
// without control characters. It must not begin or end with a space. The error is a [*FieldError]
// for the field "ID". Programs compare IDs, and often make them from file names. So, unlike job
// names, they may have invisible characters.
func ValidateTaskID(id string) error {
	return validateText("ID", id, bounds.MaxTaskIDLen)
}

// validateSeen is validateText for texts that people compare by reading.
func validateSeen(field, s string, limit int) error {
	if err := validateText(field, s, limit); err != nil {
		return err
	}
	for _, r := range s {
		if !printable.Rune(r) {
			return &FieldError{
				Field:  field,
				Reason: fmt.Sprintf("holds %U, which is invisible or changes how text is shown", r),
			}
		}
	}
	return nil
}

func validateText(field, s string, limit int) error {
	reason := ""
	switch {
	case s == "":
		reason = "is empty"
	case len(s) > limit:
		reason = "is too long"
	case !utf8.ValidString(s):
		reason = "is not valid UTF-8"
	case strings.TrimSpace(s) != s:
		reason = "begins or ends with a space"
	case strings.ContainsFunc(s, unicode.IsControl):
		reason = "holds a control character"
	}
	if reason != "" {
		return &FieldError{Field: field, Reason: reason}
	}
	return nil
}

// validateWords is validateText with a limit in characters.
func validateWords(field, s string, limit int) error {
	if utf8.RuneCountInString(s) > limit {
		return &FieldError{Field: field, Reason: fmt.Sprintf("is longer than %d characters", limit)}
	}
	return validateText(field, s, utf8.UTFMax*limit)
}

// PartitionOf returns the partition, 0 to n-1, that has all keys of the job: FNV-1a of the name
// modulo n. It is part of the stored format and never changes for a namespace.
func PartitionOf(job string, n int) int {
	if n <= 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(job))
	return int(h.Sum32() % uint32(n))
}
