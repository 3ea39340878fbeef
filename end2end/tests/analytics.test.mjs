// The analytics page: laid over by the form, read by crosshair and keys, zoomed and moved; the address
// keeps all of it, and without script the same is there.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { DESKTOP, PHONE, Program, accessible, browser, fits, hydrated, open, withPage } from "../harness.mjs";

let program, chrome;

const FULL = "/analytics?dataset=bundled:AAPL&start=2012-01-03&end=2012-06-29&show=sma:period=20,bollinger_bands:period=20,rsi,macd&feature=log_return_5&with=MSFT,IBM";
const SILENT = ["mltrainer.js csp", "preloaded using link preload"];

before(async () => {
  [program, chrome] = await Promise.all([Program.start(), browser()]);
});

after(async () => {
  await chrome?.close();
  await program?.stop();
});

const query = (page) => new URL(page.url()).searchParams;

for (const javaScriptEnabled of [true, false]) {
  test(`the form lays entries over the prices and takes them off, ${javaScriptEnabled ? "with" : "without"} script`, async () => {
    await withPage(chrome, program, { ...PHONE, javaScriptEnabled, expected: javaScriptEnabled ? [] : SILENT }, async (page) => {
      const arrived = async (check) => {
        await page.waitForURL(check);
        if (javaScriptEnabled) await hydrated(page);
      };
      await page.goto("/analytics");
      if (javaScriptEnabled) await hydrated(page);
      await page.getByLabel("Data set", { exact: true }).selectOption("bundled:IBM");
      await page.getByLabel("From").fill("2011-01-03");
      await page.getByLabel("To", { exact: true }).fill("2011-12-30");
      await page.getByLabel("Lay over").selectOption("sma");
      await page.getByRole("button", { name: "Show", exact: true }).click();
      await arrived((url) => url.searchParams.get("show") === "sma" && url.searchParams.get("dataset") === "bundled:IBM");
      await page.getByLabel("period").fill("50");
      await page.getByRole("button", { name: "Apply these parameters" }).click();
      await arrived((url) => url.searchParams.get("show") === "sma:period=50");
      assert.equal(await page.getByLabel("period").inputValue(), "50");
      assert.equal(await page.getByLabel("From").inputValue(), "2011-01-03");
      // A value out of range is refused at its field; the prices stay.
      await page.getByLabel("period").fill("0");
      await page.getByRole("button", { name: "Apply these parameters" }).click();
      await arrived((url) => url.searchParams.get("show") === "sma:period=0");
      await page.getByRole("alert").filter({ hasText: /0/ }).first().waitFor();
      assert.ok(await page.locator(".picture").count() > 0);
      await fits(page, "a refused parameter");
      await page.getByRole("link", { name: /^Take off / }).click();
      await arrived((url) => !url.searchParams.get("show"));
      assert.equal(await page.locator(".layer").count(), 0);
    });
  });
}

test("values are read by keys and by touch, and stand in a table", async () => {
  await withPage(chrome, program, { ...PHONE, viewport: { width: 360, height: 740 } }, async (page) => {
    await open(page, FULL);
    const plot = page.locator(".plot");
    const readout = page.locator(".readout");
    const bars = await program.json("/api/v1/datasets/bundled:AAPL/bars?start=2012-01-03&end=2012-06-29");
    await plot.focus();
    await page.keyboard.press("End");
    const last = bars.at(-1);
    await readout.getByText(last.date).waitFor();
    for (const name of ["Close", "Open", "SMA 20", "RSI", "MACD histogram", "log_return_5"]) {
      assert.ok((await readout.innerText()).includes(name), name);
    }
    assert.ok((await readout.innerText()).includes(last.close.toFixed(2).slice(0, 4)), "the close of that day");
    await page.keyboard.press("Home");
    await readout.getByText(bars[0].date).waitFor();
    const box = await plot.boundingBox();
    await page.touchscreen.tap(box.x + box.width / 2, box.y + 40);
    const day = await readout.locator(".figures").first().innerText();
    assert.ok(day > "2012-03-10" && day < "2012-04-20", `the middle: ${day}`);
    await page.getByText("Values as a table").click();
    const heads = await page.getByRole("region").filter({ has: page.locator("table") }).first().locator("thead th").allInnerTexts();
    assert.ok(heads.includes("Close") && heads.includes("SMA 20"), heads.join());
    await accessible(page, "the table of values");
    await fits(page, "the table of values");
  });
});

