// SPDX-License-Identifier: Apache-2.0
//
// certd's REST API (docs/REST.md). Failures are Problems, whose detail is a
// sentence for people. Nothing else of the console calls fetch().

import { sentence } from './format.js';

/* In place of HTTP's phrases, which are not for people. */
const TITLES = {
	INVALID_ARGUMENT: 'Not accepted', OUT_OF_RANGE: 'Not accepted', UNAUTHENTICATED: 'Not logged in', PERMISSION_DENIED: 'Not allowed',
	NOT_FOUND: 'Not found', UNIMPLEMENTED: 'Not offered here', ALREADY_EXISTS: 'There already', FAILED_PRECONDITION: 'Not possible now',
	ABORTED: 'Changed meanwhile', RESOURCE_EXHAUSTED: 'Too much at once', UNAVAILABLE: 'Not available now',
	DEADLINE_EXCEEDED: 'Took too long', INTERNAL: 'certd failed', UNKNOWN: 'certd failed', DATA_LOSS: 'certd failed',
};
/** A failure: an answer of certd (RFC 9457), or none at all. */
export class Problem extends Error {
	/** @param {number} status HTTP's; 0: no answer @param {Object} body problem+json @param {number} retry_after_s */
	constructor(status, body = {}, retry_after_s = 0) {
		super(sentence(body.detail || body.title || `certd answered ${status}`));
		this.name = 'Problem';
		this.status = status;
		/** 'NOT_FOUND', 'FAILED_PRECONDITION' ... */
		this.code = body.code || '';
		/** Finer than code: 'TOTP_REQUIRED'. May be empty. */
		this.reason = body.reason || '';
		this.title = TITLES[this.code] || body.title || 'That did not work';
		/** A sentence for people: what was wrong, what to do. */
		this.detail = this.message;
		/** For certd's log: "urn:...". May be empty. */
		this.instance = body.instance || '';
		this.body = body;
		this.retry_after_s = retry_after_s;
	}

	/** The object was changed since it was read: read again. */
	get stale() {
		return this.status === 412 || this.code === 'ABORTED';
	}
}

const state = { csrf: '', unauthenticated: () => {} };

/* A page reads again whatever changes: that alone must not keep a session of
   somebody who has gone away. */
const LEFT_ALONE_MS = 60000;
let touched_ms = Date.now();
for (const kind of ['pointerdown', 'keydown', 'wheel'])
	globalThis.addEventListener?.(kind, () => { touched_ms = Date.now(); }, { capture: true, passive: true });

/** The session's token against forged requests; session.js sets it. @param {string} token */
export function setCsrf(token) {
	state.csrf = token || '';
}

/** What to do when the session has ended; main.js sets it. @param {Function} run */
export function onUnauthenticated(run) {
	state.unauthenticated = run;
}

function address(path, query) {
	const params = new URLSearchParams();
	for (const [name, value] of Object.entries(query || {})) {
		for (const each of [value].flat()) {
			if (each !== undefined && each !== null && each !== '' && each !== false)
				params.append(name, String(each));
		}
	}
	const text = params.toString();
	return `/v1${path}${text ? `?${text}` : ''}`;
}

function newKey() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return Array.from(bytes, each => each.toString(16).padStart(2, '0')).join('');
}

function headersOf(method, body, options) {
	const headers = { Accept: 'application/json' };
	if (method !== 'GET' && state.csrf)
		headers['X-CSRF-Token'] = state.csrf;
	if (method === 'GET' && Date.now() - touched_ms > LEFT_ALONE_MS)
		headers['X-Left-Alone'] = '1';
	if (body !== undefined)
		headers['Content-Type'] = 'application/json';
	if (options.etag)
		headers['If-Match'] = `"${options.etag.replaceAll('"', '')}"`;
	if (method === 'POST' && options.key !== null)
		headers['Idempotency-Key'] = options.key || newKey();
	return headers;
}

