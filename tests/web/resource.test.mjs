// SPDX-License-Identifier: Apache-2.0
//
// Host names of resources, enrollments and plans, as the console reckons with
// them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bringsCertificate, changesOf, wildcardProblem } from '../../certd/web/lib/enrollment/fields.js';
import { askedOf, partsOf, seconds, titleOf } from '../../certd/web/lib/plan/parts.js';
import { cnameOf, coversAll, differenceOf, nameCovers, sameKind, troublesOf } from '../../certd/web/lib/resource/names.js';

test('a wildcard covers one label and not its own domain', () => {
	assert.ok(nameCovers('*.example.com', 'www.example.com'));
	assert.ok(nameCovers('WWW.example.com', 'www.EXAMPLE.com.'));
	assert.equal(nameCovers('*.example.com', 'example.com'), false);
	assert.equal(nameCovers('*.example.com', 'a.b.example.com'), false);
	assert.equal(nameCovers('*.example.com', '*.b.example.com'), false);
	assert.ok(nameCovers('*.example.com', '*.example.com'));
});

test('only a certificate for all host names is offered', () => {
	assert.ok(coversAll(['*.example.com', 'example.com'], ['example.com', 'www.example.com']));
	assert.equal(coversAll(['*.example.com'], ['example.com', 'www.example.com']), false);
	assert.equal(coversAll(['*.example.com'], []), false);
});

test('added and removed host names are told, however they are written', () => {
	assert.deepEqual(differenceOf(['a.example', 'b.example'], ['B.example.', 'c.example']), { added: ['c.example'], removed: ['a.example'] });
	assert.deepEqual(differenceOf(['a.example'], ['A.example', 'a.example']), { added: [], removed: [] });
});

test('two certificates of one kind of key are not bound together', () => {
	assert.ok(sameKind([{ key_algorithm: 'ec-p256' }, { key_algorithm: 'ec_p384' }]));
	assert.equal(sameKind([{ key_algorithm: 'ec-p256' }, { key_algorithm: 'rsa-2048' }, { key_algorithm: 'ed25519' }]), false);
});

test('troubles go to their host name, failures first', () => {
	const findings = [{ hostname: 'a', result: 'warning' }, { hostname: 'a', result: 'fail' }, { hostname: 'a', result: 'pass' }, { hostname: '', result: 'fail' }, { hostname: 'b', result: 'not_applicable' }];
	const troubles = troublesOf(['a', 'b'], findings);
	assert.deepEqual(troubles.get('a').map(each => each.result), ['fail', 'warning']);
	assert.deepEqual(troubles.get('b'), []);
	assert.equal(troublesOf(['c'], findings).get('c'), null);
	assert.equal(cnameOf('WWW.a.example', 'x.zone.example'), 'www.a.example. 300 IN CNAME x.zone.example.');
});

test('a form sends only what was changed, and says what brings a certificate', () => {
	const is = { name: 'a', hostnames: ['a.example'], standby: false, contacts: [1] };
	assert.deepEqual(changesOf(is, { name: 'b', hostnames: ['a.example'], standby: false, contacts: [1] }), { name: 'b' });
	assert.ok(bringsCertificate({ hostnames: [] }));
	assert.equal(bringsCertificate({ name: 'b', contacts: [] }), false);
	assert.match(wildcardProblem(['*.a.example'], 'http_01'), /\*\.a\.example/);
	assert.equal(wildcardProblem(['*.a.example'], 'dns_01'), '');
});

test('the parts of a plan add up to its total', () => {
	for (const plan of [{ total: 10, done: 3, under_way: 2, failing: 1 }, { total: 4, done: 4, under_way: 1, failing: 2 }, { total: 0, done: 0, under_way: 0, failing: 0 }])
		assert.equal(partsOf(plan).reduce((n, each) => n + each.n, 0), plan.total);
	assert.equal(partsOf({ total: 8, done: 2, under_way: 0, failing: 0 })[0].percent, 25);
	assert.deepEqual(askedOf({ authority: 'a', key: '', account: 'x' }), [['CA', 'a'], ['Account', 'x']]);
	assert.equal(titleOf({ authority: 'a', account: 'x' }), 'Everything of CA a, account x');
	assert.equal(seconds(1.5, 'days'), 129600);
});
