// SPDX-License-Identifier: Apache-2.0
//
// One enrollment: the certificate that it obtains and renews, the change under
// way, and what went before.

import { challengesOf } from '../lib/change/challenges.js';
import { changeLink, changePanel } from '../lib/change/panel.js';
import { hasEnded } from '../lib/change/steps.js';
import { changeHeading, kindText, stateText } from '../lib/change/words.js';
import { keyName } from '../lib/certificate/words.js';
import { button, linkButton } from '../lib/button.js';
import { confirm } from '../lib/dialog.js';
import { h, mount } from '../lib/dom.js';
import { when, word } from '../lib/format.js';
import { actorText, historyCard } from '../lib/history.js';
import { card, details, loaded, page } from '../lib/layout.js';
import { moreMenu } from '../lib/menu.js';
import { getCertificate, revokeCertificate } from '../lib/resource/acts.js';
import { href } from '../lib/router.js';
import { note, stateBadge } from '../lib/status.js';
import { table } from '../lib/table.js';
import { toast } from '../lib/toast.js';

export const title = 'Enrollment';

const CHANGES_SHOWN = 20;

/* ---- its parts ---- */

/* says_why: why the last attempt failed, unless that is shown below. */
function certificateFacts({ enrollment, certificate }, says_why) {
	const link = (id, name) => id ? h('a', { href: href(`/certificates/${id}`) }, name || `Certificate ${id}`) : null;
	return h('div.stack', enrollment.problem && says_why ? note(enrollment.state === 'failed' ? 'bad' : 'notice', 'The last attempt failed.', { text: enrollment.problem }) : null,
		enrollment.standby_problem ? note('notice', 'The standby certificate has a problem.', { text: enrollment.standby_problem }) : null,
		details([
			['Certificate', link(enrollment.certificate, certificate?.name) || h('span.quiet', 'None yet')],
			enrollment.not_after_s ? ['Valid until', h('span', when(enrollment.not_after_s), ' (', when(enrollment.not_after_s, 'relative'), ')')] : null,
			enrollment.next_at_s ? [enrollment.certificate ? 'Renewed by itself' : 'Tried again', h('span', when(enrollment.next_at_s), ' (', when(enrollment.next_at_s, 'relative'), ')')] : null,
			enrollment.window_start_s ? ['The CA wishes', h('span', when(enrollment.window_start_s), ' to ', when(enrollment.window_end_s))] : null,
			enrollment.explanation_url ? ['It explains', enrollment.explanation_url] : null,
			enrollment.standby ? ['Standby', link(enrollment.standby_certificate) || 'Being obtained'] : null,
		]));
}

function wishes(enrollment) {
	return details([
		['Host names', h('ul.plain', enrollment.hostnames.map(each => h('li', each)))],
		['For', enrollment.resource ? h('a', { href: href(`/resources/${enrollment.resource}`) }, `Resource ${enrollment.resource}`) : 'The account\'s list of certificates'],
		['Validation', word(enrollment.validation)],
		['DNS provider', enrollment.dns_provider],
		['Certificate authority', enrollment.authority || 'The first that can be asked'],
		['Profile', enrollment.profile],
		['Chain to', enrollment.preferred_chain],
		['Common name', enrollment.common_name],
		['Kind of key', keyName(enrollment.algorithm)],
		['Network', word(enrollment.network)],
		['Way', enrollment.stepwise ? 'Step by step, with your word' : 'By itself'],
		['Made', h('span', when(enrollment.created_s), ' by ', actorText(enrollment.created_by))],
	]);
}

function changesTable({ items, next }) {
	return items.length ? [table({ caption: 'Changes', rows: items, path: each => `/changes/${each.id}`, columns: [
		{ label: 'Change', class: 'main', cell: kindText }, { label: 'State', class: 'fit', cell: each => stateBadge(each.state, stateText(each.state)) },
		{ label: 'Begun', class: 'fit', cell: each => when(each.created_s, 'both') },
	] }), next ? h('p.small.more-rows', h('a', { href: href(`/changes?enrollment=${items[0].enrollment}`) }, 'All of them')) : null] : h('p.small.quiet', 'None yet.');
}

