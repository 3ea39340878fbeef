// Every page, on a phone and a desktop, in light and dark: it comes to life, nothing complains,
// axe finds nothing, and nothing sticks out at 360 px.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, PHONE, Program, accessible, browser, enter, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome, trial, running, talk;

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
  trial = await program.finishedTrial();
  // One that waits in the middle, so that its page shows progress, log and buttons.
  const { id } = await program.json("/api/v1/trials", {
    symbols: ["MSFT"],
    target: "return",
    models: [{ model: "random_forest", params: { n_estimators: 300 } }, "ridge"],
  });
  await fetch(`${program.base}/api/v1/trials/${id}/pause`, { method: "POST" });
  running = id;
  // An answer that is stored before the pages are looked at.
  const said = await program.json("/api/v1/conversations", { text: "What data do you have?" });
  talk = said.conversation;
  while ((await program.json(`/api/v1/conversations/${talk}`)).working) await new Promise((go) => setTimeout(go, 100));
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

const pages = () => [
  "/", "/chat", `/chat/${talk}`, "/chat?q=data", "/models", "/models?family=indicator&q=average", "/models?q=nothing-of-that-name",
  "/models/random_forest", "/models/sma", "/models/random_forest_50", "/trials", "/trials/new",
  "/backtests", "/backtests/new", "/backtests/new?by=form", "/backtests/new?by=json",
  `/trials/${trial}`, `/trials/${running}`, "/data", "/data/bundled:AAPL", "/compliance",
  "/compliance?decision=allowed", "/analytics",
  "/analytics?dataset=bundled:AAPL&start=2011-01-03&end=2012-06-29&show=sma:period=20,bollinger_bands:period=20,rsi,macd&feature=log_return_5&with=MSFT,IBM,GOOG,SPX",
  "/analytics?dataset=bundled:IBM&show=sma:period=0,nope", "/portfolio",
  "/portfolio?run=1&symbols=JNJ_ADJ,KO_ADJ,XOM_ADJ&change=KO_ADJ:0.5",
  "/papers", "/papers?q=nothing", "/coaching", "/learning", "/learning?symbols=IBM&target=log_volatility&horizon=5",
];

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`every page on a ${name}, ${colorScheme}`, async () => {
      await withPage(chrome, program, { ...device, colorScheme }, async (page) => {
        const faults = [];
        for (const path of pages()) {
          try {
            const answer = await open(page, path);
            assert.equal(answer.status(), 200, path);
            assert.equal(await page.locator("main").count(), 1, `${path}: one main`);
            assert.equal(await page.locator("h1").count(), 1, `${path}: one first heading`);
            assert.match(await page.title(), /mlTrainer/, path);
            await accessible(page, path);
            await fits(page, path);
          } catch (error) {
            faults.push(error.message);
          }
        }
        assert.equal(faults.length, 0, faults.join("\n"));
      });
    });
  }
}

test("every page fits 360 px, also with text at 200 %", async () => {
  await withPage(chrome, program, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }, async (page) => {
    const faults = [];
    for (const path of pages()) {
      await open(page, path);
      await fits(page, `${path} at 360 px`).catch((e) => faults.push(e.message));
      // What a thumb must meet is large enough.
      const small = await page.evaluate(() =>
        [...document.querySelectorAll("a.button, button, input:not([type=hidden], [type=checkbox], [type=radio]), select, label.choice, nav.rooms a, summary")]
          .map((e) => [e, e.getBoundingClientRect()])
          .filter(([, r]) => r.width > 0 && r.height > 0 && r.height < 43.5)
          .map(([e, r]) => `${e.tagName.toLowerCase()} "${(e.textContent || e.name || "").trim().slice(0, 30)}" is ${Math.round(r.height)} px high`));
      if (small.length) faults.push(`${path}: ${small.join(", ")}`);
      // Large text, as many people set it.
      await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
      await fits(page, `${path} at 360 px with text at 200 %`).catch((e) => faults.push(e.message));
    }
    assert.equal(faults.length, 0, faults.join("\n"));
  });
});

test("a page that is not there says so", async () => {
  await withPage(chrome, program, { ...PHONE, expected: ["404"] }, async (page) => {
    const answer = await open(page, "/no/such/page");
    assert.equal(answer.status(), 404);
    await accessible(page, "not found");
    await fits(page, "not found");
    assert.equal((await page.goto("/models/rigde")).status(), 404);
    await page.getByRole("alert").filter({ hasText: /rigde/ }).filter({ hasText: /\bridge\b/ }).waitFor();
  });
});

test("the page of the API's description works", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await page.goto("/api/docs");
    await accessible(page, "/api/docs");
    await fits(page, "/api/docs");
  });
});

test("the rooms are reached by the menu, which says where one is", async () => {
  for (const device of [PHONE, DESKTOP]) {
    await withPage(chrome, program, device, async (page) => {
      await open(page, "/");
      const menu = page.getByRole("navigation", { name: "Rooms" });
      for (const [name, path] of [["Chat", "/chat"], ["Analytics", "/analytics"], ["Models", "/models"], ["Trials", "/trials"], ["Data", "/data"], ["Compliance", "/compliance"]]) {
        await enter(page, name);
        await page.waitForURL((url) => url.pathname === path);
        await hydrated(page);
        await menu.locator("a[aria-current=page]", { hasText: name }).first().waitFor({ state: "attached" });
      }
      await page.goBack();
      await page.waitForURL((url) => url.pathname === "/data");
    });
  }
});

test("the theme is switched, kept, and the same from the server", async () => {
  await withPage(chrome, program, { ...DESKTOP, colorScheme: "light" }, async (page) => {
    await open(page, "/");
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    // As the system, light, dark.
    const button = page.getByRole("button", { name: /colours/i });
    await button.click();
    await button.click();
    await page.waitForFunction((was) => getComputedStyle(document.body).backgroundColor !== was, light);
    const dark = await background();
    await open(page, "/models");
    assert.equal(await background(), dark, "kept over a reload");
    const html = await (await page.request.get("/models")).text();
    assert.match(html, /data-theme="dark"/, "the server renders it, so nothing flashes");
  });
});
