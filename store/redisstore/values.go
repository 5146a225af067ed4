package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// WriteValues implements [store.Values].
func (s *Store) WriteValues(ctx context.Context, p store.WriteParams) (store.WriteReply, error) {
	k := s.spaces[p.Partition]
	w := valueWriter{Call: script.NewCall(k.Producer(p.Stream)), space: k, owners: true}
	w.Int64(p.Number).Add(format.Millis(bounds.StreamKept))
	w.Flag(slices.ContainsFunc(p.Writes, func(w store.Write) bool { return w.Grows() })).Int(len(p.Writes))
	for i := range p.Writes {
		write := &p.Writes[i]
		w.declare(write)
		w.Int(w.ownerAt)
		if write.Scope.Of == store.ScopeRun {
			w.Add(write.Scope.Job)
		} else {
			w.Add("")
		}
		w.write(write)
	}
	word, rest, err := s.server.Word(ctx, script.WriteValues, w.Call)
	switch {
	case err != nil:
		return store.WriteReply{}, err
	case word == "unknown":
		return store.WriteReply{}, store.ErrResultUnknown
	case word == "stale":
		return store.WriteReply{}, store.ErrStale
	case word != "ok" || len(rest) != 1:
		return store.WriteReply{}, script.Unexpected(script.WriteValues, word)
	}
	return decodeWriteReply(&p, script.Text(rest[0]))
}

// valueWriter packs writes into a script call in the form that values.lua reads.
type valueWriter struct {
	*script.Call
	space  *format.Keyspace
	owners bool // the keys of the keys of runs and jobs are declared, too

	// The last declared value: usually the next write is to the same one.
	scope                     store.ValueScope
	name                      string
	ownerAt, namesAt, valueAt int // indexes in KEYS; for values of the namespace, 0 and that of the list, negative
}

// declare declares the keys of a write.
func (w *valueWriter) declare(write *store.Write) {
	scope, name := write.Scope, write.Name
	if scope != w.scope {
		w.scope, w.name, w.ownerAt, w.namesAt = scope, "", 0, 0
		if scope.Of != store.ScopeNamespace {
			w.namesAt = w.Key(w.space.ValueNames(scope))
		} else {
			w.namesAt = -w.Key(w.space.Listed)
		}
		switch {
		case !w.owners:
		case scope.Of == store.ScopeRun:
			w.ownerAt = w.Key(w.space.Run(format.RunID(scope.Run)))
		case scope.Of == store.ScopeJob:
			w.ownerAt = w.Key(w.space.Job(scope.Job))
		}
	}
	switch {
	case scope.InRecord(write.Type):
		w.name, w.valueAt = "", w.ownerAt
	case name != w.name:
		w.name, w.valueAt = name, w.Key(w.space.Value(scope, name))
	}
}

// write packs one write to the last declared value.
func (w *valueWriter) write(write *store.Write) {
	w.Int(w.valueAt).Int(w.namesAt).Add(write.Name, typeLetter(write.Scope, write.Type), opNames[write.Op])
	w.Int64(format.CeilMillis(write.Scope.Expiry))
	count := w.Reserve()
	switch write.Op {
	case store.WriteSwap:
		w.Add(valueField(write.Type, write.Data[0].Field)).
			Flag(write.Expect != nil).
			Add(string(write.Expect), string(write.Data[0].Bytes))
	case store.WriteAppend:
		w.Int64(write.Cap)
		fallthrough
	case store.WriteAdd:
		for i := range write.Data {
			w.Add(string(write.Data[i].Bytes))
		}
	case store.WriteSet:
		for i := range write.Data {
			w.Add(valueField(write.Type, write.Data[i].Field), string(write.Data[i].Bytes))
		}
	case store.WriteRemove:
		for i := range write.Data {
			w.Add(valueField(write.Type, write.Data[i].Field))
		}
	}
	w.Set(count, len(w.Args)-count-1)
}

// writes packs the writes of an outcome. Its run and job are already declared.
func (st *settlement) writes(writes []store.Write) {
	w := valueWriter{Call: st.Call, space: st.space}
	w.Int(len(writes))
	for i := range writes {
		w.declare(&writes[i])
		w.write(&writes[i])
	}
}

// refusedWrite returns why an outcome was refused. settle says "write:word".
func refusedWrite(writes []store.Write, why string) error {
	position, word, _ := strings.Cut(why, ":")
	word, detail, _ := strings.Cut(word, ":")
	i, err := strconv.Atoi(position)
	if err != nil || i < 1 || i > len(writes) {
		return fmt.Errorf("%w: a write was refused with %q", store.ErrCorrupt, why)
	}
	w := &writes[i-1]
	if err := refusal(w.Scope, w.Name, w.Type, word, detail); err != nil {
		return err
	}
	return fmt.Errorf("%w: a write was refused with %q", store.ErrCorrupt, why)
}

// typeLetters are the letters of the types of value in keys and scripts.
var typeLetters = map[store.ValueType]string{
	store.ValueCounter: "c", store.ValueFloat: "f", store.ValueTime: "t", store.ValueJSON: "v", store.ValueList: "l", store.ValueMap: "m",
}

// recordLetter is the letter of a run's counter in scripts. It is a field of the run's hash.
const recordLetter = "r"

func typeLetter(scope store.ValueScope, typ store.ValueType) string {
	if scope.InRecord(typ) {
		return recordLetter
	}
	return typeLetters[typ]
}

func typeOf(letter string) store.ValueType {
	for typ, l := range typeLetters {
		if l == letter {
			return typ
		}
	}
	return ""
}

// opNames are the operations of values.lua.
var opNames = map[store.WriteOp]string{
	store.WriteSet: "set", store.WriteAdd: "add", store.WriteSwap: "swap", store.WriteAppend: "append", store.WriteRemove: "remove",
	store.WriteDelete: "delete",
}

