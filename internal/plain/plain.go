// Package plain decodes JSON. Its errors say what is wrong and where, but have no data of the JSON,
// because errors are logged and stored.
package plain

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Error says why JSON could not be decoded. It wraps the error of encoding/json or of a type's own
// UnmarshalJSON. The text of that error may have parts of the JSON.
type Error struct {
	text  string
	cause error
}

// Error implements error.
func (e *Error) Error() string { return e.text }

// Unwrap returns the error with the details.
func (e *Error) Unwrap() error { return e.cause }

// Unmarshal is [json.Unmarshal] that returns an [*Error].
func Unmarshal(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	text := fmt.Sprintf("refused by a type that decodes itself, with %T", err)
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var target *json.InvalidUnmarshalError
	switch {
	case errors.As(err, &wrongType):
		kind, _, _ := strings.Cut(wrongType.Value, " ") // "number 17"
		text = fmt.Sprintf("%s at offset %d does not fit %s", kind, wrongType.Offset, wrongType.Type)
		if wrongType.Field != "" {
			text += " of field " + wrongType.Field
		}
	case errors.As(err, &syntax):
		text = fmt.Sprintf("not JSON from offset %d on", syntax.Offset)
	case errors.As(err, &target):
		text = target.Error()
	}
	return &Error{text, err}
}
