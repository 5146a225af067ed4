// Reads the page again while it is visible, and puts the new content in place. Without this file
// the pages work as well; then the reader reloads them.
const every = 3000;
const parser = new DOMParser();
let timer = 0;
let failed = false;

// busy reports whether the reader writes into a form or selects text: then nothing is replaced.
function busy(main) {
  const at = document.activeElement;
  if (at && main.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) return true;
  const marked = document.getSelection();
  return marked && !marked.isCollapsed && main.contains(marked.anchorNode);
}

// keep remembers what the reader opened, scrolled and focused.
function keep(main) {
  const open = [...main.querySelectorAll("details")].map((d) => d.open);
  const across = [...main.querySelectorAll(".table")].map((t) => t.scrollLeft);
  const at = document.activeElement;
  const href = at && main.contains(at) && at.getAttribute("href");
  return (next) => {
    next.querySelectorAll("details").forEach((d, i) => { d.open = Boolean(open[i]); });
    next.querySelectorAll(".table").forEach((t, i) => { t.scrollLeft = across[i] || 0; });
    if (href) {
      const link = [...next.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
      if (link) link.focus({ preventScroll: true });
    }
  };
}

function say(text) {
  const at = document.getElementById("live");
  if (at) at.textContent = text;
}

async function refresh() {
  const main = document.getElementById("main");
  if (document.hidden || busy(main)) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = parser.parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("main");
    if (!next || busy(main)) return;
    const done = main.querySelector(".done");
    const restore = keep(main);
    if (done && !next.querySelector(".done")) next.querySelector(".head").after(done);
    main.replaceWith(document.adoptNode(next));
    document.title = page.title;
    restore(next);
    failed = false;
    say("live,");
  } catch {
    if (!failed) say("no answer,");
    failed = true;
  }
}

function start() {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(async () => { await refresh(); start(); }, every);
}

if (document.body.hasAttribute("data-live")) {
  // A message about an action is shown once, not after each reload.
  const here = new URL(location.href);
  if (here.searchParams.has("done")) {
    here.searchParams.delete("done");
    history.replaceState(null, "", here);
  }
  document.addEventListener("visibilitychange", async () => { if (!document.hidden) await refresh(); start(); });
  say("live,");
  start();
}