test("zooming and moving is kept in the address, the form and the links", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, FULL);
    const span = () => [query(page).get("start"), query(page).get("end")];
    const before = span();
    await page.getByRole("button", { name: "Zoom in" }).click();
    await page.waitForFunction((was) => new URL(location.href).searchParams.get("start") !== was, before[0]);
    const nearer = span();
    assert.ok(nearer[0] > before[0] && nearer[1] < before[1], nearer.join(" "));
    assert.equal(query(page).get("show"), "sma:period=20,bollinger_bands:period=20,rsi,macd");
    assert.equal(await page.getByLabel("From").inputValue(), nearer[0]);
    const link = await page.getByRole("link", { name: /^Take off / }).first().getAttribute("href");
    assert.ok(link.includes(`start=${nearer[0]}`), link);
    // By the mouse: to the right shows earlier days.
    const middle = async () => {
      const plot = page.locator(".plot");
      await plot.evaluate((e) => e.scrollIntoView({ block: "center" }));
      const box = await plot.boundingBox();
      return { x: box.x, width: box.width, y: box.y + box.height / 2 };
    };
    let at = await middle();
    await page.mouse.move(at.x + at.width * 0.3, at.y);
    await page.mouse.down();
    await page.mouse.move(at.x + at.width * 0.8, at.y, { steps: 5 });
    await page.mouse.up();
    await page.waitForFunction((was) => new URL(location.href).searchParams.get("start") !== was, nearer[0]);
    assert.ok(span()[0] < nearer[0], span().join(" "));
    // By keys, and back from the address alone.
    const moved = span();
    await page.locator(".plot").focus();
    await page.keyboard.press("-");
    await page.waitForFunction((was) => new URL(location.href).searchParams.get("start") !== was, moved[0]);
    const wide = span();
    await open(page, page.url());
    assert.deepEqual(span(), wide);
    assert.equal(await page.getByLabel("From").inputValue(), wide[0]);
    // A wheel with Ctrl.
    at = await middle();
    await page.mouse.move(at.x + at.width / 2, at.y);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    await page.waitForFunction((was) => new URL(location.href).searchParams.get("start") !== was, wide[0]);
  });
});

test("the legend hides a layer, and it stays hidden when the picture is drawn anew", async () => {
  await withPage(chrome, program, DESKTOP, async (page) => {
    await open(page, FULL);
    const line = page.locator(".plot .k3").first();
    assert.equal(await line.evaluate((e) => getComputedStyle(e).display === "none"), false);
    await page.getByLabel("SMA 20").uncheck();
    assert.equal(await line.evaluate((e) => getComputedStyle(e).display), "none");
    const start = query(page).get("start");
    await page.getByRole("button", { name: "Earlier" }).click();
    await page.waitForFunction((was) => new URL(location.href).searchParams.get("start") !== was, start);
    assert.equal(await page.getByLabel("SMA 20").isChecked(), false);
    assert.equal(await page.locator(".plot .k3").first().evaluate((e) => getComputedStyle(e).display), "none");
  });
});

test("bad addresses say what is wrong and keep the form", async () => {
  await withPage(chrome, program, { ...PHONE, expected: ["404", "422"] }, async (page) => {
    for (const [path, words] of [
      ["/analytics?dataset=APPL", /AAPL/],
      ["/analytics?start=yesterday", /is not a day/i],
      ["/analytics?show=sma:20", /NAME=VALUE/],
      ["/analytics?dataset=bundled:AAPL&start=2031-01-01&end=2031-06-01", /no day in this span/i],
      ["/analytics?dataset=bundled:AAPL&show=nope,rsi", /unknown model/i],
    ]) {
      await open(page, path);
      assert.match(await page.locator("main").innerText(), words, path);
      assert.equal(await page.getByLabel("Data set", { exact: true }).count(), 1, path);
      await accessible(page, path);
      await fits(page, path);
    }
  });
});
