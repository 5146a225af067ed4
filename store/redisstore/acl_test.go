package redisstore_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/redisstore"
)

// inScripts and inCode find commands where they are used.
var (
	inScripts = regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`)
	inCode    = regexp.MustCompile(`\b[bB]\(\)\.(?:Arbitrary\("([A-Z]+)"|([A-Z][A-Za-z]+)\()`)
)

func TestTheRulesOfAnACLUserAllowWhatIsUsedAndNoMore(t *testing.T) {
	used := []string{"eval", "evalsha"} // by the client's own type for scripts
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	inside, err := filepath.Glob("internal/*/*.go")
	require.NoError(t, err)
	scripts, err := filepath.Glob("internal/script/lua/*.lua")
	require.NoError(t, err)
	parts, err := filepath.Glob("internal/script/lua/parts/*.lua")
	require.NoError(t, err)
	for _, file := range slices.Concat(sources, inside, scripts, parts) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		pattern := inCode
		if strings.HasSuffix(file, ".lua") {
			pattern = inScripts
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range pattern.FindAllSubmatch(text, -1) {
			used = append(used, strings.ToLower(string(slices.Concat(found[1:]...))))
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	used = slices.DeleteFunc(used, func(name string) bool { return name == "configget" }) // it is done without

	var allowed []string
	for _, rule := range redisstore.ACLRules("a") {
		name, ok := strings.CutPrefix(rule, "+")
		if ok && !slices.Contains([]string{"asking", "cluster|shards", "cluster|slots", "ping", "role", "select", "unsubscribe",
			"client|caching", "client|setname", "client|tracking", "exec", "multi"}, name) {
			allowed = append(allowed, name)
		}
	}
	require.Equal(t, used, allowed, "what is used, and what acl.go allows")
}

func TestTheReadmeListsTheRulesOfAnACLUser(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	words := strings.Join(strings.Fields(string(text)), " ")
	rules := strings.Join(redisstore.ACLRules("rollcall"), " ")
	require.Contains(t, words, rules, "README.md does not list them")
}
