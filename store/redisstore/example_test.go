package redisstore_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store/redisstore"
)

func ExampleOpen() {
	server, err := miniredis.Run() // in a program: redis://user:password@host:6379
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	s, err := redisstore.Open(context.Background(), "redis://"+server.Addr(), redisstore.Config{Namespace: "imports", Partitions: 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Partitions(), "partitions")
	// Output: 4 partitions
}

func ExampleNew() {
	server, err := miniredis.Run()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	option, err := redisstore.ParseURL("redis://" + server.Addr() + "?client_cache=0")
	if err != nil {
		fmt.Println(err)
		return
	}
	option.ClientName = "imports" // or any other option of the client
	client, err := rueidis.NewClient(option)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close() // it stays ours: the store does not close it
	s, err := redisstore.New(context.Background(), client, redisstore.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Ping(context.Background()), s.Close())
	// Output: <nil> <nil>
}
