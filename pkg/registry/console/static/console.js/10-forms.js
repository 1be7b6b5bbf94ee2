// Comfort only: every page works without this file.
"use strict";

// say is a text in the page's language, with values where it has {1}, {2}. The text is a literal in double quotes: the server puts the translation there.
const say = (text, ...values) => text.replace(/\{(\d)\}/g, (_, n) => values[n - 1]);

// Escape closes menus.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

// A menu closes when something else is clicked.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Buttons that ask first.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-confirm]");
  if (button && !window.confirm(button.dataset.confirm)) event.preventDefault();
});

// Leaving a form with unsaved input asks first; so does a form that the server gave back unsaved.
for (const form of document.querySelectorAll("form[data-guard]")) {
  let dirty = form.hasAttribute("data-dirty");
  form.addEventListener("input", () => { dirty = true; });
  form.addEventListener("submit", () => { dirty = false; });
  window.addEventListener("beforeunload", (event) => {
    if (dirty) event.preventDefault();
  });
}

// The second click of a double click sends nothing. The server takes such a form once anyway; but a new token's page shows its secret to the first alone.
{
  const sent = new WeakMap();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || !form.querySelector("input[name=once]")) return;
    if (event.timeStamp - (sent.get(form) ?? -Infinity) < 1000) event.preventDefault();
    else sent.set(form, event.timeStamp);
  });
}

// A file over the limit is told before it travels.
for (const input of document.querySelectorAll("input[type=file][data-limit]")) {
  input.addEventListener("change", () => {
    const { limit, limitText } = input.dataset;
    const file = [...input.files].find((f) => f.size > Number(limit));
    const number = (n) => Number(n).toLocaleString("en");
    const why = () => say("{1} has {2} bytes; the limit is {3} ({4} bytes). Choose a smaller one.",
      file.name, number(file.size), limitText, number(limit));
    input.setCustomValidity(file ? why() : "");
    input.reportValidity();
  });
}

// Ctrl+Enter (or Cmd+Enter) in a text saves it.
for (const text of document.querySelectorAll("textarea.code")) {
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
  });
}

// Copy buttons appear where the browser can copy.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = say("Copied");
  });
}
