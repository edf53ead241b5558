// SPDX-License-Identifier: Apache-2.0
//
// A change's steps, as the console draws them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hasEnded, recordOf, stepsOf } from '../../certd/web/lib/change/steps.js';

function change(state, seen, more = {}) {
	return { state, resource: 4, problem: '', doing: 'it goes on', created_s: 1, history: ['queued', ...seen].map((each, i) => ({ state: each, at_s: 10 + i, text: `text of ${each}` })), ...more };
}

const shown = given => stepsOf(given).map(each => `${each.name} ${each.state}`);

test('what is done, what is being done and what is to come are told apart', () => {
	assert.deepEqual(shown(change('validating', ['ordering', 'presenting', 'validating'])), ['ordering good', 'presenting good', 'validating busy', 'finalizing waiting', 'installing waiting', 'proving waiting']);
});

test('a step that waits for a person is shown only where one is asked', () => {
	const list = stepsOf(change('awaiting_verify', ['ordering', 'presenting', 'awaiting_verify']));
	assert.deepEqual(list.find(each => each.name === 'awaiting_verify').state, 'notice');
	assert.equal(list.some(each => each.name === 'awaiting_issue'), false);
});

test('a change that has not begun waits for its turn', () => {
	assert.equal(shown(change('queued', []))[0], 'queued busy');
	assert.equal(stepsOf(change('queued', []))[0].text, 'it goes on');
});

test('a change that waits for another attempt stays at its step', () => {
	const list = shown(change('queued', ['ordering', 'presenting'], { problem: 'the CA is away' }));
	assert.deepEqual(list.slice(0, 2), ['ordering good', 'presenting notice']);
});

test('a failed change has failed where it was, and nothing is to come', () => {
	assert.deepEqual(shown(change('failed', ['ordering', 'presenting', 'failed'])), ['ordering good', 'presenting bad']);
	assert.deepEqual(shown(change('cancelled', ['ordering', 'cancelled'])), ['ordering notice']);
	assert.deepEqual(shown(change('failed', ['failed'])), ['queued bad']);
});

test('a change that is done has only good steps', () => {
	const done = change('done', ['ordering', 'presenting', 'validating', 'finalizing', 'installing', 'proving', 'done']);
	assert.ok(stepsOf(done).every(each => each.state === 'good'));
	assert.equal(stepsOf(done).length, 6);
	assert.ok(hasEnded(done));
});

test('no edge is to be seen where no resource is', () => {
	assert.equal(stepsOf(change('validating', ['ordering', 'validating'], { resource: 0 })).some(each => each.name === 'proving'), false);
});

test('a TXT record goes to where the CNAME leads', () => {
	assert.equal(recordOf({ dns_name: '_acme-challenge.a.example', dns_target: '', dns_value: 'abc' }), '_acme-challenge.a.example. 300 IN TXT "abc"');
	assert.equal(recordOf({ dns_name: '_acme-challenge.a.example', dns_target: 'x.zone.example.', dns_value: 'a"b' }), 'x.zone.example. 300 IN TXT "a\\"b"');
});
