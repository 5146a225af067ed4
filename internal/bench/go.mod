module github.com/rollcall-go/rollcall/internal/bench

go 1.25.0

require (
	github.com/redis/rueidis v1.0.79
	github.com/rollcall-go/rollcall v0.0.0
)

require (
	github.com/sethvargo/go-retry v0.5.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/rollcall-go/rollcall => ../..
