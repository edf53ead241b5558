// SPDX-License-Identifier: Apache-2.0
//
// A change as it goes: its steps, and what may be done with it now.

import { button, linkButton } from '../button.js';
import { confirm } from '../dialog.js';
import { h, mount } from '../dom.js';
import { when } from '../format.js';
import { loaded, problemNote } from '../layout.js';
import { note, progress, steps } from '../status.js';
import { toast } from '../toast.js';
import { hasEnded, stepsOf } from './steps.js';

const INPUTS = {
	verify: { label: 'Verify', icon: 'check', kind: 'primary', said: 'Seen in place: the CA is told to look.' },
	issue: { label: 'Have it issued', icon: 'certificate', kind: 'primary', said: 'It is being issued.' },
	retry: { label: 'Try again now', icon: 'retry', said: 'It is tried again.' },
};

const FOLLOW_MS = 4000;

const plain = text => text.toLowerCase().replace(/\.$/, '');

/** The steps, one below the other. @param {Object} change */
function changeSteps(change) {
	return steps(stepsOf(change).map(each => ({ ...each, at: each.at_s ? when(each.at_s, 'relative') : null })));
}

/** How far it is. @param {Object} change */
function changeProgress(change) {
	const kind = { failed: 'bad', expired: 'bad', done: 'good' }[change.state] || '';
	return progress(change.percent, { label: change.state === 'done' ? 'Done' : hasEnded(change) ? 'Came as far as' : 'Under way', kind });
}

async function cancel(ctx, change) {
	await confirm({
		title: 'Give this change up?', confirm: 'Give it up', danger: true,
		text: change.resource ? 'No certificate is obtained now. What the resource serves with stays as it is.' : 'No certificate is obtained now. One that was obtained before stays.',
		run: () => ctx.api.post(`/changes/${change.id}:cancel`),
	});
}

/**
 * What may be done now, as buttons; what certd refuses is said below them and stays until the next try.
 * @param {Object} ctx @param {Object} change @param {HTMLElement} trouble @param {function(): Promise<?Object>} refresh answers
 *   the change as it is then
 */
function inputs(ctx, change, trouble, refresh) {
	if (!ctx.session.mayChange)
		return [];
	const give = name => async () => {
		mount(trouble);
		try {
			await ctx.api.post(`/changes/${change.id}:${name}`);
			toast(INPUTS[name].said);
			await refresh();
		} catch (problem) {
			/* What Verify has seen is the change's problem from then on, and shown as that. */
			const { problem: shown } = await refresh() || {};
			if (!shown || !plain(problem.detail || problem.message).includes(plain(shown)))
				mount(trouble, problemNote(problem));
		}
	};
	/* Verify tries again as well. */
	const names = change.allowed_inputs.filter(each => each !== 'retry' || !change.allowed_inputs.includes('verify'));
	return names.map(name => name === 'cancel'
		? button('Cancel', { icon: 'stop', run: async () => { await cancel(ctx, change); await refresh(); } })
		: INPUTS[name] ? button(INPUTS[name].label, { icon: INPUTS[name].icon, kind: INPUTS[name].kind, run: give(name) }) : null);
}

function waitsNote(change) {
	if (hasEnded(change))
		return null;
	if (change.problem && change.state === 'awaiting_verify')
		return note('notice', 'Not in place yet.', { text: change.problem });
	if (change.problem)
		return note('notice', 'It met a problem, and goes on by itself.', { text: [change.problem, change.next_at_s ? [' Next attempt: ', when(change.next_at_s, 'relative'), '.'] : null] });
	if (change.allowed_inputs.some(each => each === 'verify' || each === 'issue') && change.expires_s)
		return h('p.small.quiet', 'It waits for you until ', when(change.expires_s), '; then the order ends, and has to be made again.');
	return null;
}

function endNote(change) {
	if (change.state === 'failed' || change.state === 'expired')
		return note('bad', change.state === 'failed' ? 'It failed.' : 'It was not answered while the order lived.', { text: change.problem || 'Have another certificate issued when what stood in its way is mended.' });
	if (change.state === 'cancelled')
		return note('info', 'It was given up. What was in use stays.');
	return null;
}

/** For the head of a card that has it on another page. @param {number} id */
export function changeLink(id) {
	return linkButton('Show the change', `/changes/${id}`, { icon: 'change', small: true });
}

/**
 * A change that draws itself anew as it goes.
 * @param {Object} ctx @param {{id: number, below?: function(Object): *, onEnd?: function(Object): void}} options
 *   below: more of it; onEnd: it ended while it was looked at
 * @returns {{node: HTMLElement, refresh: function(): Promise<void>}}
 */
export function changePanel(ctx, options) {
	const trouble = h('div.trouble', { 'aria-live': 'assertive' });
	let was_under_way = false;
	let latest = null;
	const load = async () => {
		const change = await ctx.api.get(`/changes/${options.id}`);
		if (was_under_way && hasEnded(change))
			options.onEnd?.(change);
		was_under_way = !hasEnded(change);
		latest = change;
		return change;
	};
	const again = async () => {
		await part.refresh();
		return latest;
	};
	const part = loaded(ctx, {
		lines: 6, topics: ['changes', 'edges'], load,
		draw: change => h('div.stack', changeProgress(change), endNote(change), waitsNote(change),
			h('div.actions', inputs(ctx, change, trouble, again)),
			changeSteps(change), options.below?.(change)),
	});
	/* Between events of the stream: a step may take long without one. */
	const timer = setInterval(() => was_under_way && !document.hidden && part.refresh(), FOLLOW_MS);
	ctx.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
	return { node: h('div.stack', trouble, part), refresh: part.refresh };
}
