// The browser tells the server its zone once, so that every page has times in it; the times of this page are written anew here. Who chose a zone keeps it.
{
  const { zone: known, zoneChosen } = document.documentElement.dataset;
  let zone;
  try {
    zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  } catch { /* no zone, so it stays as it is */ }
  if (zone && zone !== known && zoneChosen === undefined) {
    fetch("/console/zone", { method: "POST", body: new URLSearchParams({ zone }), redirect: "error" }).catch(() => {});
    const exact = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.title = `${exact.format(at)} (${zone})`;
    }
  }
  for (const list of document.querySelectorAll("datalist[data-zones]")) {
    if (!Intl.supportedValuesOf) continue;
    list.replaceChildren(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((name) => {
      const option = document.createElement("option");
      option.value = name;
      return option;
    }));
  }
}
