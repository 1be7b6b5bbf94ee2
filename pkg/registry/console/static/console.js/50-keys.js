// Single keys, as /console/shortcuts lists them. Never while somebody types, never with Ctrl, Alt or Meta, and not at all where the user turned them off.
if (document.documentElement.dataset.keys !== "off") {
  const first = (...selectors) => selectors.map((s) => document.querySelector(s)).find((found) => found && found.offsetParent !== null);
  const press = (...selectors) => {
    const found = first(...selectors);
    if (found) found.click();
    return Boolean(found);
  };
  const entries = () => [...document.querySelectorAll("main tbody th[scope=row] a[href], main .hit-title a, main .event-what a, main .links a, main .cloud a")]
    .filter((link) => link.offsetParent !== null);
  const step = (by) => {
    const list = entries();
    if (list.length === 0) return false;
    const at = list.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : Math.min(Math.max(at + by, 0), list.length - 1);
    list[next].focus();
    list[next].scrollIntoView({ block: "nearest" });
    return true;
  };
  const openMenu = () => {
    const menu = first("main .head details.menu", "main details.menu");
    if (!menu) return false;
    menu.open = true;
    const item = menu.querySelector(".menu-item, a, button");
    if (item) item.focus();
    return true;
  };
  const search = () => {
    const box = document.getElementById("location");
    if (!box) return false;
    box.focus();
    box.select();
    return true;
  };
  const up = () => {
    const crumbs = document.querySelectorAll(".crumbs a");
    if (crumbs.length < 2) return false;
    crumbs[crumbs.length - 2].click();
    return true;
  };
  // help shows the page of shortcuts in a dialog above this one.
  const help = () => {
    if (!document.body.dataset.user) return false;
    const here = document.querySelector("dialog.shortcuts-dialog");
    if (here) {
      here.showModal();
      return true;
    }
    fetch("/console/shortcuts", { redirect: "error" }).then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(answer.statusText)))).then((text) => {
      const page = new DOMParser().parseFromString(text, "text/html");
      const dialog = document.createElement("dialog");
      dialog.className = "shortcuts-dialog";
      dialog.setAttribute("aria-label", say("Keyboard shortcuts"));
      const close = document.createElement("form");
      close.method = "dialog";
      const button = document.createElement("button");
      button.className = "button";
      button.textContent = say("Close");
      close.append(button);
      const heading = document.createElement("h2");
      heading.textContent = say("Keyboard shortcuts");
      dialog.append(heading, document.adoptNode(page.querySelector(".shortcuts")), close);
      document.body.append(dialog);
      dialog.showModal();
    }).catch(() => location.assign("/console/shortcuts"));
    return true;
  };
  const keys = {
    "/": search, "?": help, ".": openMenu, j: () => step(1), k: () => step(-1), u: up,
    e: () => press("main .actions a[href^='/console/edit/']", "main .actions a[href^='/console/describe/']"),
    s: () => press("main .head .star"),
    n: () => press("main a[rel=next]"),
    p: () => press("main a[rel=prev]", "main a[rel=first]"),
  };
  let leading = 0; // until when a key after g goes somewhere
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select, [contenteditable], dialog, .cm-editor")) return;
    const now = event.timeStamp;
    let done = false;
    if (now < leading) {
      leading = 0;
      done = /^[a-z]$/.test(event.key) && press(`[data-go="${event.key}"]`) || goHidden(event.key);
    } else if (event.key === "g") {
      leading = now + 1500;
      done = true;
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && entries().includes(document.activeElement)) {
      done = step(event.key === "ArrowDown" ? 1 : -1);
    } else if (Object.hasOwn(keys, event.key)) {
      done = keys[event.key]();
    }
    if (done) event.preventDefault();
  });
  // The navigation of a phone is folded away, and its links lead somewhere all the same.
  const goHidden = (key) => {
    const link = /^[a-z]$/.test(key) && document.querySelector(`[data-go="${key}"]`);
    if (!link) return false;
    location.assign(link.href);
    return true;
  };
}

// Arrow keys go through an open menu.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const menu = event.target.closest("details.menu[open]");
  if (!menu) return;
  const items = [...menu.querySelectorAll(".menu-body a, .menu-body button")];
  const at = items.indexOf(document.activeElement);
  event.preventDefault();
  items[(at + (event.key === "ArrowDown" ? 1 : items.length - (at < 0 ? 0 : 1))) % items.length].focus();
});
