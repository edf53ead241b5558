// SPDX-License-Identifier: Apache-2.0
//
// What somebody sees who has nothing yet: the next three steps.

import { linkButton } from '../../lib/button.js';
import { h, icon } from '../../lib/dom.js';
import { card, emptyState } from '../../lib/layout.js';

const OF_ACCOUNT = [
	{ icon: 'resource', title: 'Create a resource', path: '/resources/new', act: 'Create a resource',
		text: 'Say which host names are delivered, and from which origin. That is what people will reach.' },
	{ icon: 'certificate', title: 'Give it a certificate', path: '/certificates/new', act: 'Add a certificate',
		text: 'Let one be obtained and renewed by itself, or add one that you bought. Its private key is wrapped in your browser and stays in the HSM.' },
	{ icon: 'diagnose', title: 'See it served', path: '/diagnose', act: 'Diagnose a host name',
		text: 'Point the name at us in your DNS. A diagnosis goes through everything from there to the edges, and says what to mend.' },
];

const OF_OPERATOR = [
	{ icon: 'account', title: 'Create an account', path: '/accounts', act: 'Go to accounts',
		text: 'Whoever delivers something has an account, with users of its own. Accounts see nothing of each other.' },
	{ icon: 'edge', title: 'Connect an edge', path: '/edges', act: 'Go to edges',
		text: 'Edges serve the certificates and have each signature made by the HSM. Invite one with "holdfast edge invite".' },
	{ icon: 'resource', title: 'Create a resource', path: '/resources/new', act: 'Create a resource',
		text: 'Host names, origin, certificate: an edge gets what it needs within seconds.' },
];

/** @param {import('../../lib/session.js').session} session */
export function beginning(session) {
	const list = session.seesAll ? OF_OPERATOR : OF_ACCOUNT;
	if (!session.isOperator && !session.mayChange)
		return card({}, emptyState({ icon: 'overview', title: 'Nothing here yet', text: 'As soon as resources and certificates are added, you see here what expires when and what needs somebody.' }));
	return card({ title: 'The first three steps', flush: true }, h('ol.beginning', list.map((step, i) => h('li',
		h('span.count', { 'aria-hidden': 'true' }, i + 1),
		h('h3', icon(step.icon), step.title), h('p', step.text),
		linkButton(step.act, step.path, { kind: i === 0 ? 'primary' : '', small: false })))));
}
