// Shows what is new without a reload: the page is asked for again, and its live parts change.
"use strict";
(() => {
  const status = document.getElementById("live");
  const parts = () => document.querySelectorAll("[data-live]");
  if (!window.EventSource || !status || !parts().length) return;
  let source = null;
  let asking = false;
  let again = false;

  const keepOpen = (old, fresh) => {
    for (const details of old.querySelectorAll("details[open][id]")) {
      const same = fresh.querySelector("#" + CSS.escape(details.id));
      if (same) same.open = true;
    }
  };

  const refresh = async () => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const old of parts()) {
        const fresh = page.getElementById(old.id);
        if (!fresh || fresh.isEqualNode(old)) continue;
        keepOpen(old, fresh);
        old.replaceWith(fresh);
      }
      status.textContent = "as of " + new Date().toLocaleTimeString();
    } catch {
      status.textContent = "not up to date: reload";
    } finally {
      asking = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  };

  const listen = () => {
    let lost = false;
    source = new EventSource("/mail/news");
    source.addEventListener("news", refresh);
    source.onopen = () => {
      if (lost) refresh();
      lost = false;
      status.textContent = "live";
    };
    source.onerror = () => {
      lost = true;
      status.textContent = "not live";
    };
  };

  // A browser has few connections to one server: a page that nobody sees keeps none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (source) source.close();
      source = null;
    } else if (!source) {
      listen();
      refresh();
    }
  });
  addEventListener("pagehide", () => {
    if (source) source.close();
    source = null;
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted && !source && !document.hidden) {
      listen();
      refresh();
    }
  });
  if (!document.hidden) listen();
})();
