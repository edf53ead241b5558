// SPDX-License-Identifier: Apache-2.0
// Chromium for the system tests: JSON lines in, JSON lines out.  tests/system/browser.py is the
// only one who speaks to it, and has the words for people.
//
//   {"id":1,"do":"page","context":"c1"}                    -> {"id":1,"value":"p1"}
//   {"id":2,"do":"chain","on":"p1","chain":[["getByRole","button",{"name":"Add"}],["click"]]}
//   {"id":3,"do":"seen","context":"c1"}                    -> what happened since the last time
//   an error                                               -> {"id":3,"error":"..."}
//
// Each context is watched from its first page on: console, uncaught errors, violations of the
// content security policy, requests with their bodies, answers and failures.  The end of its
// input ends the browser.
//
// node bridge.mjs MODULES_FOLDER

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "node_modules", "x"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let browser;
const contexts = new Map();
const pages = new Map();
let last_id = 0;

function entry(map, id) {
	const found = map.get(id);
	if (!found)
		throw new Error(`there is no ${id}: it was closed, or never there`);
	return found;
}

// ---- what happens in a context ----

const onViolation = `document.addEventListener("securitypolicyviolation", (e) =>
	holdfast_saw_violation({ directive: e.violatedDirective, blocked: e.blockedURI,
		source: e.sourceFile, line: e.lineNumber, sample: e.sample, page: location.href }));`;

function requestSeen(page, request) {
	const seen = { page, kind: "request", number: ++last_id, method: request.method(),
		url: request.url(), type: request.resourceType(), headers: request.headers() };
	const body = request.postDataBuffer();
	if (body)
		seen.body = body.toString("base64");
	return seen;
}

// What was sent as a Blob or a File is not shown by the browser; its length is.
function learnLength(one, request) {
	const seen = one.requests.get(request);
	if (!seen || seen.body !== undefined)
		return;
	const learned = request.allHeaders()
		.then((all) => one.seen.push({ page: seen.page, kind: "length", of: seen.number,
			length: Number(all["content-length"] ?? 0) }))
		.catch(() => {})
		.finally(() => one.pending.delete(learned));
	one.pending.add(learned);
}

function watchPage(one, page) {
	const id = `p${++last_id}`;
	pages.set(id, { page, context: one });
	one.ids.set(page, id);
	const saw = (kind, more) => one.seen.push({ page: id, kind, ...more });
	page.on("console", (m) => saw("console", { level: m.type(), text: m.text(),
		url: m.location().url, line: m.location().lineNumber }));
	page.on("pageerror", (e) => saw("uncaught", { text: String(e?.stack ?? e) }));
	page.on("crash", () => saw("uncaught", { text: "the page's process crashed" }));
	page.on("websocket", (s) => saw("request", { method: "GET", url: s.url(),
		type: "websocket", headers: {} }));
	// A dialog that nobody answers would hold the page for ever.
	page.on("dialog", (d) => {
		saw("dialog", { type: d.type(), text: d.message() });
		d.dismiss().catch(() => {});
	});
	page.on("close", () => pages.delete(id));
	return id;
}

async function watchContext(context) {
	const one = { context, seen: [], ids: new Map(), requests: new WeakMap(), pending: new Set() };
	const of = (request) => {
		try {
			return one.ids.get(request.frame().page()) ?? "";
		} catch {
			return ""; // a service worker's, or of a page that is just being made
		}
	};
	context.on("page", (page) => one.ids.has(page) || watchPage(one, page));
	context.on("request", (r) => {
		const seen = requestSeen(of(r), r);
		one.requests.set(r, seen);
		one.seen.push(seen);
	});
	context.on("response", (r) => {
		one.seen.push({ page: of(r.request()), kind: "response", method: r.request().method(),
			url: r.url(), status: r.status(), headers: r.headers() });
		learnLength(one, r.request());
	});
	context.on("requestfailed", (r) => one.seen.push({ page: of(r), kind: "failed",
		method: r.method(), url: r.url(), text: r.failure()?.errorText ?? "" }));
	await context.exposeBinding("holdfast_saw_violation", ({ page }, violation) => {
		one.seen.push({ page: one.ids.get(page) ?? "", kind: "violation", ...violation });
	});
	await context.addInitScript(onViolation);
	return one;
}

// ---- chains ----

// What JSON cannot say: {"$regex"}, {"$locator"}, {"$bytes"}.
function decoded(value, page) {
	if (Array.isArray(value))
		return value.map((v) => decoded(v, page));
	if (value === null || typeof value !== "object")
		return value;
	if ("$regex" in value)
		return new RegExp(value.$regex, value.flags);
	if ("$bytes" in value)
		return Buffer.from(value.$bytes, "base64");
	if ("$locator" in value)
		return walked(page, value.$locator, page);
	return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decoded(v, page)]));
}

function walked(target, chain, page) {
	for (const [name, ...args] of chain) {
		const member = target[name];
		if (member === undefined)
			throw new Error(`${target.constructor.name} has no ${name}`);
		target = typeof member === "function"
			? member.apply(target, args.map((a) => decoded(a, page))) : member;
	}
	return target;
}

