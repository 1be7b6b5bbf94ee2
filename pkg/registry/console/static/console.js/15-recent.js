// The places that this user looked at last, in this browser alone: nothing is stored by looking. The key has the user's name, so that nobody sees those of
// another, and signing out forgets them all.
const recentPlaces = (() => {
  const prefix = "regent.recent.";
  const most = 10;
  const user = document.body.dataset.user;
  const read = () => {
    try {
      const list = JSON.parse(localStorage.getItem(prefix + user));
      return Array.isArray(list) ? list.filter((p) => typeof p.path === "string" && /^\/console\/[^/\\]/.test(p.href)) : [];
    } catch {
      return []; // no storage, or not ours
    }
  };
  const forget = (but) => {
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(prefix) && key !== but) localStorage.removeItem(key);
      }
    } catch { /* no storage, so nothing is kept */ }
  };
  if (user) {
    forget(prefix + user);
    const { recent: path, recentHref: href, recentKind: kind } = document.getElementById("main").dataset;
    if (path) {
      try {
        const list = [{ path, href, kind }, ...read().filter((p) => p.path !== path)].slice(0, most);
        localStorage.setItem(prefix + user, JSON.stringify(list));
      } catch { /* a full or forbidden storage: comfort only */ }
    }
  }
  document.addEventListener("submit", (event) => {
    if (event.target.matches("form[data-forget]")) forget();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("button[data-forget]")) return;
    forget();
    for (const panel of document.querySelectorAll("[data-recents]")) panel.hidden = true;
  });
  return () => (user ? read() : []);
})();

for (const panel of document.querySelectorAll("[data-recents]")) {
  const list = recentPlaces();
  const sprite = panel.dataset.recents;
  const picture = (name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${sprite}#${name}`);
    svg.append(use);
    return svg;
  };
  if (list.length === 0) continue;
  panel.querySelector("ul").replaceChildren(...list.map((place) => {
    const line = document.createElement("li");
    const link = document.createElement("a");
    link.href = place.href;
    link.className = `entry break ${place.kind === "collection" ? "collection" : "resource"}`;
    const text = document.createElement("span");
    text.textContent = place.path;
    link.append(picture(place.kind === "collection" ? "folder" : "file"), text);
    line.append(link);
    return line;
  }));
  panel.hidden = false;
}
