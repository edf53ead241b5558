// SPDX-License-Identifier: Apache-2.0
//
// What the console reads from the texts of a diagnosis (certd/check_*.c).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countOf, edgesOf, remedyOf } from '../../certd/web/lib/diagnosis/edges.js';

test('each edge\'s line is read', () => {
	const [a, b, c, d] = edgesOf('e1: heard of 2 s ago, applied 16, seen serving 16, of 16\n'
		+ 'e2: heard of 2 min ago, applied 16, seen serving 13, of 16, serves a certificate that is not bound, 7547c3a1c65e6a1b..., www.a.example (ECDSA): another certificate is served\n'
		+ 'e3: heard of never, applied 0, seen serving 0, of 16, quarantined, held back\n'
		+ 'e4: heard of 3 s ago, applied 2, seen serving 0, of 2, held back, www.a.example (ECDSA): Connection refused\n');
	assert.deepEqual(a, { name: 'e1', heard: '2 s', applied: 16, served: 16, version: 16, quarantined: false, held: false, other: '', problem: '' });
	assert.deepEqual([b.heard, b.served, b.other, b.problem], ['2 min', 13, '7547c3a1c65e6a1b', 'www.a.example (ECDSA): another certificate is served']);
	assert.deepEqual([c.heard, c.quarantined, c.held, c.problem], ['never', true, true, '']);
	assert.deepEqual([d.held, d.problem], [true, 'www.a.example (ECDSA): Connection refused']);
});

test('lines that read otherwise are shown as they are', () => {
	assert.equal(edgesOf('e1: something else\n'), null);
	assert.equal(edgesOf(''), null);
});

test('the line to take elsewhere is found in a remedy', () => {
	assert.deepEqual(remedyOf('put into the DNS:  www.a.example.  CNAME  x.zone.example.'), { text: 'put into the DNS', line: 'www.a.example.  CNAME  x.zone.example.', tail: '' });
	assert.deepEqual(remedyOf('delegate:  _acme-challenge.a.example.  CNAME  a.acme.zone.example.  or ask the operator'),
		{ text: 'delegate', line: '_acme-challenge.a.example.  CNAME  a.acme.zone.example.', tail: 'or ask the operator' });
	assert.deepEqual(remedyOf('holdfast edge invite NAME --group GROUP'), { text: 'by command', line: 'holdfast edge invite NAME --group GROUP', tail: '' });
	assert.equal(remedyOf('holdfast resource set 12 --origin HOST').line, 'holdfast resource set 12 --origin HOST');
});

test('a remedy in words stays as it is', () => {
	for (const text of ['look again in a minute', 'holdfast edge show NAME tells what ails it, the log of edged there the rest', ''])
		assert.deepEqual(remedyOf(text), { text, line: '', tail: '' });
});

test('results are counted', () => {
	assert.deepEqual(countOf([{ result: 'pass' }, { result: 'fail' }, { result: 'pass' }]), { pass: 2, fail: 1, warning: 0, not_applicable: 0 });
});