// Values go back; objects of the browser (a Response, a handle) do not.
function plain(value) {
	if (Buffer.isBuffer(value))
		return { $bytes: value.toString("base64") };
	if (value === undefined || typeof value === "function")
		return null;
	if (value && typeof value === "object" && !Array.isArray(value)
		&& Object.getPrototypeOf(value) !== Object.prototype)
		return null;
	return value;
}

async function dropFiles(page, chain, files) {
	const target = walked(page, chain, page);
	await target.scrollIntoViewIfNeeded();
	const box = await target.boundingBox();
	if (!box)
		throw new Error("what the files are to be dropped on is not visible");
	const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
	const cdp = await page.context().newCDPSession(page);
	try {
		for (const type of ["dragEnter", "dragOver", "drop"])
			await cdp.send("Input.dispatchDragEvent", { type, x, y,
				data: { items: [], files, dragOperationsMask: 1 } });
	} finally {
		await cdp.detach();
	}
}

// In a world of its own: no policy of the page forbids it, nothing of it is in the page.
async function axeFindings(page, rules) {
	const cdp = await page.context().newCDPSession(page);
	try {
		const { frameTree } = await cdp.send("Page.getFrameTree");
		const { executionContextId } = await cdp.send("Page.createIsolatedWorld",
			{ frameId: frameTree.frame.id, worldName: "axe" });
		const options = JSON.stringify({ resultTypes: ["violations"], rules });
		const { result, exceptionDetails } = await cdp.send("Runtime.evaluate", {
			contextId: executionContextId, awaitPromise: true, returnByValue: true,
			expression: `${axe};axe.run(document, ${options}).then((r) => r.violations)` });
		if (exceptionDetails)
			throw new Error(`axe: ${exceptionDetails.exception?.description
				?? exceptionDetails.text}`);
		return result.value.map(({ id, impact, help, nodes }) => ({ id, impact, help,
			nodes: nodes.map(({ target, html, failureSummary }) =>
				({ target: target.join(" "), html, why: failureSummary })) }));
	} finally {
		await cdp.detach();
	}
}

// ---- commands ----

const commands = {
	async start({ executable, args }) {
		browser = await chromium.launch({ executablePath: executable, args, headless: true,
			timeout: 60000, handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false });
		browser.on("disconnected", () => {
			process.stderr.write("the browser has ended\n");
			process.exit(1);
		});
		return browser.version();
	},
	async context({ options, timeout_ms }) {
		const context = await browser.newContext(decoded(options));
		context.setDefaultTimeout(timeout_ms);
		context.setDefaultNavigationTimeout(timeout_ms);
		const id = `c${++last_id}`;
		contexts.set(id, await watchContext(context));
		return id;
	},
	async page({ context }) {
		const one = entry(contexts, context);
		return one.ids.get(await one.context.newPage());
	},
	async chain({ on, chain }) {
		const target = contexts.get(on)?.context ?? entry(pages, on).page;
		return plain(await walked(target, chain, target));
	},
	async download({ on, chain, to }) {
		const { page } = entry(pages, on);
		const [download] = await Promise.all([page.waitForEvent("download"),
			walked(page, chain, page)]);
		const path = join(to, download.suggestedFilename());
		await download.saveAs(path);
		return path;
	},
	async popup({ on, chain }) {
		const { page, context } = entry(pages, on);
		const [opened] = await Promise.all([page.waitForEvent("popup"),
			walked(page, chain, page)]);
		return context.ids.get(opened);
	},
	async drop({ on, chain, files }) {
		await dropFiles(entry(pages, on).page, chain, files);
	},
	async answer({ on, path, json }) {
		const pattern = decoded(path);
		await entry(pages, on).page.route((url) => pattern.test(url.pathname),
			(route) => route.fulfill({ json }));
	},
	async axe({ on, rules }) {
		return await axeFindings(entry(pages, on).page, rules);
	},
	// What the pages have sent before this command has arrived after a round trip to them;
	// with settle also what they were about to: a violation is told a moment later.
	async seen({ context, settle }) {
		const one = entry(contexts, context);
		const rounds = one.context.pages().map((page) => page.evaluate(
			(ms) => new Promise((done) => setTimeout(done, ms)), settle ? 100 : 0).catch(() => {}));
		const enough = new Promise((done) => setTimeout(done, 20000));
		await Promise.race([Promise.all(rounds), enough]);
		await Promise.race([Promise.all(one.pending), enough]);
		return one.seen.splice(0);
	},
	async close({ context }) {
		const one = entry(contexts, context);
		contexts.delete(context);
		await one.context.close();
	},
};

async function stop() {
	if (browser) {
		browser.removeAllListeners("disconnected");
		await browser.close().catch(() => {});
	}
	process.exit(0);
}

async function answer(line) {
	const { id, do: name, ...fields } = JSON.parse(line);
	const reply = { id };
	try {
		reply.value = await commands[name](fields) ?? null;
	} catch (error) {
		reply.error = String(error?.message ?? error);
	}
	process.stdout.write(JSON.stringify(reply) + "\n");
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on("line", answer);
lines.on("close", stop);
process.on("SIGTERM", stop);
