// SPDX-License-Identifier: Apache-2.0
//
// One change: its steps as they happen, what has to be where, and what may be
// done now.

import { challengesOf } from '../lib/change/challenges.js';
import { changePanel } from '../lib/change/panel.js';
import { changeTitle, kindText, stateText, subjectLink } from '../lib/change/words.js';
import { linkButton } from '../lib/button.js';
import { h } from '../lib/dom.js';
import { when } from '../lib/format.js';
import { actorText } from '../lib/history.js';
import { card, details, loaded, page } from '../lib/layout.js';
import { href } from '../lib/router.js';
import { stateBadge } from '../lib/status.js';

export const title = 'Change';

function certificateLink(id) {
	return id ? h('a', { href: href(`/certificates/${id}`) }, `Certificate ${id}`) : null;
}

function facts(change) {
	return details([
		['State', stateBadge(change.state, stateText(change.state))],
		['For', subjectLink(change)],
		change.resource ? ['Enrollment', h('a', { href: href(`/enrollments/${change.enrollment}`) }, `Enrollment ${change.enrollment}`)] : null,
		['Kind', kindText(change)],
		['Host names', h('ul.plain', change.hostnames.map(each => h('li', each)))],
		['CA', change.authority],
		['Certificate', certificateLink(change.certificate)],
		['In place of', certificateLink(change.replaces)],
		['Begun', h('span', when(change.created_s), ' by ', actorText(change.created_by))],
		change.ended_s ? ['Ended', when(change.ended_s)] : null,
		!change.ended_s && change.expires_s ? ['Order ends', when(change.expires_s)] : null,
		change.attempts ? ['Attempts of this step', String(change.attempts)] : null,
		change.diagnosis ? ['Looked at before', h('a', { href: href(`/diagnose?id=${change.diagnosis}`) }, 'the report')] : null,
	]);
}

function historyOf(change) {
	return h('ol.plain.events.narrow', [...change.history].reverse().map(each => h('li', h('div', h('strong', stateText(each.state)), h('span.under', each.text)), when(each.at_s))));
}

export async function render(ctx) {
	const { id } = ctx.params;
	const path = `/changes/${id}`;
	const change = await ctx.api.get(path);
	ctx.setTitle(`Change of ${changeTitle(change)}`);
	const part = (draw, lines) => loaded(ctx, { lines, topics: 'changes', load: () => ctx.api.get(path), draw });
	const diagnose = ctx.session.mayChange && (change.resource || change.hostnames.length === 1) ? linkButton('Diagnose', `/diagnose?hostname=${encodeURIComponent(change.hostnames[0].replace('*.', ''))}`, { icon: 'diagnose' }) : null;
	return page({ title: changeTitle(change), crumbs: [['Changes', '/changes']], lead: `${kindText(change)}${ctx.session.seesAll ? `, of account ${change.account}` : ''}`,
		actions: diagnose ? [diagnose] : null },
	h('div.split', h('div.stack', card({ title: 'Steps' }, changePanel(ctx, { id })),
		part(now => now.challenges.length ? card({ title: 'Challenges', text: 'One for each host name: what the CA looks for.' }, challengesOf(now)) : null, 2)),
	h('div.stack', card({ title: 'Change' }, part(facts, 8)), card({ title: 'What happened' }, part(historyOf, 4)))));
}
