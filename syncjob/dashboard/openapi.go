package dashboard

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is an object of JSON.
type object = map[string]any

// openAPI describes the JSON API in the terms of OpenAPI 3.1, from the same types that it answers
// with.
func openAPI() object {
	schemas := make(object)
	paths := make(object)
	for _, c := range calls {
		var params []any
		for _, p := range c.params {
			name, required := strings.CutSuffix(p, "!")
			params = append(params, object{
				"name": name, "in": "query", "required": required, "schema": object{"type": "string"},
			})
		}
		op := operation(schemas, c.summary, reflect.TypeOf(c.answer))
		if params != nil {
			op["parameters"] = params
		}
		paths[apiRoot+c.path] = object{"get": op}
	}
	for _, p := range posts {
		op := operation(schemas, p.summary, reflect.TypeOf(p.answer))
		op["requestBody"] = object{"required": true, "content": content(schemas, reflect.TypeOf(p.body))}
		paths[apiRoot+p.path] = object{"post": op}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title":   "Rollcall",
			"version": "1",
			"description": "What runs, and what can be done about it. Numbers of 64 bits, durations in nanoseconds " +
				"among them, are strings. Errors are 400 (bad input), 403 (not allowed), 404 (not there), " +
				"409 (not in this state), 415 (not JSON) and 503 (the store does not answer: try again).",
		},
		"paths":      paths,
		"components": object{"schemas": schemas},
	}
}

// posts are the calls that change something.
var posts = []struct {
	path, summary string
	body, answer  any
}{
	{"act", "Does an action: " + strings.Join(actionsOn(false), ", ") + ".", actCall{}, struct{}{}},
	{
		"act-on-jobs",
		"Does an action to all jobs that are selected, or with dry_run says which would be changed: " +
			strings.Join(actionsOn(true), ", ") + ". A call works for two seconds at most. While its answer has more, " +
			"the same call goes on with the next jobs. It is safe to repeat.",
		manyCall{}, manyDone{},
	},
	{"start", "Starts a run of a single-pass job. With a key it is safe to repeat.", startCall{}, started{}},
	{
		"enqueue",
		"Adds a task to the active run of a job. With an id it is safe to repeat until the task has ended, and for " +
			"id_for_ms after that.",
		enqueueCall{},
		enqueued{},
	},
}

func operation(schemas object, summary string, answer reflect.Type) object {
	return object{
		"summary": summary,
		"responses": object{
			"200":     object{"description": "done", "content": content(schemas, answer)},
			"default": object{"description": "not done", "content": content(schemas, reflect.TypeFor[problem]())},
		},
	}
}

func content(schemas object, t reflect.Type) object {
	return object{"application/json": object{"schema": schema(schemas, t)}}
}

// schema describes a type as exact encodes it. Structs with a name are described once, in schemas.
func schema(schemas object, t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(schemas, t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int64, reflect.Uint64:
		return object{"type": "string", "pattern": "^-?[0-9]+$"}
	case reflect.Int, reflect.Int32, reflect.Uint32:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": schema(schemas, t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(schemas, t.Elem())}
	case reflect.Struct:
		return structure(schemas, t)
	default:
		return object{}
	}
}

func structure(schemas object, t reflect.Type) object {
	name := t.Name()
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
		if schemas[name] != nil {
			return object{"$ref": "#/components/schemas/" + name}
		}
		schemas[name] = object{} // for a type that contains itself
	}
	properties := make(object)
	var always []string
	for field, f := range jsonFields(t) {
		properties[field] = schema(schemas, f.typ)
		if !f.omitEmpty && !f.omitZero {
			always = append(always, field)
		}
	}
	s := object{"type": "object", "properties": properties}
	if always != nil {
		slices.Sort(always)
		s["required"] = always
	}
	if name == "" {
		return s
	}
	schemas[name] = s
	return object{"$ref": "#/components/schemas/" + name}
}
