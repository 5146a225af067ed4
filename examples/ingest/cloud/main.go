// Cloud is the program ingest with more sources, and with scripts. It is a module of its own, so
// that what it needs for them is no dependency of the library.
//
// # Sources
//
// It reads S3 and what speaks like it, and directories in the form of a bucket. For other services
// that gocloud.dev knows, import their drivers.
//
//	cloud start -src "s3://bucket/prefix?region=eu-west-1" -dst DIR
//	cloud start -src "s3://bucket?endpoint=http://localhost:9000&use_path_style=true" -dst DIR
//	cloud start -src file:///srv/bucket -dst DIR
//
// Credentials are those of the environment, as the clients find them. Workers of a job need the
// same program, and credentials of their own.
//
// # Scripts
//
//	cloud start -src DIR -dst DIR -event-handler FILE
//	cloud configure NAME -store URL -event-handler FILE -reason "no more films"
//
// The file is stored with the job, and is in force on every worker. The second command replaces it
// while the job runs: from a second later on every attempt uses the new one. History says who did
// it and why. A script has any of the functions of package
// [github.com/rollcall-go/rollcall/handlers/script], and those of package
// [github.com/rollcall-go/rollcall/examples/ingest/cloud/eventhandler].
package main

import (
	"github.com/rollcall-go/rollcall/examples/ingest/cloud/buckets"
	"github.com/rollcall-go/rollcall/examples/ingest/cloud/eventhandler"
	"github.com/rollcall-go/rollcall/examples/ingest/command"

	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://
)

func main() {
	config := eventhandler.Config()
	config.Open = new(buckets.Opener).Open
	command.Main(config)
}
