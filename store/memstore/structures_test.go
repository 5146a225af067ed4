package memstore

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
)

func TestFifoBehavesLikeASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list fifo
		var model []string
		next := 0
		fresh := func() store.Task {
			next++
			return store.Task{ID: fmt.Sprint(next)}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push back": func(t *rapid.T) {
				task := fresh()
				list.pushBack(task)
				model = append(model, task.ID)
			},
			"push front": func(t *rapid.T) {
				task := fresh()
				list.pushFront(task)
				model = slices.Insert(model, 0, task.ID)
			},
			"push block": func(t *rapid.T) {
				tasks := make([]store.Task, rapid.IntRange(0, 9).Draw(t, "n"))
				for i := range tasks {
					tasks[i] = fresh()
					model = append(model, tasks[i].ID)
				}
				list.pushBlock(tasks)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				require.Equal(t, model[0], list.front().ID)
				require.Equal(t, model[0], list.popFront().ID)
				model = model[1:]
			},
			"": func(t *rapid.T) {
				require.Equal(t, int64(len(model)), list.n)
				require.Equal(t, len(model) == 0, list.first == nil)
				require.Equal(t, len(model) == 0, list.last == nil)
			},
		})
		for _, id := range model {
			require.Equal(t, id, list.popFront().ID)
		}
	})
}

func TestHeapKeepsOrderAndPositionsUnderRandomChanges(t *testing.T) {
	type item struct{ key, at int }
	rapid.Check(t, func(t *rapid.T) {
		h := heap[*item]{
			less:  func(a, b *item) bool { return a.key < b.key },
			moved: func(it *item, to int) { it.at = to },
		}
		var all []*item
		keys := rapid.IntRange(0, 20)
		pick := func(t *rapid.T) *item {
			if len(all) == 0 {
				t.Skip("empty")
			}
			return rapid.SampledFrom(all).Draw(t, "item")
		}
		drop := func(it *item) {
			require.Equal(t, -1, it.at)
			all = slices.DeleteFunc(all, func(other *item) bool { return other == it })
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				it := &item{key: keys.Draw(t, "key")}
				h.push(it)
				all = append(all, it)
			},
			"pop": func(t *rapid.T) {
				pick(t)
				drop(h.pop())
			},
			"remove": func(t *rapid.T) {
				it := pick(t)
				require.Same(t, it, h.remove(it.at))
				drop(it)
			},
			"change": func(t *rapid.T) {
				it := pick(t)
				it.key = keys.Draw(t, "key")
				h.fix(it.at)
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(all), h.len())
				for _, it := range all {
					require.Same(t, it, h.items[it.at])
					require.LessOrEqual(t, h.top().key, it.key)
				}
			},
		})
	})
}

func TestAnIDThatWasClaimedAgainOutlivesItsFirstKeep(t *testing.T) {
	var c claims
	now := time.Unix(1e9, 0)
	task := func(id string, keep time.Duration) store.Task {
		return store.Task{ID: id, Claimed: true, Keep: keep}
	}
	for i, id := range []string{"a", "b", "c"} { // more than one claim expires by the way
		require.True(t, c.take(task(id, 0), now))
		c.settle(task(id, time.Duration(i+1)*time.Second), now)
	}
	now = now.Add(3 * time.Second)
	require.True(t, c.take(task("c", 0), now))
	c.settle(task("c", time.Hour), now)
	require.Equal(t, 1, c.expire(now, 10))
	require.False(t, c.take(task("c", 0), now))
	now = now.Add(time.Hour)
	require.Equal(t, 1, c.expire(now, 10))
	require.Empty(t, c.ids)
}

func TestArenaCopiesCannotGrowIntoEachOther(t *testing.T) {
	a := newArena(6)
	first, second := a.copy([]byte("abc")), a.copy([]byte("def"))
	overflow := a.copy([]byte("ghi"))
	_ = append(first, 'X')
	require.Equal(t, "abc def ghi", fmt.Sprintf("%s %s %s", first, second, overflow))
	require.Nil(t, a.copy(nil))
	require.NotNil(t, a.copy([]byte{}))
}
