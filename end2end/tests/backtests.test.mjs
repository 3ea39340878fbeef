// Back tests in the browser: a strategy from the form and as JSON, checked while it is typed, and the page
// of the result; on a phone and a desktop, with and without script.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, PHONE, Program, accessible, browser, enter, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome;

/** A browser that runs no script says so of each. */
const SILENT = ["mltrainer.js csp", "preloaded using link preload"];

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

/** The page says what the API says. */
async function resultShown(page, id) {
  const made = await program.json(`/api/v1/backtests/${id}`);
  const text = await page.locator("main").innerText();
  assert.ok(text.includes(made.verdict.text), "the verdict in the same words");
  assert.equal(await page.locator(".findings li").count(), made.findings.length, "every finding");
  assert.equal(await page.locator("#charts .drawn > svg").count(), 3, "equity, rolling measures, trades on prices");
  const years = new Set(made.dates.map((d) => d.slice(0, 4)));
  assert.equal(await page.locator("#months tbody tr").count(), years.size, "a row a year");
  assert.equal(await page.locator("#trades table tbody tr").count(), Math.min(20, made.trades.length + made.open_trades.length));
  await fits(page, "the result");
  return made;
}

for (const [name, device] of [["phone", PHONE], ["desktop", DESKTOP]]) {
  test(`from the empty list to a result, on a ${name}`, async () => {
    await withPage(chrome, program, { ...device, colorScheme: name === "phone" ? "dark" : "light" }, async (page) => {
      await open(page, "/");
      await enter(page, "Back tests");
      await page.waitForURL("**/backtests");
      await page.getByRole("link", { name: /new back test|first back test/i }).first().click();
      await page.waitForURL(/\/backtests\/new/);
      await hydrated(page);
      await accessible(page, "the editor");
      await fits(page, "the editor");
      // The parameters of the chosen strategy alone are there, and are checked while they are typed.
      await page.getByLabel("Reversion by RSI").check();
      await page.getByLabel("Changes averaged").first().fill("0");
      await page.locator("#check").filter({ hasText: "not a whole number" }).waitFor();
      await page.getByLabel("Changes averaged").first().fill("5");
      await page.locator("#check").filter({ hasText: "rsi(close, 5)" }).waitFor();
      assert.match(page.url(), /rsi_reversion/, "the address follows");
      await page.getByLabel("Symbols").fill("IBM");
      await page.getByRole("button", { name: "Run the back test" }).click();
      await page.waitForURL(/\/backtests\/b-/);
      await hydrated(page);
      const id = new URL(page.url()).pathname.split("/").pop();
      const made = await resultShown(page, id);
      assert.deepEqual(made.spec.params, { period: 5, lower: 30, upper: 70 });
      assert.equal(made.spec.symbols[0].symbol, "IBM");
      await accessible(page, "the result");
      // The chart of the trades shows candles when it is brought near.
      const trades = page.locator("#prices figure");
      for (let i = 0; i < 8 && await trades.locator("svg.marks .up, svg.marks .dn").count() === 0; i++) {
        await trades.getByRole("button", { name: "Zoom in" }).click();
        await page.waitForTimeout(400);
      }
      assert.ok(await trades.locator("svg.marks .up, svg.marks .dn").count() > 0, "candles");
      // And the same test can be changed.
      await page.getByRole("link", { name: "Change and test again" }).click();
      await page.waitForURL(/\/backtests\/new/);
      assert.equal(await page.getByLabel("Changes averaged").first().inputValue(), "5");
      await open(page, "/backtests");
      await page.locator("tbody tr").first().waitFor();
      await accessible(page, "the list");
      await fits(page, "the list");
    });
  });
}

test("the form's strategy goes on as JSON, and mistakes are shown at their place by the keyboard alone", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, "/backtests/new?by=form");
    await page.getByLabel("Buys when").focus();
    await page.keyboard.type("close > smaa(close, 50)");
    await page.locator("#check").filter({ hasText: "column 9" }).filter({ hasText: "50)" }).waitFor();
    assert.equal(await page.locator("#check .excerpt").innerText(), "close > smaa(close, 50)\n        ^");
    await page.getByLabel("Buys when").fill("close > sma(close, 50)");
    await page.keyboard.press("Tab");
    await page.keyboard.type("close < sma(close, 50)");
    await page.locator("#check").filter({ hasText: "Can be tested" }).waitFor();
    await page.getByRole("button", { name: "JSON", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/to=json/);
    await hydrated(page);
    const area = page.getByLabel("Strategy as JSON");
    const text = await area.inputValue();
    assert.equal(JSON.parse(text).long.enter, "close > sma(close, 50)");
    await area.fill(text.replace('"long"', '"longg"'));
    await page.locator("#check").filter({ hasText: "did you mean" }).or(page.locator("#check").filter({ hasText: "Did you mean" })).waitFor();
    assert.match(await page.locator("#check").innerText(), /line \d+, column \d+/);
    await area.fill(text.replace('"Strategy of the form"', '"Over fifty"'));
    await page.locator("#check").filter({ hasText: "Over fifty" }).waitFor();
    await page.getByRole("button", { name: "Run the back test" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/backtests\/b-/);
    const made = await resultShown(page, new URL(page.url()).pathname.split("/").pop());
    assert.equal(made.spec.strategy.name, "Over fifty");
  });
});

test("without script: a mistake comes back with what was typed, then the result and its report", async () => {
  await withPage(chrome, program, { ...PHONE, javaScriptEnabled: false, expected: [...SILENT, "404", "422"] }, async (page) => {
    await page.goto("/backtests/new?by=form");
    await page.getByLabel("Buys when").fill("close > highest(close, 20)");
    await page.getByRole("button", { name: "Check", exact: true }).last().click();
    await page.waitForURL(/highest/);
    assert.match(await page.locator("#check").innerText(), /Can be tested/);
    await page.getByLabel("Symbols").fill("APPL");
    await page.getByRole("button", { name: "Run the back test" }).click();
    assert.match(await page.locator("main").innerText(), /did you mean AAPL/i);
    assert.equal(await page.getByLabel("Buys when").inputValue(), "close > highest(close, 20)");
    assert.equal(await page.getByLabel("Symbols").inputValue(), "APPL");
    await page.getByLabel("Symbols").fill("AAPL");
    // A close is never above the highest of the bars that it is one of.
    await page.getByRole("button", { name: "Run the back test" }).click();
    await page.waitForURL(/\/backtests\/b-/);
    assert.match(await page.locator("main").innerText(), /never traded/);
    await fits(page, "a result without trades");
    await page.getByRole("link", { name: "Report", exact: true }).click();
    await page.waitForURL(/report\.html/);
    assert.match(await page.locator("body").innerText(), /Nothing was bought or sold/);
    await fits(page, "the report");
  });
});
