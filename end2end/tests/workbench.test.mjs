// Models, data and compliance in the browser.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DESKTOP, PHONE, Program, accessible, browser, fits, open, withPage } from "../harness.mjs";

let program, chrome, folder;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mltrainer-files-"));
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A CSV of real bars, row by row as `change` leaves them. */
async function file(name, change = (b) => b) {
  const bars = await program.json("/api/v1/datasets/bundled:IBM/bars?start=2008-01-01&end=2009-12-31");
  const rows = bars.map(change).map((b) => [b.date, b.open, b.high, b.low, b.close, b.volume].join(","));
  const path = join(folder, name);
  writeFileSync(path, `date,open,high,low,close,volume\n${rows.join("\n")}\n`);
  return { path, rows: rows.length };
}

test("models are searched and filtered, and the URL keeps it", async () => {
  await withPage(chrome, program, PHONE, async (page) => {
    await open(page, "/models");
    const entries = page.locator("main a[href^='/models/']");
    const all = await entries.count();
    assert.ok(all >= 18, `${all} entries`);
    await page.getByRole("searchbox").fill("ridge");
    await page.waitForURL(/q=ridge/);
    await page.waitForFunction((all) => document.querySelectorAll("main a[href^='/models/']").length < all, all);
    assert.ok((await entries.allInnerTexts()).some((t) => /ridge/i.test(t)));
    const url = page.url();
    await open(page, url);
    assert.equal(await page.getByRole("searchbox").inputValue(), "ridge");
    await open(page, "/models?q=nothing-of-that-name");
    assert.equal(await entries.count(), 0);
    assert.match(await page.locator("main").innerText(), /no |nothing/i);
    await open(page, "/models");
    await page.getByLabel("Family").selectOption("indicator");
    await page.waitForURL(/family=indicator/);
    assert.ok((await entries.count()) < all);
  });
});

test("a model's card tells what it is, and runs it on real data", async () => {
  await withPage(chrome, program, { ...DESKTOP, expected: ["422"] }, async (page) => {
    await open(page, "/models/sma");
    const card = await page.locator("main").innerText();
    for (const part of [/what it computes/i, /parameters/i, /evidence/i, /source/i, /period/]) assert.match(card, part);
    const run = page.locator("#run");
    await run.getByLabel("Data set", { exact: true }).selectOption("bundled:AAPL");
    await run.getByText("Parameters").click();
    await run.getByLabel("period").fill("10");
    await run.getByRole("button", { name: "Run" }).click();
    await run.getByRole("heading", { name: "Outputs" }).waitFor();
    await page.waitForURL(/period=10/);
    // A value out of range is refused at its field, and the rest stays.
    await run.getByLabel("period").fill("0");
    await run.getByRole("button", { name: "Run" }).click();
    await run.getByRole("alert").filter({ hasText: /0/ }).first().waitFor();
    assert.equal(await run.getByLabel("Data set", { exact: true }).inputValue(), "bundled:AAPL");
    await accessible(page, "/models/sma after a run");
  });
});

test("a file is uploaded, checked and listed; bad rows and bad files say why", async () => {
  await withPage(chrome, program, { ...PHONE, expected: ["422"] }, async (page) => {
    const upload = async (path, symbol) => {
      await open(page, "/data");
      const form = page.locator("form").filter({ has: page.locator("input[type=file]") });
      await form.locator("input[type=file]").setInputFiles(path);
      await form.getByLabel(/symbol/i).fill(symbol);
      await form.getByRole("button", { name: /upload|import/i }).click();
    };
    const good = await file("good.csv");
    await upload(good.path, "MINE");
    await page.getByText("MINE").first().waitFor();
    const listed = await program.json("/api/v1/datasets");
    const mine = listed.find((d) => d.symbols[0] === "MINE");
    assert.equal(mine.rows, good.rows);

    let n = 0;
    const some = await file("some.csv", (b) => (++n === 101 ? { ...b, high: b.low, low: b.high } : b));
    await upload(some.path, "SOME");
    await page.getByRole("region", { name: /findings/i }).getByRole("cell", { name: "101", exact: true }).waitFor();
    await fits(page, "/data after an upload");
    await accessible(page, "/data after an upload");

    const bad = await file("bad.csv", (b) => ({ ...b, close: "abc" }));
    await upload(bad.path, "BAD");
    await page.getByRole("alert").filter({ hasText: /0 usable rows/ }).first().waitFor();
    await page.getByRole("region", { name: /findings/i }).getByText(/close is missing or not a number/i).first().waitFor();
    assert.ok(!(await program.json("/api/v1/datasets")).some((d) => d.symbols[0] === "BAD"));
  });
});

