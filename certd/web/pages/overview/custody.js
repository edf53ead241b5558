// SPDX-License-Identifier: Apache-2.0
//
// How keyd is: its lanes (worker processes, each with a session at the token),
// and the ledger of what it did.

import { h, icon } from '../../lib/dom.js';
import { number, plural, relative } from '../../lib/format.js';
import { card, details } from '../../lib/layout.js';
import { href } from '../../lib/router.js';
import { badge, note } from '../../lib/status.js';

const LANE = { ready: ['good', 'good'], probing: ['notice', 'busy'], starting: ['notice', 'busy'] };

/** @param {Object} data the answer of GET /v1/overview */
export function custody(data) {
	const { keyd } = data;
	if (!keyd)
		return card({ title: 'Custody', actions: badge('bad', 'Away') },
			note('bad', 'keyd cannot be reached', { text: data.keyd_trouble || 'Nothing is signed while it is away. Look at its log.' }));
	const trouble = keyd.audit_trouble || keyd.ledger_trouble;
	const bad = keyd.lanes.filter(lane => lane.state !== 'ready').length;
	return card({ title: 'Custody', actions: overall(keyd, bad, trouble) }, h('div.stack',
		keyd.audit_trouble ? note('bad', 'Nothing is signed', { text: keyd.audit_trouble }) : null,
		keyd.ledger_trouble ? note('notice', 'The ledger is behind', { text: keyd.ledger_trouble }) : null,
		h('div.pools', [...Map.groupBy(keyd.lanes, lane => lane.pool)].map(([pool, lanes]) => poolOf(pool, lanes))),
		details([
			['Ledger', h('a', { href: href('/audit') }, plural(keyd.ledger_size, 'entry', 'entries'))],
			['Signatures', h('span.num', number(keyd.signatures))],
			['Refusals', h('span.num', number(keyd.refusals))],
			['Keys', h('a', { href: href('/keys') }, number(keyd.keys))],
			keyd.pending_approvals ? ['Waiting for approval', h('span.num', number(keyd.pending_approvals))] : null,
			['keyd', `${keyd.version}, started ${relative(keyd.started_s)}`],
		])));
}

function overall(keyd, bad, trouble) {
	if (keyd.audit_trouble || bad === keyd.lanes.length)
		return badge('bad', 'Not signing');
	return bad || trouble ? badge('notice', 'Impaired') : badge('good', 'Healthy');
}

function poolOf(pool, lanes) {
	const ready = lanes.filter(lane => lane.state === 'ready').length;
	return h('div.pool',
		h('div.head', h('span', pool), h('span.quiet.small', `${ready} of ${plural(lanes.length, 'lane')} ready`)),
		h('div.lanes', { 'aria-hidden': 'true' }, lanes.map(lane => h('span.lane', { class: (LANE[lane.state] || ['bad'])[0],
			title: `Lane ${lane.lane}: ${lane.state}, ${plural(lane.signatures, 'signature')}` }))),
		lanes.filter(lane => lane.state !== 'ready').map(lane => h('div.lane-why', { class: (LANE[lane.state] || ['bad'])[0] },
			icon((LANE[lane.state] || ['bad', 'bad'])[1]), h('span', `Lane ${lane.lane} is ${lane.state.replaceAll('-', ' ')}${lane.why ? `: ${lane.why}` : ''}`))));
}
