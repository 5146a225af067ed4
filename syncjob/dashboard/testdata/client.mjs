// A client of the JSON API that has nothing of Go: it starts a run, adds tasks, and repeats each call, as
// a client does whose answer was lost. node client.mjs URL prints the number of the run.
const api = process.argv[2];

async function call(name, body) {
  const answer = await fetch(api + name, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const start = { job: "feed", set: "tree", open: true, key: "once" };
const run = await call("start", start);
const again = await call("start", start);
if (!again.existing || again.run !== run.run) throw new Error("the repeated start began another run");

for (const task of [
  { id: "fails", args: { fail: "by Node: <é\u202e>" } },
  { id: "big", args: { note: "9007199254740993" } },
  { id: "plain", args: {} },
]) {
  const body = { job: "feed", kind: "leaf", id_for_ms: 600000, ...task }; // it may end before the repeated call
  const first = await call("enqueue", body);
  const second = await call("enqueue", body);
  if (first.task !== task.id || !second.duplicate) throw new Error(`${task.id} was added twice`);
}

const wrong = await call("enqueue", { job: "feed", kind: "leaf", arguments: {} }).catch((e) => e.message);
if (!/400 .*arguments/.test(wrong)) throw new Error(`a misspelt field was not refused: ${wrong}`);

await call("act", { action: "seal-run", job: "feed", run: run.run });
console.log(run.run);
