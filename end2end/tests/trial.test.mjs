// The way of a trial in the browser: one press, a live page, a verdict; and the line that is cut.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DESKTOP, Line, PHONE, Program, browser, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome;

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

/** A trial whose page can be watched for some seconds. */
const LONG = {
  symbols: ["AAPL"],
  start: "2003-01-01",
  target: "log_volatility",
  horizons: [5],
  models: ["ridge", { model: "random_forest", params: { n_estimators: 3000 } }],
  validation: { kind: "walk_forward", folds: 8 },
};

/** A trial on two cores that are shared takes its time. */
const PATIENT = { timeout: 240_000 };

/** Waits until the page shows the end of the trial, and compares it with the API. */
async function verdictShown(page, server, id) {
  await page.locator("#verdict").waitFor(PATIENT);
  const trial = await server.json(`/api/v1/trials/${id}`);
  assert.equal(trial.state, "finished");
  assert.ok((await page.locator("#verdict").innerText()).includes(trial.verdict.text), "the verdict in the same words");
  const rows = page.locator("#leaderboard table").first().locator("tbody tr");
  const horizons = trial.spec.horizons.length;
  assert.equal(await rows.count(), trial.leaderboard.length / horizons, "a row for each model");
  const first = await rows.first().innerText();
  assert.ok(first.includes(trial.leaderboard[0].title), `best first: ${first}`);
  return trial;
}

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  test(`one press makes a trial and its page lives, on a ${name}`, async () => {
    await withPage(chrome, program, device, async (page) => {
      await open(page, "/");
      await page.getByRole("button", { name: /^New trial/ }).first().click();
      await page.waitForURL(/\/trials\/t-/);
      await hydrated(page);
      let loads = 0;
      page.on("load", () => loads++);
      const id = new URL(page.url()).pathname.split("/").pop();
      // It moves: steps are counted, the leaderboard fills, and the end comes without a reload.
      await page.waitForFunction(() => document.querySelector("progress")?.value > 0, undefined, PATIENT);
      await page.locator("#leaderboard tbody tr").first().waitFor(PATIENT);
      await verdictShown(page, program, id);
      assert.equal(loads, 0, "the page lived all the while");
      await fits(page, "the finished trial");
      await page.locator("#charts svg").first().waitFor();
      // The same page from the server says the same.
      await open(page, `/trials/${id}`);
      await verdictShown(page, program, id);
    });
  });

  test(`the form makes a trial with what was chosen, on a ${name}`, async () => {
    await withPage(chrome, program, device, async (page) => {
      await open(page, "/trials/new");
      await page.getByLabel("Symbols").fill("IBM");
      await page.getByText("Log volatility", { exact: true }).click();
      await page.locator("input[name='form[horizons]']").fill("5");
      await page.locator("summary").filter({ hasText: /^Linear/ }).click();
      await page.locator("input[type=checkbox][value=ridge]").check();
      await page.getByText(/^Details/).click();
      await page.getByLabel("From").fill("2010-01-01");
      await page.getByLabel("Folds").fill("2");
      await page.getByRole("button", { name: /^Start/ }).click();
      await page.waitForURL(/\/trials\/t-/);
      const id = new URL(page.url()).pathname.split("/").pop();
      const { spec } = await verdictShown(page, program, id);
      assert.deepEqual(spec.symbols, ["IBM"]);
      assert.equal(spec.target, "log_volatility");
      assert.deepEqual(spec.horizons, [5]);
      assert.equal(spec.start, "2010-01-01");
      assert.equal(spec.validation.folds, 2);
      assert.ok(spec.models.some((m) => m.model === "ridge"));
    });
  });
}

test("a mistake in the form is said at its field, and what was typed stays", async () => {
  await withPage(chrome, program, { ...PHONE, expected: ["404", "422"] }, async (page) => {
    await open(page, "/trials/new");
    await page.getByLabel("Symbols").fill("APPL");
    await page.getByRole("button", { name: /^Start/ }).click();
    await page.getByRole("alert").filter({ hasText: /APPL/ }).filter({ hasText: /AAPL/ }).first().waitFor();
    assert.equal(await page.getByLabel("Symbols").inputValue(), "APPL");
    await page.getByLabel("Symbols").fill("AAPL");
    await page.locator("input[name='form[horizons]']").fill("999");
    await page.getByRole("button", { name: /^Start/ }).click();
    await page.getByRole("alert").filter({ hasText: /250/ }).first().waitFor();
  });
});

const LOST = "Connection lost";

/** What the console says of a connection that is not there. */
const CUT = ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED"];