test("a file with names of its own is looked at, corrected and imported, on a phone and without script", async () => {
  const bars = await program.json("/api/v1/datasets/bundled:IBM/bars?start=2008-01-01&end=2009-12-31");
  const comma = (x) => String(x).replace(".", ",");
  const rows = bars.map((b) => [b.date, comma(b.open), comma(b.high), comma(b.low), comma(b.close), b.volume].join(";"));
  const path = join(folder, "kurse.csv");
  writeFileSync(path, `Datum;Anfang;Hoch;Tief;Schluss;Umsatz\n${rows.join("\n")}\n`);
  for (const javaScriptEnabled of [true, false]) {
    const symbol = javaScriptEnabled ? "SCRIPT" : "PLAIN";
    // Without script the browser says so of each script that it does not run.
    const expected = javaScriptEnabled ? [] : ["mltrainer.js csp", "preloaded using link preload"];
    await withPage(chrome, program, { ...PHONE, javaScriptEnabled, expected }, async (page) => {
      const go = (path) => javaScriptEnabled ? open(page, path) : page.goto(`${program.base}${path}`);
      await go("/data");
      const first = page.locator("form").filter({ has: page.locator("input[type=file]") });
      await first.locator("input[type=file]").setInputFiles(path);
      await first.getByLabel(/symbol/i).fill(symbol);
      await first.getByRole("button", { name: /look/i }).click();
      const panel = page.locator("#uploaded");
      await panel.getByText(/not imported yet/i).waitFor();
      assert.match(await panel.innerText(), /semicolon/i);
      if (javaScriptEnabled) {
        await fits(page, "/data after a look");
        await accessible(page, "/data after a look");
      }
      const form = panel.locator("form");
      assert.equal(await form.getByLabel("Symbol").inputValue(), symbol);
      for (const [field, column] of [["Date", "Datum"], ["Open", "Anfang"], ["High", "Hoch"], ["Low", "Tief"], ["Close", "Schluss"], ["Volume", "Umsatz"]])
        await form.getByLabel(field, { exact: true }).selectOption(column);
      await form.getByRole("button", { name: /look again/i }).click();
      await panel.getByText(/this is what was found/i).waitFor();
      assert.match(await panel.innerText(), /505 rows/);
      await panel.locator("form").getByRole("button", { name: "Import" }).click();
      await panel.getByText("Imported").first().waitFor();
      const listed = await program.json("/api/v1/datasets");
      const mine = listed.find((d) => d.symbols[0] === symbol);
      assert.equal(mine.rows, 505);
      await go(`/data/${mine.id}`);
      assert.match(await page.locator("#quality").innerText(), /sessions old/);
    });
  }
});

test("a data set is compared with another source", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, "/data/bundled:AAPL");
    const panel = page.locator("#sources");
    assert.match(await panel.innerText(), /bundled:AAPL_ADJ/);
    assert.match(await panel.innerText(), /of 3,269 common days/);
    await fits(page, "/data/bundled:AAPL");
    await accessible(page, "/data/bundled:AAPL");
  });
});

test("the rules are shown, the chain is verified and filtered, and a result leads to its file", async () => {
  const id = await program.finishedTrial();
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, "/compliance");
    const text = await page.locator("main").innerText();
    for (const rule of (await program.json("/api/compliance/policy")).rules) assert.ok(text.includes(rule.title), rule.id);
    await page.getByRole("link", { name: /verify/i }).click();
    const { records } = await program.json("/api/compliance/audit/verify");
    await page.getByText(new RegExp(`${records} records`)).first().waitFor();
    await open(page, `/compliance?subject=${id}`);
    const rows = await page.locator("main table tbody tr").allInnerTexts();
    assert.ok(rows.some((r) => r.includes("trial.create")));

    await open(page, `/trials/${id}`);
    const { lineage } = await program.json(`/api/v1/trials/${id}`);
    const shown = await page.locator("main").innerText();
    assert.ok(shown.includes(lineage.datasets[0].sha256.slice(0, 8)), "the hash of the data set");
    await page.locator("main").getByRole("link", { name: /bundled:AAPL/ }).first().click();
    await page.waitForURL(/\/data\//);
    assert.ok((await page.locator("main").innerText()).includes(lineage.datasets[0].sha256.slice(0, 8)));
  });
});

test("the sources say how they do, and a fetch that fails says why and keeps what was typed", async () => {
  const vendor = createServer((_, answer) => {
    answer.writeHead(200, { "content-type": "text/html" });
    answer.end("<html>Will be right back</html>");
  });
  await new Promise((resolve) => vendor.listen(0, "127.0.0.1", resolve));
  const server = await Program.start({ env: { MLTRAINER_YAHOO_URL: `http://127.0.0.1:${vendor.address().port}` } });
  try {
    await withPage(chrome, server, { ...PHONE, expected: ["502", "422"] }, async (page) => {
      await open(page, "/data");
      const part = page.locator("#sources");
      const { length } = await server.json("/api/v1/sources");
      assert.equal(await part.locator("tbody tr").count(), length);
      await part.getByLabel("Source", { exact: true }).selectOption("yahoo");
      await part.getByLabel("Symbol or series", { exact: true }).fill("AAPL");
      await part.getByRole("button", { name: "Fetch" }).click();
      const alert = part.getByRole("alert");
      await alert.filter({ hasText: /Yahoo|yahoo/ }).filter({ hasText: /AAPL/ }).waitFor();
      assert.equal(await part.getByLabel("Symbol or series", { exact: true }).inputValue(), "AAPL");
      await fits(page, "/data after a fetch that failed");
      await accessible(page, "/data after a fetch that failed");
    });
  } finally {
    await server.stop();
    vendor.close();
  }
});