// valueField is the field of a value's hash.
func valueField(typ store.ValueType, field string) string {
	if typ == store.ValueMap {
		return ":" + field
	}
	return "value"
}

// decodeWriteReply reads "number word,word…".
func decodeWriteReply(p *store.WriteParams, record string) (store.WriteReply, error) {
	_, record, _ = strings.Cut(record, " ")
	reply := store.WriteReply{Results: make([]store.WriteResult, 0, len(p.Writes))}
	for word := range strings.SplitSeq(record, ",") {
		i := len(reply.Results)
		if i == len(p.Writes) {
			break
		}
		result, ok := writeResult(&p.Writes[i], word)
		if !ok {
			break
		}
		reply.Results = append(reply.Results, result)
	}
	if len(reply.Results) != len(p.Writes) {
		return store.WriteReply{}, fmt.Errorf("%w: the reply to writes is of another batch", store.ErrResultUnknown)
	}
	return reply, nil
}

// writeResult reads the word about one write.
func writeResult(w *store.Write, word string) (result store.WriteResult, ok bool) {
	word, detail, _ := strings.Cut(word, ":")
	switch word {
	case "ok":
		return store.WriteResult{Swapped: w.Op == store.WriteSwap, Sum: detail}, true
	case "no":
		return store.WriteResult{}, w.Op == store.WriteSwap
	case "missing":
		if w.Scope.Of == store.ScopeRun {
			return store.WriteResult{Err: store.ErrRunNotFound}, true
		}
		return store.WriteResult{Err: store.ErrJobNotFound}, true
	}
	err := refusal(w.Scope, w.Name, w.Type, word, detail)
	return store.WriteResult{Err: err}, err != nil
}

// refusal returns the error for a word with which values.lua refuses a write; nil for other words.
func refusal(scope store.ValueScope, name string, want store.ValueType, word, detail string) error {
	switch word {
	case "full":
		return store.ErrTooManyValues
	case "range":
		return store.ErrOutOfRange
	case "corrupt":
		return fmt.Errorf("%w: value %q of %s", store.ErrCorrupt, name, scope)
	case "type":
		return &store.TypeError{Scope: scope, Name: name, Want: want, Have: typeOf(detail)}
	}
	return nil
}

// ReadValue implements [store.Values].
func (s *Store) ReadValue(ctx context.Context, p store.ReadParams) (store.ReadReply, error) {
	k := s.spaces[store.PartitionOfValue(p.Scope, p.Name, len(s.spaces))]
	c := script.NewCall(k.Value(p.Scope, p.Name)).Add(typeLetter(p.Scope, p.Type))
	if p.Scope.Of == store.ScopeRun {
		c.Key(k.Run(format.RunID(p.Scope.Run)))
		c.Add(p.Scope.Job, p.Name)
	}
	switch p.Type {
	case store.ValueList:
		c.Int64(min(p.Offset, maxOffset)).Int(p.Limit)
	case store.ValueMap:
		if p.Cursor == "" {
			p.Cursor = "0"
		}
		c.Add(p.Cursor).Int(p.Limit).Int(len(p.Fields))
		for _, field := range p.Fields {
			c.Add(valueField(p.Type, field))
		}
	}
	word, rest, err := s.server.Word(ctx, script.ReadValue, c)
	switch {
	case err != nil:
		return store.ReadReply{}, err
	case word == "none":
		return store.ReadReply{}, nil
	case word == "ok" && len(rest) >= 2:
	case len(rest) == 1:
		return store.ReadReply{}, refusal(p.Scope, p.Name, p.Type, word, script.Text(rest[0]))
	case word == "corrupt":
		return store.ReadReply{}, refusal(p.Scope, p.Name, p.Type, word, "")
	default:
		return store.ReadReply{}, script.Unexpected(script.ReadValue, word)
	}
	return decodeValue(&p, rest), nil
}

// decodeValue reads a length, a cursor, and the read part of a value.
func decodeValue(p *store.ReadParams, rest []rueidis.RedisMessage) store.ReadReply {
	var reply store.ReadReply
	if p.Type == store.ValueList || p.Type == store.ValueMap {
		reply.Len = script.Number(rest[0])
	}
	if cursor := script.Text(rest[1]); len(p.Fields) > 0 {
		reply.Looked, _ = strconv.Atoi(cursor)
	} else if cursor != "0" {
		reply.Cursor = cursor
	}
	data := stringsOf(rest[2:])
	if p.Type != store.ValueMap {
		for _, b := range data {
			reply.Data = append(reply.Data, store.Datum{Bytes: []byte(b)})
		}
		return reply
	}
	for i := 0; i+1 < len(data); i += 2 {
		reply.Data = append(reply.Data, store.Datum{Field: strings.TrimPrefix(data[i], ":"), Bytes: []byte(data[i+1])})
	}
	return reply
}

// values packs all values of runs and jobs, for the scripts that remove their owners. KEYS gets the
// sets of names, and then the values; ARGV gets the names.
func (s *Store) values(ctx context.Context, k *format.Keyspace, c *script.Call, scopes ...store.ValueScope) error {
	cmds := make(rueidis.Commands, len(scopes))
	for i, scope := range scopes {
		cmds[i] = s.client.B().Smembers().Key(k.ValueNames(scope)).Build()
		c.Key(k.ValueNames(scope))
	}
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		names, err := r.AsStrSlice()
		if err = script.Empty(s.server.Translate(ctx, "list values", err)); err != nil {
			return err
		}
		c.Int(len(names)).Add(names...)
		for _, name := range names {
			c.Key(k.Value(scopes[i], name))
		}
	}
	return nil
}
