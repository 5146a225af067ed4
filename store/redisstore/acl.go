package redisstore

import (
	"slices"
	"strings"
)

// commands are those that this package and its scripts use. They are in two lists, as a client
// needs more than it is asked for.
var (
	usedCommands = strings.Fields("" +
		"del eval evalsha exists get hdel hexists hget hgetall hincrby hkeys hlen hmget hscan hset hsetnx hstrlen hvals " +
		"lindex llen lpop lpush lrange lrem ltrim persist pexpire pexpireat publish rpush sadd scan scard set " +
		"sismember smembers srem subscribe time type unlink zadd zcard zlexcount zrange zrangebylex zrangebyscore zrank " +
		"zrem zremrangebyrank zremrangebyscore zscore")
	clientCommands = strings.Fields("asking cluster|shards cluster|slots ping role select unsubscribe " +
		"client|caching client|tracking exec multi pttl " + // for its cache
		"client|setname") // with RESP2, that is, protocol=2
)

// ACLRules are what a Redis user must be allowed for a namespace, and no more:
//
//	ACL SETUSER rollcall on >PASSWORD RULES
//
// They open its keys and channels, and the commands that are used, none of which is dangerous.
// Without the right to CONFIG the eviction policy of the server is taken on trust. A user of a
// Sentinel needs rules of its own.
func ACLRules(namespace string) []string {
	rules := []string{"resetkeys", "resetchannels", "~{" + namespace + ":*}:*", "&{" + namespace + ":*}:*", "-@all"}
	allowed := slices.Concat(usedCommands, clientCommands)
	slices.Sort(allowed)
	for _, name := range allowed {
		rules = append(rules, "+"+name)
	}
	return rules
}
