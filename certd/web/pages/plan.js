// SPDX-License-Identifier: Apache-2.0
//
// One plan: its estimate, how far it is, and what fails.

import { button } from '../lib/button.js';
import { confirm } from '../lib/dialog.js';
import { h, mount } from '../lib/dom.js';
import { duration, number, plural, when } from '../lib/format.js';
import { actorText } from '../lib/history.js';
import { card, details, figures, loaded, page } from '../lib/layout.js';
import { askedOf, titleOf } from '../lib/plan/parts.js';
import { planBar } from '../lib/plan/view.js';
import { href } from '../lib/router.js';
import { note, stateBadge } from '../lib/status.js';
import { table } from '../lib/table.js';
import { toast } from '../lib/toast.js';

export const title = 'Replacement plan';

const FOLLOW_MS = 4000;
const REVOKE = { superseded: 'Revoked as superseded, each when its successor is proven', key_compromise: 'Revoked for key compromise, each when its successor is proven' };

/* ---- how it is ---- */

function estimate(plan) {
	const said = `${plural(plan.total, 'certificate')}, about ${duration(plan.estimate_s)}. Bounded by ${plan.bound}.`;
	if (plan.state !== 'estimated')
		return null;
	return plan.fits ? note('good', `It fits into ${duration(plan.asked.within_s)}.`, { text: `${said} Nothing is replaced before you start it.` })
		: note('notice', `It does not fit into ${duration(plan.asked.within_s)}.`, { text: [said, ' ', plan.advice] });
}

function pace(plan) {
	if (plan.state === 'running')
		return plan.expected_end_s ? h('p', 'As it goes now, it ends ', when(plan.expected_end_s, 'relative'), ' (', when(plan.expected_end_s), ').') : h('p.quiet', 'When it ends is known once some are done.');
	if (plan.state === 'paused')
		return note('notice', 'It is paused.', { text: 'No further changes are begun; those under way go on.' });
	if (plan.state === 'done')
		return note('good', 'All of it was replaced.', { text: ['Ended ', when(plan.ended_s), plan.started_s ? `, after ${duration(plan.ended_s - plan.started_s)}.` : '.'] });
	return plan.state === 'cancelled' ? note('info', 'It was cancelled.', { text: 'What was replaced stays replaced.' }) : null;
}

function progressOf(plan) {
	return h('div.stack', estimate(plan), pace(plan), planBar(plan, { legend: true }));
}

function numbers(plan) {
	return figures([
		{ label: 'Certificates', value: number(plan.total) },
		{ label: 'Takes about', value: duration(plan.estimate_s), under: plan.fits ? 'fits' : 'longer than wanted', kind: plan.fits ? '' : 'notice' },
		{ label: 'Wanted within', value: duration(plan.asked.within_s) },
		{ label: 'Orders a second', value: plan.orders_per_s.toPrecision(2) },
		{ label: 'Keys a second', value: plan.keys_per_s.toPrecision(2) },
		{ label: 'Edges', value: number(plan.edges) },
	]);
}

function facts(plan) {
	return details([
		...askedOf(plan.asked),
		['New ones from', plan.asked.to_authority || 'Where each enrollment says'],
		['The old ones', REVOKE[plan.asked.revoke] || 'Left to run out'],
		['Bounded by', plan.bound],
		['Made', h('span', when(plan.created_s), ' by ', actorText(plan.created_by))],
		plan.started_s ? ['Started', when(plan.started_s)] : null,
	]);
}

function failures(plan) {
	if (!plan.failures.length)
		return null;
	return card({ title: 'What fails', flush: true, text: plan.failing > plan.failures.length ? `The first ${plan.failures.length} of ${number(plan.failing)}.` : 'Tried again after the others.' }, table({
		caption: 'What fails', rows: plan.failures, path: each => each.change ? `/changes/${each.change}` : `/enrollments/${each.enrollment}`, columns: [
			{ label: 'Enrollment', class: 'main', cell: each => h('a', { href: href(`/enrollments/${each.enrollment}`) }, each.name) },
			{ label: 'Why', cell: each => each.problem },
			{ label: 'Next attempt', class: 'fit', cell: each => when(each.next_at_s, 'relative') },
		] }));
}

/* ---- what can be done ---- */

async function start(ctx, plan) {
	const again = plan.state === 'paused';
	await confirm({ title: again ? 'Go on?' : `Replace ${plural(plan.total, 'certificate')}?`, confirm: again ? 'Go on' : 'Start replacing', danger: !plan.fits && !again,
		text: h('div.stack', h('p', 'Each old certificate serves until its successor is proven at every edge.'), plan.asked.revoke in REVOKE ? note('notice', 'The old ones are revoked then, which cannot be taken back.') : null,
			plan.fits || again ? null : note('notice', 'It will take longer than wanted.', { text: plan.advice })),
		run: async () => {
			await ctx.api.post(`/plans/${plan.id}:start`, { anyway: !plan.fits });
			toast('It runs.');
		} });
}

async function cancel(ctx, plan) {
	await confirm({ title: 'Cancel this plan?', danger: true, confirm: 'Cancel the plan', text: 'It ends for good. Changes under way go on, and what was replaced stays replaced.', run: () => ctx.api.post(`/plans/${plan.id}:cancel`) });
}

function acts(ctx, plan, refresh) {
	if (!ctx.session.isOperator)
		return [];
	const after = run => async () => {
		await run(ctx, plan);
		await refresh();
	};
	const { state } = plan;
	return [
		state === 'estimated' || state === 'paused' ? button(state === 'paused' ? 'Go on' : 'Start', { icon: 'play', kind: 'primary', run: after(start) }) : null,
		state === 'running' ? button('Pause', { icon: 'pause', run: after(() => ctx.api.post(`/plans/${plan.id}:pause`)) }) : null,
		state === 'done' || state === 'cancelled' ? null : button('Cancel', { icon: 'stop', kind: 'danger', run: after(cancel) }),
	];
}

/* ---- the page ---- */

export async function render(ctx) {
	const path = `/plans/${ctx.params.id}`;
	const first = await ctx.api.get(path);
	const name = titleOf(first.asked);
	ctx.setTitle(name);
	const mark = h('span');
	const tools = h('div.actions');
	let state = '';
	const show = plan => {
		if (plan.state === state)
			return;
		state = plan.state;
		mount(mark, stateBadge(state));
		mount(tools, acts(ctx, plan, () => body.refresh()));
	};
	const body = loaded(ctx, { lines: 8, topics: ['changes', 'history'],
		load: async () => {
			const plan = await ctx.api.get(path);
			show(plan);
			return plan;
		},
		draw: plan => h('div.stack', numbers(plan), h('div.split', h('div.stack', card({ title: 'Progress' }, progressOf(plan)), failures(plan)), card({ title: 'Plan' }, facts(plan)))) });
	const timer = setInterval(() => state === 'running' && !document.hidden && body.refresh(), FOLLOW_MS);
	ctx.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
	show(first);
	return page({ title: name, badge: mark, crumbs: [['Plans', '/plans']], actions: [tools] }, body);
}
