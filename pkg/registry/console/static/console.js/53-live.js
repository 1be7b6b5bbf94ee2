// What refreshes itself: the region is fetched anew with its page, while it is seen and nobody is at work in it.
{
  const busy = (region) => {
    const selection = window.getSelection();
    return document.hidden || region.querySelector(":focus, details[open]") ||
      selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  };
  const start = (region) => {
    const seconds = Number(region.dataset.refresh);
    const pause = document.querySelector(`[data-pause="${region.id}"]`);
    let paused = false;
    const refresh = async () => {
      const address = new URL(location.href);
      for (const name of ["note", "try"]) address.searchParams.delete(name);
      if (region.dataset.node) address.searchParams.set("node", region.dataset.node);
      const answer = await fetch(address, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
      if (!answer || !answer.ok) return true;
      if (new URL(answer.url).pathname !== location.pathname) return false; // the session ended
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(region.id);
      // Another node may have answered: then these are not the figures that were here.
      if (fresh && fresh.dataset.node === region.dataset.node && !busy(region) && !paused) region.replaceChildren(...fresh.childNodes);
      return true;
    };
    const wait = () => {
      setTimeout(async () => {
        if (paused || busy(region) || await refresh()) wait();
      }, seconds * 1000);
    };
    if (pause) {
      pause.classList.add("on");
      pause.setAttribute("aria-pressed", "false");
      pause.addEventListener("click", () => {
        paused = !paused;
        pause.setAttribute("aria-pressed", String(paused));
      });
    }
    wait();
  };
  for (const region of document.querySelectorAll("[data-refresh]")) start(region);
}

// What others do to the thing on the page is told while it is read. A list is made anew in place; everything else waits for its reader, who may be typing.
{
  const place = document.querySelector("[data-events]");
  const region = document.querySelector("[data-live]");
  const busy = () => {
    const selection = window.getSelection();
    return region.querySelector(":focus, details[open], input:checked") || selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  };
  const offer = (text) => {
    const said = document.createElement("span");
    said.textContent = say("{1} just now.", text);
    const show = document.createElement("a");
    show.href = location.pathname + location.search;
    show.textContent = say("Show");
    place.replaceChildren(said, show);
  };
  const renew = async () => {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(10_000) }).catch(() => null);
    if (!answer || !answer.ok) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(region.id);
    if (!fresh || busy()) return false;
    region.replaceChildren(...fresh.childNodes);
    return true;
  };
  if (place) {
    let source = null;
    let last = "";
    let timer = 0;
    let text = "";
    const told = async () => {
      timer = 0;
      if (!region || busy() || !await renew()) {
        offer(text);
        return;
      }
      const said = document.createElement("span");
      said.textContent = say("{1} just now.", text);
      place.replaceChildren(said);
    };
    const close = () => {
      if (source) source.close();
      source = null;
    };
    const open = () => {
      if (source) return;
      const address = new URL(place.dataset.events, location.href);
      if (last) address.searchParams.set("from", last);
      source = new EventSource(address);
      source.addEventListener("message", (event) => {
        last = event.lastEventId;
        text = JSON.parse(event.data).text;
        if (!timer) timer = setTimeout(told, 300); // several come together
      });
      source.addEventListener("end", close); // the session ended, or what it may read
    };
    // A page that nobody sees holds no connection: browsers have few for one address.
    const follow = () => {
      if (document.hidden) close();
      else open();
    };
    document.addEventListener("visibilitychange", follow);
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", follow);
    follow();
  }
}
