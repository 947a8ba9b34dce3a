// What the pages do by themselves: parts that change are fetched anew. Without it every page works, and shows what was
// so when it was loaded.
"use strict";

// The page at an address, parsed by the browser as a document that runs nothing.
function fetchDocument(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => {
      // Who is not signed in any more is led to another page, and so is the whole window then.
      const moved = new URL(request.responseURL).pathname !== new URL(address, location.href).pathname;
      if (moved) location.reload();
      else if (request.status === 200 && request.response) resolve(request.response);
      else reject(new Error(`status ${request.status}`));
    };
    request.onerror = request.ontimeout = () => reject(new Error("not reached"));
    request.send();
  });
}

// Replaces what a part holds by what the page now has of it. Tells whether it has changed.
async function refresh(part) {
  const page = await fetchDocument(part.dataset.from || location.href);
  const fresh = page.getElementById(part.id);
  if (!fresh || part.innerHTML === fresh.innerHTML) return false;
  // What somebody is about to press stays where it is.
  if (part.contains(document.activeElement)) return false;
  part.replaceChildren(...Array.from(fresh.childNodes, (node) => document.importNode(node, true)));
  return true;
}

// Looks at a part again and again. Nobody looks at a hidden window. A part that cannot be reached says so.
function watch(part, everyMillis) {
  if (part.dataset.watched !== undefined) return;
  part.dataset.watched = "";
  const again = async () => {
    try {
      if (!document.hidden) await refresh(part);
      part.removeAttribute("data-stale");
    } catch {
      part.dataset.stale = "";
    }
    setTimeout(again, everyMillis);
  };
  setTimeout(again, everyMillis);
}

// Parts that change all the time: `data-every` says after how many milliseconds they are looked at.
for (const part of document.querySelectorAll("[data-every]")) watch(part, Number(part.dataset.every));

// Parts that change when the service says so: `data-events` is where it does. Where it does not, they are looked at.
for (const part of document.querySelectorAll("[data-events]")) {
  const events = new EventSource(part.dataset.events);
  let refreshing = Promise.resolve();
  const again = () => {
    refreshing = refreshing.then(() => refresh(part)).catch(() => watch(part, 5000));
  };
  events.addEventListener("changed", again);
  events.addEventListener("finished", () => {
    events.close();
    again();
  });
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) watch(part, 5000);
  });
}

// A form that was sent once is not sent again before there is an answer.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent !== undefined) return event.preventDefault();
  form.dataset.sent = "";
  form.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// A text box for something to say is sent by Enter, as in a chat; Shift and Enter begin a new line.
for (const box of document.querySelectorAll("textarea[data-enter]")) {
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    box.form.requestSubmit();
  });
}

// A button that copies a text: `data-copy` is the id of what holds it. It stays hidden where nothing can be copied.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    const name = button.textContent;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy).textContent;
      button.textContent = await navigator.clipboard.writeText(text).then(() => "Copied", () => "Not copied");
      setTimeout(() => (button.textContent = name), 2000);
    });
  }
}