/* The change under way, with what has to be where; none when it has ended. */
function changeSlot(ctx, refresh) {
	const node = h('div.slot');
	let shown = 0;
	let heading = '';
	let has_failed = false;
	return {
		node,
		hasFailed: () => has_failed,
		async show(enrollment) {
			const change = enrollment.change ? await ctx.api.get(`/changes/${enrollment.change}`).catch(() => null) : null;
			const id = change && (!hasEnded(change) || change.id === shown) ? change.id : 0;
			const now = id ? changeHeading(change) : '';
			has_failed = id !== 0 && (change.state === 'failed' || change.state === 'expired');
			if (id === shown && now === heading)
				return;
			shown = id;
			heading = now;
			mount(node, id ? card({ title: heading, actions: changeLink(id) }, changePanel(ctx, { id, below: now => hasEnded(now) ? null : challengesOf(now), onEnd: refresh })) : null);
		},
	};
}

/* ---- what can be done ---- */

async function remove(ctx, enrollment) {
	const done = await confirm({ title: `Delete the enrollment ${enrollment.name}?`, danger: true, confirm: 'Delete enrollment',
		text: 'Its certificate is not renewed any more. What was issued stays, and stays bound until it expires.', run: () => ctx.api.delete(`/enrollments/${enrollment.id}`, {}, { etag: enrollment.etag }) });
	if (!done)
		return;
	toast(`${enrollment.name} was deleted.`);
	await ctx.navigate('/enrollments');
}

function acts(ctx, state, refresh) {
	if (!ctx.session.mayChange)
		return null;
	const after = run => async () => {
		await run();
		if (!ctx.signal.aborted)
			await refresh();
	};
	const { enrollment } = state;
	const issue = () => getCertificate(ctx, { resource: { enrollment: enrollment.id, name: state.enrollment.name }, enrollment: state.enrollment });
	return [
		button('Issue now', { icon: 'certificate', run: after(issue) }),
		linkButton('Change', `/enrollments/${enrollment.id}/edit`, { icon: 'edit' }),
		moreMenu(`Acts on ${enrollment.name}`, [
			{ label: 'Revoke its certificate', icon: 'stop', danger: true, run: after(() => revokeCertificate(ctx, state.enrollment, state.enrollment.name)) },
			{ label: 'Delete', icon: 'remove', danger: true, run: () => remove(ctx, state.enrollment) }]),
	];
}

/* ---- the page ---- */

export async function render(ctx) {
	const { id } = ctx.params;
	const path = `/enrollments/${id}`;
	const state = { enrollment: await ctx.api.get(path) };
	const { enrollment } = state;
	ctx.setTitle(enrollment.name);
	const mark = h('span', stateBadge(enrollment.state));
	const refresh = () => Promise.all(parts.map(each => each.refresh()));
	const slot = changeSlot(ctx, refresh);
	const take = async () => {
		state.enrollment = await ctx.api.get(path);
		mount(mark, stateBadge(state.enrollment.state));
		const held = state.enrollment.certificate;
		[state.certificate] = await Promise.all([held ? ctx.api.get(`/certificates/${held}`).catch(() => null) : null, slot.show(state.enrollment)]);
		return state;
	};
	const parts = [
		loaded(ctx, { lines: 4, topics: ['enrollments', 'changes'], load: take, draw: seen => certificateFacts(seen, !slot.hasFailed()) }),
		loaded(ctx, { lines: 8, topics: 'enrollments', load: () => ctx.api.get(path), draw: wishes }),
		loaded(ctx, { lines: 3, topics: 'changes', load: () => ctx.api.list('/changes', 'changes', { enrollment: id, page_size: CHANGES_SHOWN }), draw: changesTable }),
	];
	return page({ title: enrollment.name, badge: mark, crumbs: [['Enrollments', '/enrollments']], lead: ctx.session.seesAll ? `Of account ${enrollment.account}` : null, actions: acts(ctx, state, refresh) },
		h('div.split', h('div.stack', card({ title: 'Certificate' }, parts[0]), slot, card({ title: 'Changes' }, h('div.served', parts[2]))), h('div.stack', card({ title: 'What is wanted' }, parts[1]), historyCard(ctx, `enrollment ${id}`, enrollment.account))));
}
