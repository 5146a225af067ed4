// Cloud is the program ingest with more sources: S3 and what speaks like it, and directories in the
// form of a bucket. It is a module of its own, so that their clients are no dependencies of the
// library. For other services that gocloud.dev knows, import their drivers.
//
//	cloud start -src "s3://bucket/prefix?region=eu-west-1" -dst DIR
//	cloud start -src "s3://bucket?endpoint=http://localhost:9000&use_path_style=true" -dst DIR
//	cloud start -src file:///srv/bucket -dst DIR
//
// Credentials are those of the environment, as the clients find them. Workers of a job need the
// same program, and credentials of their own.
package main

import (
	"github.com/rollcall-go/rollcall/examples/ingest/cloud/buckets"
	"github.com/rollcall-go/rollcall/examples/ingest/command"

	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/s3blob"   // s3://
)

func main() { command.Main(new(buckets.Opener).Open) }