async function problemOf(answer) {
	const retry_after_s = Number(answer.headers.get('Retry-After')) || 0;
	let body = {};
	try {
		body = await answer.json();
	} catch {
		body = { title: 'No readable answer', detail: `certd answered ${answer.status} without saying why. Try again; its log says more.` };
	}
	return new Problem(answer.status, body, retry_after_s);
}

/* A POST whose answer is lost is sent again once: its key keeps it from being
   done twice. */
async function send(url, init, may_repeat) {
	try {
		return await fetch(url, init);
	} catch (error) {
		if (error.name === 'AbortError')
			throw error;
		if (may_repeat)
			return send(url, init, false);
		throw unreached();
	}
}

/** There is no answer at all. @returns {Problem} */
export function unreached() {
	return new Problem(0, { title: 'certd does not answer', detail: 'The console cannot reach certd. Check the network and that certd runs, then try again.' });
}

/**
 * @param {string} method @param {string} path below /v1: '/certificates/17' @param {Object} options
 *   query, body, signal; etag: only while the object is as it was read; key: the Idempotency-Key, null for none;
 *   raw: answer the Response; quiet: a 401 is only a Problem and does not end the session
 */
export async function request(method, path, options = {}) {
	const { body, query, signal } = options;
	const answer = await send(address(path, query), {
		method, signal, credentials: 'same-origin', cache: 'no-store', redirect: 'error',
		headers: { ...headersOf(method, body, options), ...options.headers },
		body: body === undefined ? undefined : JSON.stringify(body),
	}, method === 'GET' || (method === 'POST' && options.key !== null));
	if (!answer.ok) {
		const problem = await problemOf(answer);
		if (problem.status === 401 && !options.quiet)
			state.unauthenticated(problem);
		throw problem;
	}
	if (options.raw)
		return answer;
	return answer.status === 204 ? null : answer.json();
}

/**
 * The calls, all ending with signal. A page has one in ctx.api.
 * @param {AbortSignal} [signal]
 */
export function apiFor(signal) {
	const call = (method, path, options) => request(method, path, { signal, ...options });
	return {
		get: (path, query, options) => call('GET', path, { query, ...options }),
		post: (path, body = {}, options) => call('POST', path, { body, ...options }),
		patch: (path, body, options) => call('PATCH', path, { body, ...options }),
		delete: (path, query, options) => call('DELETE', path, { query, ...options }),
		/** One page of a list. @returns {Promise<{items: Object[], next: string}>} next: '' on the last one */
		list: async (path, field, query) => {
			const page = await call('GET', path, { query });
			return { items: page[field] || [], next: page.next_page_token || '' };
		},
		/** A whole list, up to a maximum. @returns {Promise<{items: Object[], more: boolean}>} */
		all: (path, field, query, maximum = 2000) => all(call, path, field, query, maximum),
		/** An answer as a file. @returns {Promise<Blob>} */
		blob: async (path, query) => (await call('GET', path, { query: { ...query, download: 1 }, raw: true, headers: { Accept: 'application/octet-stream' } })).blob(),
	};
}

async function all(call, path, field, query, maximum) {
	const items = [];
	let token = '';
	do {
		const page = await call('GET', path, { query: { page_size: 1000, ...query, page_token: token } });
		items.push(...(page[field] || []));
		token = page.next_page_token || '';
	} while (token && items.length < maximum);
	return { items, more: token !== '' };
}

/**
 * Whether certd serves another console by now: its files stand at another address then, and those of this one nowhere.
 * @param {string} [own] where this one's files stand: '/console/assets/HASH/' @returns {Promise<boolean>}
 */
export async function isOutdated(own = new URL('..', import.meta.url).pathname) {
	try {
		const answer = await fetch('/console/', { cache: 'no-store', credentials: 'omit' });
		return answer.ok && !(await answer.text()).includes(`${own}main.js`);
	} catch {
		return false;
	}
}

/** Without a page: for the frame and for the session. */
export const api = apiFor();
