package redisstore

import (
	"slices"
	"strings"
)

// commands lists the commands that this package and its scripts use. There are two lists, because a
// client sends more commands than it is asked for.
var (
	usedCommands = strings.Fields("" +
		"del eval evalsha exists get hdel hexists hget hgetall hincrby hkeys hlen hmget hscan hset hsetnx hstrlen hvals " +
		"lindex llen lpop lpush lrange lrem lset ltrim persist pexpire pexpireat pttl publish renamenx rpop rpush sadd scan scard set " +
		"sismember smembers srem subscribe time type unlink zadd zcard zcount zlexcount zrange zrangebylex zrangebyscore " +
		"zrank zrem zremrangebyrank zremrangebyscore zrevrangebyscore zscan zscore")
	clientCommands = strings.Fields("asking cluster|shards cluster|slots ping role select unsubscribe " +
		"client|caching client|tracking exec multi " + // for its cache
		"client|setname") // with RESP2 (protocol=2)
)

// ACLRules returns the rights that a Redis user needs for a namespace, and no others:
//
//	ACL SETUSER rollcall on >PASSWORD RULES
//
// They allow the keys and channels of the namespace, and the commands that Rollcall uses. No
// command among them is dangerous. CONFIG is not among them, so the eviction policy of the server
// is not checked. A user of a Sentinel needs other rules.
func ACLRules(namespace string) []string {
	rules := []string{"resetkeys", "resetchannels", "~{" + namespace + ":*}:*", "&{" + namespace + ":*}:*", "-@all"}
	allowed := slices.Concat(usedCommands, clientCommands)
	slices.Sort(allowed)
	for _, name := range allowed {
		rules = append(rules, "+"+name)
	}
	return rules
}
