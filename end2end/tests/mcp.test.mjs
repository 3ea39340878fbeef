// The program under the official MCP client, over HTTP and over standard input and output, in the
// protocol with the handshake and in that of 2026-07-28: tools, resources, prompts, trust.

import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Program, SMALL_TRIAL, binary, environment } from "../harness.mjs";

const run = promisify(execFile);
const PROTOCOLS = { "with a handshake": "legacy", "of 2026-07-28": { pin: "2026-07-28" } };

/** `open` has no token at all; `guarded` has one of trust 1 and one of trust 5. */
let open, guarded;
const tokens = {};

async function token(program, name, trust) {
  const made = await run(binary(), ["--data-dir", program.dataDir, "token", "create", "--name", name, "--trust", `${trust}`, "--format", "json"]);
  return JSON.parse(made.stdout).token;
}

before(async () => {
  [open, guarded] = await Promise.all([Program.start(), Program.start()]);
  tokens.reader = await token(guarded, "reader", 1);
  tokens.worker = await token(guarded, "worker", 5);
});

after(async () => {
  await open?.stop();
  await guarded?.stop();
});

const http = (program, secret) =>
  new StreamableHTTPClientTransport(new URL("/mcp", program.base), {
    requestInit: secret ? { headers: { authorization: `Bearer ${secret}` } } : {},
  });

const stdio = (program, ...args) =>
  new StdioClientTransport({ command: binary(), args: ["--data-dir", program.dataDir, "mcp", ...args], env: environment(), stderr: "inherit" });

async function withClient(transport, mode, use) {
  const client = new Client({ name: "end2end", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

const text = (result) => result.content.map((block) => block.text).join("\n");

for (const [protocol, mode] of Object.entries(PROTOCOLS)) {
  for (const [way, reach] of [["HTTP", () => http(open)], ["standard input and output", () => stdio(open)]]) {
    test(`over ${way}, ${protocol}: tools, resources and prompts`, async () => {
      await withClient(reach(), mode, async (client) => {
        assert.equal(client.getServerVersion().name, "mltrainer");
        assert.match(client.getInstructions(), /out of sample/);

        // The tools are the actions of the API, each with the same schema.
        const { tools } = await client.listTools();
        const actions = await open.json("/api/v1/actions");
        assert.deepEqual(tools.map((t) => t.name), actions.map((a) => a.id));
        for (const [i, action] of actions.entries()) {
          assert.deepEqual(tools[i].inputSchema, action.schema, action.id);
          assert.equal(tools[i].annotations.readOnlyHint, !action.changes, action.id);
        }

        const looked = await client.callTool({ name: "list_datasets", arguments: { symbols: ["AAPL"] } });
        assert.ok(!looked.isError, text(looked));
        assert.equal(looked.structuredContent.action, "list_datasets");
        assert.match(text(looked), /AAPL/);

        const wrong = await client.callTool({ name: "show_data", arguments: { symbls: ["AAPL"] } });
        assert.ok(wrong.isError);
        assert.match(text(wrong), /symbls/);
        await assert.rejects(client.callTool({ name: "send_order", arguments: {} }), /send_order/);

        const { resources } = await client.listResources();
        assert.ok(resources.some((r) => r.uri === "mltrainer://catalogue"));
        const { resourceTemplates } = await client.listResourceTemplates();
        assert.deepEqual(resourceTemplates.map((t) => t.uriTemplate), ["mltrainer://catalogue/{id}", "mltrainer://trials/{id}", "mltrainer://lineage/{id}"]);
        const read = async (uri) => JSON.parse((await client.readResource({ uri })).contents[0].text);
        assert.ok((await read("mltrainer://catalogue")).some((e) => e.id === "ridge"));
        assert.equal((await read("mltrainer://catalogue/ridge")).id, "ridge");
        assert.deepEqual((await read("mltrainer://lineage/bundled%3AAAPL")).dataset.symbols, ["AAPL"]);
        await assert.rejects(client.readResource({ uri: "mltrainer://catalogue/rigde" }), /ridge/);
        await assert.rejects(client.readResource({ uri: "file:///etc/passwd" }));

        const { prompts } = await client.listPrompts();
        assert.equal(prompts.length, 5);
        const prompt = await client.getPrompt({ name: "analyse_symbol", arguments: { symbol: "AAPL" } });
        assert.match(prompt.messages[0].content.text, /^Analyze momentum for AAPL over next 7-10 days/);
        await assert.rejects(client.getPrompt({ name: "analyse_symbol", arguments: {} }), /symbol/);
      });
    });
  }

  test(`little trust looks and changes nothing, ${protocol}`, async () => {
    for (const transport of [http(guarded, tokens.reader), stdio(guarded, "--trust", "1")]) {
      await withClient(transport, mode, async (client) => {
        const looked = await client.callTool({ name: "list_trials", arguments: {} });
        assert.ok(!looked.isError, text(looked));
        const refused = await client.callTool({ name: "run_trial", arguments: { request: SMALL_TRIAL } });
        assert.ok(refused.isError);
        assert.match(text(refused), /trust_levels/);
      });
    }
    assert.deepEqual((await guarded.json("/api/v1/trials")).items.filter((t) => t.symbols.includes("AAPL") && t.state === "queued"), []);
  });
}

test("without a token that holds nobody is let in", async () => {
  await assert.rejects(withClient(http(guarded), "legacy", async () => {}));
  await assert.rejects(withClient(http(guarded, "mlt_none"), "legacy", async () => {}));
  const passing = await token(guarded, "passing", 1);
  await withClient(http(guarded, passing), "legacy", async (client) => client.listTools());
  await run(binary(), ["--data-dir", guarded.dataDir, "token", "revoke", "passing"]);
  await assert.rejects(withClient(http(guarded, passing), "legacy", async () => {}));
});

test("a trial is run to its end with progress, and its record is read", async () => {
  await withClient(http(guarded, tokens.worker), PROTOCOLS["of 2026-07-28"], async (client) => {
    const told = [];
    const done = await client.callTool(
      { name: "run_trial", arguments: { request: SMALL_TRIAL } },
      { onprogress: (p) => told.push(p), resetTimeoutOnProgress: true },
    );
    assert.ok(!done.isError, text(done));
    const { job } = done.structuredContent;
    assert.equal(job.kind, "trial");
    assert.ok(told.length > 0, "progress is told");
    assert.deepEqual(told.map((p) => p.progress), told.map((_, i) => i + 1));
    const trial = JSON.parse((await client.readResource({ uri: `mltrainer://trials/${job.id}` })).contents[0].text);
    assert.equal(trial.state, "finished");
    const lineage = JSON.parse((await client.readResource({ uri: `mltrainer://lineage/${job.id}` })).contents[0].text);
    assert.match(lineage.datasets[0].sha256, /^[0-9a-f]{64}$/);
    // The audit chain knows who it was.
    const { items } = await guarded.json("/api/compliance/audit?actor=mcp:worker");
    assert.ok(items.some((r) => r.action === "assistant.run_trial"));
  });
});
