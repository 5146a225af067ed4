// Reads the page again when something has changed, and puts the new content in place. The server
// says by events what has changed. Without events the page is read again every few seconds, and
// without this file the reader reloads it.
const often = 3000; // milliseconds, without events
const seldom = 15000; // with events, for what has none
const soon = 1500; // after an event: the server shares for a second what it has read
const parser = new DOMParser();
let timer = 0;
let source = null;
let reading = false;
let again = false;

// busy reports whether the reader writes into a form or selects text: then nothing is replaced.
function busy(main) {
  const at = document.activeElement;
  if (at && main.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) return true;
  const marked = document.getSelection();
  return marked && !marked.isCollapsed && main.contains(marked.anchorNode);
}

// morph makes one node like another, and keeps what is alike: so the reader loses neither the place
// nor what is open, focused or about to be clicked.
function morph(old, next) {
  if (old.id === "live") return; // what is said there is read aloud
  if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) {
    old.replaceWith(document.adoptNode(next));
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const before = [...old.childNodes];
  const after = [...next.childNodes];
  after.forEach((child, i) => {
    if (i < before.length) morph(before[i], child);
    else old.append(document.adoptNode(child));
  });
  before.slice(after.length).forEach((child) => child.remove());
}

function say(text) {
  const at = document.getElementById("live");
  if (at && at.textContent !== text) at.textContent = text;
}

// refresh reads the page again. Calls during a call lead to one more.
async function refresh() {
  if (reading) { again = true; return; }
  reading = true;
  again = false;
  await replace();
  reading = false;
  if (again && !document.hidden) await refresh();
}

async function replace() {
  const main = document.getElementById("main");
  if (document.hidden || busy(main)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = parser.parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("main");
    if (!next || busy(main)) return;
    const done = main.querySelector(".done");
    if (done && !next.querySelector(".done")) {
      const blank = next.querySelector(".head").nextSibling; // the template has one there
      blank.after(done.cloneNode(true));
    }
    morph(main, next);
    document.title = page.title;
    say("live,");
  } catch {
    say("no answer,");
  }
}

// concerns reports whether a topic may change what this page shows.
function concerns(topic) {
  const run = new URL(location.href).searchParams.get("run");
  return topic.type !== "run" || !run || String(topic.run) === run;
}

function listen() {
  if (source || document.hidden || !window.EventSource) return;
  source = new EventSource("events");
  source.onmessage = (event) => {
    if (!JSON.parse(event.data).some(concerns)) return;
    refresh();
    start(soon);
  };
}

// start reads the page again after a pause, and then from time to time.
function start(pause) {
  clearTimeout(timer);
  if (document.hidden) return;
  const usual = source && source.readyState === EventSource.OPEN ? seldom : often;
  timer = setTimeout(async () => { await refresh(); start(); }, pause || usual);
}

if (document.body.hasAttribute("data-live")) {
  // A message about an action is shown once, not after each reload.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
  document.addEventListener("visibilitychange", async () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
      return;
    }
    listen();
    await refresh();
    start();
  });
  say("live,");
  listen();
  start();
}

// An action on many jobs goes on step by step, until the reader leaves.
const onward = document.querySelector("form[data-onward]");
if (onward) setTimeout(() => onward.requestSubmit(), 700);
