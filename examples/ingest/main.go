// Ingest copies changes from one directory tree to another, with any number of workers.
//
// It is the largest of the examples. Package
// [github.com/rollcall-go/rollcall/examples/ingest/mirror] has the tasks, and
// [github.com/rollcall-go/rollcall/examples/ingest/command] the commands. The module in cloud is
// the same program with more sources.
//
// With the memory store, everything happens in one process:
//
//	go run ./examples/ingest start -src "$(go env GOROOT)/src"
//
// With Redis, any number of workers on any number of machines share the work. All machines need
// both trees under the same paths:
//
//	ingest worker -store redis://localhost:6379 &
//	ingest start  -store redis://localhost:6379 -src DIR -dst DIR -wait
//
// With -interval 10m, the trees are synced every ten minutes, even if workers come and go.
//
// # What the options of a Celery ingest orchestrator are here
//
// Who knows an orchestrator that registers and copies files with Celery finds its options again:
//
//	job_name                     -name; made up and printed, if it is not given
//	interval                     -interval
//	files_per_task               -files-per-task
//	synchronous, progress        -wait, and the progress of start and watch
//	restart, path, file queue    -restart-queue, -path-queue, -file-queue
//	exclude_file_type            -exclude-type
//	exclude_file_name            -exclude-name
//	exclude_directory_name       -exclude-dir
//	profile, log file            -profile, with the host; -log-file
//	log interval, log count      -log-size: files are rotated by size, and four are kept
//	ignore_cache                 -ignore-cache
//	initial_ingest               -initial
//	max_retries, timeout, delay  -retries, -timeout, -delay; the command configure while a job runs
//	operation put_sync           -operation sync
//	operation put                -operation put
//	operation put_append         -operation append
//	operation no_op              -operation none
//	operation register           none: a file system has no catalogue of files that lie elsewhere
//	delete_mode                  -delete none, trash or delete; unregister: as register
//	target_path                  -dst; a path in it is that of the source, with -character-map
//	character_map                -character-map
//	unicode error paths          none: names travel as bytes, and need not be valid
//	pre and post hooks           mirror.Config.Hooks, around each event: create, modify, delete
//	pre_job, post_job            handlers.Hooks of a set; those of mirror check and close the trees
//	event_handler                mirror.Config: a program has its own hooks and sources
//	as_user, target_resource     none: files belong to the user of the worker, on one file system
//	list, watch, stop            the commands list, watch, stop; and explain, failures, redrive
//	a lock on each path          one run at a time changes a destination; others are refused
package main

import "github.com/rollcall-go/rollcall/examples/ingest/command"

func main() { command.Main(nil) }
