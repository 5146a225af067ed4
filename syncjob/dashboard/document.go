package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/syncjob"
)

// document is a configuration as people edit it. Signs that are not seen are written as escapes.
func document(c handlers.Configuration) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(&c)
	return string(printable.JSON(bytes.TrimSpace(b.Bytes()))), err
}

// readConfiguration reads a document that a person wrote. A name that is not known is refused: it
// is misspelt.
func readConfiguration(text []byte) (c handlers.Configuration, err error) {
	if err := json.Unmarshal(text, &c); err != nil {
		return c, err
	}
	var written any
	if err := json.Unmarshal(text, &written); err != nil {
		return c, err
	}
	if name := unknown("", written, reflect.TypeFor[handlers.Configuration]()); name != "" {
		return c, errors.New(name + " is not known")
	}
	return c, nil
}

// unknown finds a name in a document that the type of its value does not have.
func unknown(path string, written any, t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	object, isObject := written.(map[string]any)
	if !isObject {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		var inner reflect.Type
		switch t.Kind() {
		case reflect.Map:
			inner = t.Elem()
		case reflect.Struct:
			fields := maps.Collect(jsonFields(t))
			if _, known := fields[name]; !known {
				return path + name
			}
			inner = fields[name].typ
		default:
			return ""
		}
		if lost := unknown(path+name+".", object[name], inner); lost != "" {
			return lost
		}
	}
	return ""
}

// configure stores a document that the user edited.
func configure(ctx context.Context, d *source, a Action, form url.Values) error {
	c, err := readConfiguration([]byte(form.Get("document")))
	if err != nil {
		return &statusError{http.StatusBadRequest, "The configuration is not valid: " + err.Error(), err}
	}
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil {
		return &statusError{http.StatusBadRequest, "The version is no number.", err}
	}
	if version == 0 {
		version = syncjob.NotConfigured
	}
	options := &syncjob.ConfigureOptions{Reason: form.Get("reason"), IfVersion: version}
	_, err = d.m.Configure(
		ctx,
		a.Set,
		options,
		func(stored *handlers.Configuration) error { *stored = c; return nil },
	)
	if err != nil && !errors.Is(err, syncjob.ErrConflict) && errors.Is(err, syncjob.ErrInvalid) {
		return &statusError{http.StatusBadRequest, err.Error(), err}
	}
	return err
}