test("a page whose line was cut goes on by itself, without loss", async () => {
  const line = await Line.to(program);
  try {
    await withPage(chrome, program, { ...DESKTOP, baseURL: line.base, expected: CUT }, async (page) => {
      const { id } = await program.json("/api/v1/trials", LONG);
      await open(page, `/trials/${id}`);
      let loads = 0;
      page.on("load", () => loads++);
      for (let cuts = 0; cuts < 2; cuts++) {
        await page.getByText("Live", { exact: true }).waitFor();
        line.cut();
        await page.getByText(LOST).waitFor();
        line.mend();
      }
      await verdictShown(page, program, id);
      assert.equal(loads, 0, "the page lived all the while");
      const { progress } = await program.json(`/api/v1/trials/${id}`);
      await page.getByText(`${progress.total} of ${progress.total} steps`).waitFor();
    });
  } finally {
    line.close();
  }
});

test("a page goes on when the program was killed and started again", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "mltrainer-end2end-"));
  let server = await Program.start({ dataDir });
  try {
    await withPage(chrome, server, { ...DESKTOP, expected: CUT }, async (page) => {
      const { id } = await server.json("/api/v1/trials", LONG);
      await open(page, `/trials/${id}`);
      let loads = 0;
      page.on("load", () => loads++);
      await page.waitForFunction(() => document.querySelector("progress")?.value > 0, undefined, PATIENT);
      await server.kill();
      await page.getByText(LOST).waitFor();
      const before = await page.locator("progress").evaluate((bar) => bar.value);
      server = await Program.start({ dataDir, addr: server.addr });
      await page.getByText(LOST).waitFor({ state: "detached" });
      assert.ok(await page.locator("progress").evaluate((bar) => bar.value) >= before, "nothing is lost");
      await verdictShown(page, server, id);
      assert.equal(loads, 0, "the page lived all the while");
    });
  } finally {
    await server.kill();
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("a running trial is paused, resumed and cancelled by its buttons", async () => {
  await withPage(chrome, program, PHONE, async (page) => {
    const { id } = await program.json("/api/v1/trials", LONG);
    await open(page, `/trials/${id}`);
    const state = async () => (await program.json(`/api/v1/trials/${id}`)).state;
    const button = (name) => page.getByRole("button", { name });
    await button("Pause").click();
    await button("Resume").waitFor();
    assert.equal(await state(), "paused");
    await button("Resume").click();
    await button("Pause").waitFor();
    await page.getByText("Cancel …").click();
    await button("Cancel this trial").click();
    await page.locator(".progress-words").getByText(/Cancelled/).waitFor();
    assert.equal(await state(), "cancelled");
    assert.equal(await button(/^(Pause|Resume)$/).count(), 0);
  });
});

test("the whole form by keyboard alone", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, "/trials/new");
    const focused = () => page.evaluate(() => {
      const e = document.activeElement;
      const style = getComputedStyle(e);
      return {
        tag: e.tagName,
        text: (e.textContent || e.getAttribute("aria-label") || e.name || "").trim(),
        name: e.name ?? "",
        type: e.type ?? "",
        seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none",
      };
    });
    // The first stop leads past the menu.
    await page.keyboard.press("Tab");
    assert.match((await focused()).text, /skip/i);
    await page.keyboard.press("Enter");
    const met = new Set();
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press("Tab");
      const here = await focused();
      if (here.tag === "BODY") break;
      assert.ok(here.seen, `the focus is seen on ${here.tag} ${here.name || here.text}`);
      met.add(here.name || here.text);
      if (here.tag === "BUTTON" && here.type === "submit") break;
    }
    assert.ok(met.size >= 5, `the fields are reached: ${[...met]}`);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/trials\/t-/);
    const id = new URL(page.url()).pathname.split("/").pop();
    await fetch(`${program.base}/api/v1/trials/${id}/cancel`, { method: "POST" });
  });
});

test("a chart is read by pointer, by keyboard and as a table, and zoomed", async () => {
  const id = await program.finishedTrial();
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, `/trials/${id}`);
    const chart = page.locator("#charts [aria-roledescription=chart]").first();
    await chart.scrollIntoViewIfNeeded();
    const readout = page.locator("#charts .readout").first();
    const box = await chart.boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await readout.filter({ hasText: /20\d\d-\d\d-\d\d/ }).waitFor();
    const there = await readout.innerText();
    await chart.focus();
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((was) => document.querySelector("#charts .readout")?.innerText !== was, there);
    assert.match(await readout.innerText(), /20\d\d-\d\d-\d\d/);
    const drawn = await chart.locator("svg").first().innerHTML();
    await page.getByRole("button", { name: "Zoom in" }).first().click();
    await page.waitForFunction((was) => document.querySelector("#charts svg")?.innerHTML !== was, drawn);
  });
});
