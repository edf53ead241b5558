// SPDX-License-Identifier: Apache-2.0
//
// How the console asks certd, and what it makes of refusals; fetch() is ours.

import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { afterEach, test } from 'node:test';

import { apiFor, isOutdated, onUnauthenticated, Problem, request, setCsrf } from '../../certd/web/lib/api.js';

globalThis.crypto ??= webcrypto;
const asked = [];

function answering(...answers) {
	asked.length = 0;
	globalThis.fetch = async (url, init) => {
		asked.push({ url, ...init });
		const next = answers.shift();
		if (next instanceof Error)
			throw next;
		return next;
	};
}

function json(status, body, headers = {}) {
	return new Response(JSON.stringify(body), { status, headers });
}

const api = apiFor();

afterEach(() => {
	setCsrf('');
	onUnauthenticated(() => {});
});

test('a change shows the session\'s token, a question does not', async () => {
	setCsrf('t0ken');
	answering(json(200, {}), json(200, {}));
	await api.get('/certificates', { kinds: ['personal', 'shared'], search: '', unused: false });
	await api.post('/enrollments', { name: 'x' });
	assert.equal(asked[0].url, '/v1/certificates?kinds=personal&kinds=shared');
	assert.equal(asked[0].headers['X-CSRF-Token'], undefined);
	assert.equal(asked[1].headers['X-CSRF-Token'], 't0ken');
	assert.equal(asked[1].body, '{"name":"x"}');
});

test('what a page asks while nobody touches it says so, and is no use of the session', async () => {
	const now = Date.now;
	answering(json(200, {}), json(200, {}), json(200, {}));
	await api.get('/certificates');
	try {
		Date.now = () => now() + 61000;
		await api.get('/certificates');
		await api.post('/enrollments', { name: 'x' });
	} finally {
		Date.now = now;
	}
	assert.deepEqual(asked.map(each => each.headers['X-Left-Alone']), [undefined, '1', undefined]);
});

test('a POST whose answer is lost is sent again once, with the same key', async () => {
	answering(new TypeError('network'), json(201, { id: 1 }));
	assert.deepEqual(await api.post('/resources', {}), { id: 1 });
	assert.equal(asked.length, 2);
	assert.match(asked[0].headers['Idempotency-Key'], /^[0-9a-f]{32}$/);
	assert.equal(asked[0].headers['Idempotency-Key'], asked[1].headers['Idempotency-Key']);
});

test('a POST without a key, a PATCH and a DELETE are not sent again', async () => {
	for (const run of [() => api.post('/sessions', {}, { key: null }), () => api.patch('/users/1', {}), () => api.delete('/users/1')]) {
		answering(new TypeError('network'), json(200, {}));
		await assert.rejects(run, problem => problem instanceof Problem && problem.status === 0 && /cannot reach certd/.test(problem.detail));
		assert.equal(asked.length, 1);
	}
});

test('an etag becomes If-Match, and a refusal by it is stale', async () => {
	answering(json(412, { code: 'ABORTED', title: 'Precondition Failed', detail: 'it was changed meanwhile: read it again' }));
	await assert.rejects(() => api.patch('/users/1', { name: 'x' }, { etag: 'r7' }), problem => problem.stale);
	assert.equal(asked[0].headers['If-Match'], '"r7"');
});

test('a refusal is a sentence for people', async () => {
	const said = [
		['there is no such certificate', 'There is no such certificate.'],
		['email: is not an address', 'email: is not an address.'],
		['keyd cannot be reached', 'keyd cannot be reached.'],
		['shop.example.com is taken', 'shop.example.com is taken.'],
		['Why?', 'Why?'],
	];
	for (const [detail, sentence] of said) {
		answering(json(404, { code: 'NOT_FOUND', title: 'Not Found', detail }));
		await assert.rejects(() => api.get('/x'), problem => problem.detail === sentence && problem.title === 'Not found');
	}
});

test('an answer that is no problem+json still says what to do', async () => {
	answering(new Response('<html>', { status: 502 }));
	await assert.rejects(() => api.get('/x'), problem => problem.status === 502 && /Try again/.test(problem.detail));
});

test('the end of the session is told, unless the call says that it may end so', async () => {
	let n = 0;
	onUnauthenticated(() => { n += 1; });
	answering(json(401, { code: 'UNAUTHENTICATED', detail: 'no session' }), json(401, { code: 'UNAUTHENTICATED', detail: 'no session' }));
	await assert.rejects(() => api.get('/certificates'));
	await assert.rejects(() => request('GET', '/session', { quiet: true }));
	assert.equal(n, 1);
});

test('a whole list is read page by page, and no further than asked', async () => {
	answering(json(200, { keys: [1, 2], next_page_token: 'a' }), json(200, { keys: [], next_page_token: 'b' }), json(200, { keys: [3], next_page_token: '' }));
	assert.deepEqual(await api.all('/keys', 'keys'), { items: [1, 2, 3], more: false });
	assert.match(asked[2].url, /page_token=b/);
	answering(json(200, { keys: [1, 2], next_page_token: 'a' }));
	assert.deepEqual(await api.all('/keys', 'keys', {}, 2), { items: [1, 2], more: true });
});

test('a console whose files are replaced by others knows that', async () => {
	const at = hash => new Response(`<script type="module" src="/console/assets/${hash}/main.js"></script>`);
	answering(at('aaaa'), at('bbbb'), new TypeError('no network'), json(503, {}));
	const told = [];
	for (let i = 0; i < 4; i++)
		told.push(await isOutdated('/console/assets/aaaa/'));
	assert.deepEqual(told, [false, true, false, false]);
	assert.equal(asked[0].url, '/console/');
});
